"""Fixtures: real projects, real PostgreSQL, real exports where they are at hand."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lineage.activities import batches, schemas
from lineage.activities import project as projects
from lineage.activities.context import Project, open_project
from tests import postgres

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
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of this session's own, on loopback; works as root too."""
    with postgres.server() as url:
        yield url


@pytest.fixture
def postgres_store_url(postgres_server: str) -> Iterator[str]:
    """The address of an empty database of the test's own."""
    with postgres.database(postgres_server) as url:
        yield url


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
