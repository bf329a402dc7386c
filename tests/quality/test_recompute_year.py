"""Weeks of history, and every version of them again in a clone without a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.recompute_year import year


@pytest.mark.slow
def test_every_version_of_four_weeks_comes_out_byte_for_byte_in_a_clone(tmp_path: Path) -> None:
    done = year(tmp_path, n_weeks=4, n_images=80)
    assert {tag for entry in done.versions for tag in entry["tags"]} == {
        "week-01", "week-02", "week-03", "week-04"
    }  # fmt: skip
    assert len({entry["version"] for entry in done.versions}) == 4
    assert [entry["differs"] for entry in done.versions] == [[]] * 4
    assert not done.has_store
