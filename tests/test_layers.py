"""The house plan, held by reading the imports: who may import whom, and what stands only where."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lineage"
FILES = sorted(PACKAGE.rglob("*.py"))

VOCABULARY = {"terms", "rows", "columns", "identity", "proofs", "errors", "progress"}
SCHEMAS = {"labelschema", "labelcheck", "schemainfer", "schemamap"}
BOUNDARIES = {*SCHEMAS, "settings", "segments", "store", "vcs", "formats", "pages"}
LAYERS = {
    **dict.fromkeys(VOCABULARY, 0),
    "calc": 1,
    **dict.fromkeys(BOUNDARIES, 2),
    "activities": 3,
    "simulate": 3,
    "interchange": 4,
    "cli": 5,
    "__main__": 6,
    # the door: names for training code, each imported when it is first used
    "__init__": 6,
}
# where a foreign package may stand; a format of a tool may be YAML too (YOLO's data.yaml)
ONLY_IN = {
    "sqlalchemy": "store",
    "sqlmodel": "store",
    "psycopg": "store",
    "sqlite3": "store",
    "git": "vcs",
    "dvc": "vcs",
    "jsonschema": "labelschema",
    "referencing": "labelschema",
    "pyarrow.parquet": "segments",
    "yaml": "settings formats",
    "tomllib": "settings",
    "typer": "cli",
    "vl_convert": "pages",
    "rich": "cli",
    "cryptography": "segments",
    "mlflow": "interchange",
    "torch": "interchange",
}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "service", "misc"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60


def room(path: Path) -> str:
    """Return the part of the house that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(name: str) -> str | None:
    parts = name.split(".")
    if parts[0] != "lineage":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS else None


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nobody_imports_upwards_and_no_boundary_another(path: Path) -> None:
    here = room(path)
    for name in imports(path):
        there = ours(name)
        if there is None or there == here:
            continue
        assert LAYERS[there] <= LAYERS[here], f"{here} imports {there} above it"
        both_boundaries = LAYERS[there] == LAYERS[here] == 2
        assert not both_boundaries or {here, there} <= SCHEMAS, f"{here} imports its peer {there}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_what_belongs_to_one_room_stays_there(path: Path) -> None:
    for name in imports(path):
        for module, owner in ONLY_IN.items():
            if name == module or name.startswith(module + "."):
                assert room(path) in owner.split(), f"{name} is for {owner} only"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_command_line_prints_exits_and_reads_the_environment(path: Path) -> None:
    if room(path) == "cli":
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "exit", "input")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in {
                ("sys", "exit"),
                ("os", "environ"),
                ("os", "getenv"),
                ("sys", "stdout"),
                ("sys", "stderr"),
            }


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_calculations_touch_no_file_clock_or_chance(path: Path) -> None:
    if room(path) != "calc":
        return
    taken = {name.split(".")[0] for name in imports(path)}
    assert not taken & {"os", "pathlib", "time", "datetime", "random", "io", "subprocess"}
    assert "np.random." not in path.read_text("utf-8").replace("np.random.Generator", "")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_stay_small_and_are_named_for_what_they_hold(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= MAX_FILE_LINES
    assert path.stem not in FORBIDDEN_NAMES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            n_lines = (node.end_lineno or 0) - node.lineno + 1
            documented = ast.get_docstring(node, clean=False)
            n_lines -= documented.count("\n") + 1 if documented else 0
            assert n_lines <= MAX_FUNCTION_LINES, f"{node.name} has {n_lines} lines"


def test_every_module_says_what_it_is_for() -> None:
    bare = [p.name for p in FILES if not ast.get_docstring(ast.parse(p.read_text("utf-8")))]
    assert bare == []


def test_no_registry_stands_in_any_file() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    hosts = [b"py" + b"pi.org", b"pythonhosted" + b".org", b"npm" + b"js.org", b"npm" + b"js.com"]
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file():
            content = path.read_bytes()
            assert not [host for host in hosts if host in content], name
