"""``lineage report`` in a terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lineage.activities.context import open_project
from tests.activities.isolating import make, outcomes, table
from tests.cli.conftest import Run


def test_it_says_what_it_wrote_and_how_people_stand_on_it(run: Run, project_root: Path) -> None:
    ran = run(project_root, "report", "--out", "here/page.html")
    assert ran.code == 0
    assert f"wrote {project_root.resolve() / 'here' / 'page.html'}" in ran.out
    assert "people by pseudonym: --names shows them" in ran.out
    assert "by name" in run(project_root, "report", "--names").out


@pytest.mark.slow
def test_the_page_for_dvc_comes_with_the_word_that_turns_it_on(
    run: Run, project_root: Path
) -> None:
    ran = run(project_root, "report", "--dvc-plots")
    assert "dvc config plots.html_template plots/page.html" in ran.out
    assert (project_root / ".dvc" / "plots" / "page.html").stat().st_size > 500_000


def test_without_what_draws_nothing_is_written(
    run: Run, project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    ran = run(project_root, "report", "--dvc-plots")
    assert (ran.code, "[extra-missing]" in ran.err) == (3, True)
    assert run(project_root, "report").code == 3
    assert not (project_root / "reports").exists()
    assert "pip install 'lineage[report]'" in ran.err
    assert not (project_root / ".dvc" / "plots").exists()


@pytest.mark.slow
def test_two_runs_make_a_page_of_suspects_and_it_says_whether_there_is_evidence(
    run: Run, project_root: Path
) -> None:
    made = make(open_project(project_root, agent="tess@team.example"))
    table(project_root / "o.csv", outcomes(made), "annotation", "disagrees")
    asked = ("report", "--isolate", "bad", "good", "--errors", str(project_root / "o.csv"))
    ran = run(project_root, *asked)
    assert ran.code == 0
    assert ran.out.startswith("evidence; ")
    assert f"wrote {project_root.resolve() / 'reports' / 'isolate.html'}" in ran.out
    assert "where the other images are: --images DIR" in ran.out
    assert "people by pseudonym: --names shows them" in ran.out
    told = json.loads(run(project_root, "--json", *asked, "--names").out)
    assert (told["evidence"], told["names"], told["n_pictured"]) == (True, "handles", 0)
    assert told["n_shown"] > 0
    assert len(told["lists"]) == 7


def test_files_of_outcomes_and_selections_belong_to_one_page_each(
    run: Run, project_root: Path
) -> None:
    ran = run(project_root, "report", "--errors", "o.csv")
    assert (ran.code, "go with --isolate BAD GOOD" in ran.err) == (2, True)
    ran = run(project_root, "report", "--isolate", "bad", "good", "--batch", "b1")
    assert (ran.code, "no selection" in ran.err) == (2, True)
    assert not (project_root / "reports").exists()
