"""The README's commands, run as they stand there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import REPOSITORY, shell
from tests.exports import coco

README = (REPOSITORY / "README.md").read_text("utf-8")


def commands(title: str) -> list[list[str]]:
    """Return the shell commands below a heading of the README."""
    section = README.split(f"## {title}")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.S)
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    return [shlex.split(line, comments=True) for line in lines]


def test_the_first_two_commands_are_jobs_of_dev_py() -> None:
    opening = README.split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", opening, re.S)
    assert [block.split("&&")[-1].split() for block in blocks] == [
        ["python3", "dev.py", "demo"],
        ["python3", "dev.py", "test"],
    ]
    told = subprocess.run(
        [sys.executable, REPOSITORY / "dev.py"], capture_output=True, text=True, check=False
    )
    assert told.returncode == 2
    for job in ("demo", "test"):
        assert f"dev.py {job}" in told.stdout


def test_asking_the_record_works_on_the_world_of_the_demo(world: Path) -> None:
    asked = [words for words in commands("Ask the record") if words[0] == "lineage"]
    assert len(asked) >= 6
    for words in asked:
        done = shell(world, *words)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        assert done.stdout.strip(), words
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_asking_whether_labels_are_good_works_on_the_world_of_the_demo(world: Path) -> None:
    asked = commands("Ask whether the labels are good")
    assert len(asked) >= 6
    for words in asked:
        done = shell(world, *words)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        assert done.stdout.strip(), words
        assert "Traceback" not in done.stderr
    assert (world / "reports" / "quality.html").stat().st_size > 100_000


@pytest.mark.slow
def test_the_qa_loop_runs_on_the_world_of_the_demo(world: Path) -> None:
    for words in commands("Run the QA loop"):
        spread = [
            found
            for word in words
            for found in (sorted(map(str, world.glob(word))) if "*" in word else [word])
        ]
        done = shell(world, *spread)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        assert done.stdout.strip(), words


@pytest.mark.slow
def test_the_record_can_be_trusted_on_the_world_of_the_demo(world: Path) -> None:
    asked = commands("Trust the record")
    assert len(asked) >= 10
    for words in asked:
        done = shell(world, *words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        assert done.stdout.strip() or "--out" in words, words
    checked = shell(
        world, sys.executable, str(REPOSITORY / "docs" / "verify_proof.py"), "proof.json"
    )
    assert checked.returncode == 0, checked.stderr


def test_a_project_of_ones_own_comes_about_by_the_readme(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    coco(
        root / "export.json",
        [(i, f"img/{i // 3}.jpg", "car", [10.0 + i, 20.0, 30.0, 40.0]) for i in range(30)],
    )
    for words in commands("In a project of your own"):
        done = shell(root, *words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    assert (root / "first.json").stat().st_size > 1000


def test_links_lead_somewhere() -> None:
    for path in (REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_help_of_every_command_speaks(world: Path) -> None:
    program = shutil.which("lineage", path=str(Path(sys.executable).parent))
    assert program is not None
    top = shell(world, program, "--help").stdout
    for name in ("import", "build", "diff", "schema", "batch", "version", "simulate"):
        assert re.search(rf"^  {name} ", top, re.M), name
