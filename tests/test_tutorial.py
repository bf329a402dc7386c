"""The tutorial's commands, run as they stand there, and what they print held against the page.

python -m tests.test_tutorial    run them and put what they print into the page
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "tutorials" / "regression.md"
HOME_ON_THE_PAGE = "/home/you"
LEFT_OUT = "..."
BLOCK = re.compile(r"^```\n(\$ .*?)^```$", re.S | re.M)
NUMBER = re.compile(r"(?<![\w.-])[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?!\.?\w|-)")
PASSING = re.compile(
    r"\b[0-9a-f]{12,64}\b|\ba-[a-z2-7]{16}\b|\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ|(?<= in )\d+\.\d s\b"
    r"|(?<=\bp = )[^,]+|(?<=disputes: )[^;]+"
)
"""What is another in every run: digests, pseudonyms, the clock."""
DRAWN = re.compile(r"lineage review|DIGITS answer|grep again:")
"""Commands that count labels of which the versions' digests decide which are drawn."""


@dataclass
class Step:
    """A command of the page and what it prints there."""

    command: str
    printed: list[str] = field(default_factory=list)


def steps(block: str) -> list[Step]:
    """Return the commands of a block, ``$ command`` continued by ``> ``, with their output."""
    found: list[Step] = []
    is_command = False
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:]))
            is_command = True
        elif is_command and line.startswith("> "):
            found[-1].command += f"\n{line[2:]}"
        else:
            found[-1].printed.append(line)
            is_command = False
    return found


def rewritten(page: str, shell: Shell) -> str:
    """Return the page with what its commands print now."""

    def block(found: re.Match[str]) -> str:
        parts = []
        for step in steps(found[1]):
            command = step.command.replace("\n", "\n> ")
            parts.append(f"$ {command}\n{shell.run(step.command)}")
        return f"```\n{''.join(parts)}```"

    return BLOCK.sub(block, page)


class Shell:
    """Runs commands one after the other; directory and environment live on from one to the next."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.home.mkdir()
        self._notes = root / "after"
        self.directory = str(REPOSITORY)
        # one thread: the suite's workers share the cores
        own = {
            "HOME": str(self.home),
            "LINEAGE_AGENT": "you@digits.example",
            "OMP_NUM_THREADS": "1",
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**os.environ, **own, "PATH": path, "DVC_NO_ANALYTICS": "true"}

    def run(self, command: str) -> str:
        """Run a command that must succeed in silence on standard error, and return what it prints."""
        script = f'{command}\ncode=$?; pwd > "{self._notes}.cwd"; env -0 > "{self._notes}.env"; exit $code'
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.directory,
            env=self._environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        assert done.stderr == "", command
        self.directory = Path(f"{self._notes}.cwd").read_text().strip()
        told = Path(f"{self._notes}.env").read_text().split("\0")
        self._environment = dict(one.split("=", 1) for one in told if "=" in one)
        return done.stdout.replace(str(self.home), HOME_ON_THE_PAGE)


def told(line: str) -> tuple[str, list[float]]:
    """Return a line's words without what passes, and its numbers."""
    plain = " ".join(PASSING.sub("*", line).split())
    numbers = [float(one.replace(",", "")) for one in NUMBER.findall(plain)]
    return NUMBER.sub("#", plain), numbers


def is_alike(expected: str, found: str, *, is_drawn: bool = False) -> bool:
    """Tell whether two lines say the same in about the same numbers."""
    (words, numbers), (found_words, found_numbers) = told(expected), told(found)
    return words == found_words and all(
        is_near(a, b, is_drawn=is_drawn) for a, b in zip(numbers, found_numbers, strict=True)
    )


def is_near(a: float, b: float, *, is_drawn: bool) -> bool:
    """Tell whether two numbers may stand for one another; nought is nought unless it was drawn."""
    if is_drawn:
        return math.isclose(a, b, rel_tol=0.5, abs_tol=6)
    if a == int(a) and b == int(b):
        return a == b or (min(a, b) > 0 and math.isclose(a, b, rel_tol=0.05, abs_tol=1))
    return math.isclose(a, b, rel_tol=0.05, abs_tol=0.03)


def differences(expected: list[str], found: list[str], *, is_drawn: bool = False) -> Iterator[str]:
    """Yield lines of the page that are not found, in their order; ``...`` stands for any lines."""
    at, is_open = 0, False
    for line in expected:
        if line == LEFT_OUT:
            is_open = True
            continue
        near = range(at, len(found)) if is_open else range(at, min(at + 1, len(found)))
        hit = next(
            (place for place in near if is_alike(line, found[place], is_drawn=is_drawn)), None
        )
        if hit is None:
            yield f"the page: {line}\nfound:    {found[at] if at < len(found) else 'the end'}"
        at, is_open = (at + 1 if hit is None else hit + 1), False
    if at < len(found) and not is_open:
        yield f"the page ends before: {found[at]}"


def test_a_page_is_compared_by_words_and_by_numbers() -> None:
    page = "# x\n```\n$ one\na 0.988 b\n> c\n$ for x; do\n>   two\n> done\n```\n```sh\n$ no\n```\n"
    (block,) = BLOCK.findall(page)
    assert [(step.command, step.printed) for step in steps(block)] == [
        ("one", ["a 0.988 b", "> c"]),
        ("for x; do\n  two\ndone", []),
    ]
    assert is_alike(
        "of 342 held out 13 wrong: accuracy 0.962", "of 342 held out 12 wrong: accuracy 0.965"
    )
    assert not is_alike("13 wrong: accuracy 0.962", "13 wrong: accuracy 0.902")
    assert not is_alike("annotator=bruno batch=w04", "annotator=bruno batch=w05")
    assert not is_alike("annotator=bruno batch=w04", "annotator=chen batch=w04")
    assert not is_alike("0 retracted", "1 retracted")
    assert is_alike("0 of 100", "2 of 100", is_drawn=True)
    assert is_alike("version 3262150aa4d8: 5", "version a2621f0aa4d8: 5")
    assert not list(differences(["a", "...", "d"], ["a", "b", "c", "d"]))
    assert list(differences(["a", "d"], ["a", "b", "d"]))
    assert list(differences(["a"], ["a", "b"]))


@pytest.mark.slow
def test_the_tutorial_names_the_planted_fault_and_gets_the_accuracy_back(tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    done = [step for block in BLOCK.findall(page) for step in steps(block)]
    assert len(done) > 15
    shell = Shell(tmp_path)
    wrong = []
    for step in done:
        found = shell.run(step.command).splitlines()
        is_drawn = DRAWN.search(step.command) is not None
        told_apart = differences(step.printed, found, is_drawn=is_drawn)
        wrong += [f"$ {step.command}\n{one}" for one in told_apart]
    assert not wrong, "\n".join(wrong)

    # the page could be wrong together with the program: what was planted is in the second round's files
    project = shell.home / "digits"
    culprits = [row for tag in ("w02", "w03", "w04") for row in changed(project, tag)]
    assert (
        sum(row["annotator"].startswith("bruno") and row["batch"] == "w03" for row in culprits) > 20
    )
    asked = "lineage --json isolate --bad bad --good good --predictions-good predictions/good.csv"
    report = json.loads(shell.run(asked))
    first = report["suspects"][0]
    assert report["evidence"]
    assert first["slice"] == {"annotator": "bruno@digits.example", "batch": "w03"}
    assert first["effect_lo"] > 0.1
    proof = first["recheck"]
    assert proof["n"] == 40
    assert proof["n_wrong"] > 10 * proof["n_wrong_controls"]
    assert proof["p_value"] < 1e-6
    runs = {
        run["run"]: run["metrics"]
        for run in json.loads(shell.run("lineage --json run list"))["runs"]
    }
    accuracy = {name: told["accuracy"] for name, told in runs.items()}
    assert accuracy["bad"] < accuracy["good"] - 0.04
    assert accuracy["repaired"] > accuracy["good"] - 0.01


def changed(project: Path, tag: str) -> list[dict[str, str]]:
    """Return rows of a batch's second round whose digit is not that of the first."""
    rounds = []
    for name in ("first", "second"):
        with (project / "exports" / name / f"{tag}.csv").open(newline="") as file:
            rounds.append({row["id"]: row for row in csv.DictReader(file)})
    return [
        {**row, "batch": tag}
        for number, row in rounds[1].items()
        if row["digit"] != rounds[0][number]["digit"]
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        PAGE.write_text(rewritten(PAGE.read_text("utf-8"), Shell(Path(scratch))), "utf-8")
