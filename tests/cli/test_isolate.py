"""``lineage isolate`` as a person sees it, and that the commands it prints do what they say."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path

import numpy as np
import pytest

from lineage.activities.context import Project
from tests.activities.isolating import make, outcomes, table
from tests.cli.conftest import Run

pytestmark = pytest.mark.slow


def test_the_screen_says_who_how_much_and_what_to_do_next(
    run: Run, project: Project, tmp_path: Path
) -> None:
    made = make(project)
    root = project.root
    file = table(tmp_path / "o.csv", outcomes(made), "annotation", "disagrees")
    order = ("isolate", "--bad", "bad", "--good", "good", "--errors", str(file))
    ran = run(root, *order)
    assert ran.code == 0, ran.err
    first = next(line for line in ran.out.splitlines() if line.startswith("labels of"))
    assert first.startswith("labels of eve@a.example in batch b2: the good model contradicts 0.")
    assert made.pseudonym("eve") not in ran.out
    lines = [line.strip() for line in ran.out.splitlines()]
    again = next(line for line in lines if line.startswith("lineage isolate"))
    check = tmp_path / "check.csv"
    words = [str(check) if word == "recheck.csv" else word for word in shlex.split(again)[1:]]
    ran = run(root, *words)
    assert (ran.code, check.is_file()) == (0, True)
    assert "shuffled" in ran.out
    draws = [line.strip() for line in ran.out.splitlines() if "review draw" in line]
    assert len(draws) == 2
    for line in draws:
        words = [word.replace("NAME", "sara@a.example") for word in shlex.split(line)[1:]]
        ran = run(root, *words)
        assert ran.code == 0, ran.err
        assert ran.out.splitlines()[-1].startswith("packets: lineage review export draw-")
    without = next(line for line in lines if line.startswith("lineage recompute"))
    assert "annotator=eve@a.example batch=b2" in without
    ran = run(root, *shlex.split(without)[1:], "--tag", "without-eve")
    assert ran.code == 0, ran.err
    assert "labels left out" in ran.out


def test_files_hide_people_and_json_tells_the_same(
    run: Run, project: Project, tmp_path: Path
) -> None:
    made = make(project)
    root, eve = project.root, made.pseudonym("eve")
    file = table(tmp_path / "o.csv", outcomes(made), "annotation", "disagrees")
    out = tmp_path / "s.csv"
    order = ("isolate", "--bad", "bad", "--good", "good", "--errors", str(file), "--out", str(out))
    told = run(root, *order, "--json").json
    assert told["suspects"][0]["slice"] == {"annotator": "eve@a.example", "batch": "b2"}
    assert told["suspects"][0]["predicate"] == "annotator=eve@a.example batch=b2"
    with out.open() as rows:
        first = next(csv.DictReader(rows))
    assert first["slice"] == f"annotator {eve}, batch b2"
    assert [int(one) for one in first["check"].split()] == told["suspects"][0]["check"]
    hidden = run(root, *order, "--json", "--pseudonyms").json
    assert hidden["suspects"][0]["slice"]["annotator"] == eve
    run(root, *order, "--names")
    assert "eve@a.example" in out.read_text()
    assert len(run(root, *order, "--json", "--top", "1").json["suspects"]) == 1


def test_no_evidence_is_said_plainly_and_is_no_failure(
    run: Run, project: Project, tmp_path: Path
) -> None:
    made = make(project)
    rng = np.random.default_rng(6)
    rows = [{**row, "disagrees": int(rng.random() < 0.1)} for row in outcomes(made)]
    file = table(tmp_path / "o.csv", rows, "annotation", "disagrees")
    order = ("isolate", "--bad", "bad", "--good", "good", "--errors", str(file))
    ran = run(project.root, *order)
    assert ran.code == 0
    assert "no evidence against any slice: luck explains" in ran.out
    assert "recompute" not in ran.out
    ran = run(project.root, *order[:-2])
    assert (ran.code, "[isolate-files]" in ran.err) == (2, True)
