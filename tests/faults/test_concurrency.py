"""Many processes that write at once: each waits for its turn, nothing is lost, nothing is there twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import concurrency


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_writers_at_once(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = None if store == "sqlite" else request.getfixturevalue("postgres_store_url")
    row = concurrency.measure(tmp_path, [url], writers=4, imports=1, n_images=6)
    assert (row.lost, row.duplicated, row.busy, row.faults) == (0, 0, 0, [])
    assert row.labels > 100
