"""``lineage report`` in a terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

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
