"""Sizes that the ledger knows, looked up by name."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from PIL import Image

from lineage import columns
from lineage.activities import assets
from lineage.activities.context import Project
from lineage.activities.ingest import import_labels
from lineage.activities.sizes import KnownSizes
from lineage.segments import Ledger
from tests.conftest import make_batch
from tests.exports import coco


def test_the_newest_size_that_is_on_record_holds(project: Project, tmp_path: Path) -> None:
    make_batch(project, {"car": ["box"]})
    path = coco(project.root / "1.json", [(1, "images/a.png", "car", [1.0, 1, 9, 9])])
    import_labels(project, [path], "b1")
    (tmp_path / "f" / "images").mkdir(parents=True)
    for name, size in (("a", (640, 480)), ("b", (30, 20))):
        Image.new("L", size).save(tmp_path / "f" / "images" / f"{name}.png")
    assets.add(project, tmp_path / "f")
    known = KnownSizes(project.ledger)
    assert known("images/a.png") == (640, 480)
    assert known("images/b.png") == (30, 20)
    assert known("b.png") is None
    assert known("") is None


def test_a_ledger_that_is_not_there_knows_nothing(tmp_path: Path) -> None:
    assert KnownSizes(Ledger(tmp_path / "ledger"))("a.png") is None


class _Segments(Ledger):
    """A ledger of many images whose facts are made as they are asked for."""

    n_scans = 0

    def scan(self, table: str, wanted: object = None, **_: object):  # type: ignore[no-untyped-def, override]
        self.n_scans += 1
        schema = columns.SEGMENT_ASSETS
        for start in range(0, 60_000, 20_000):
            numbers = range(start, start + 20_000)
            values = {
                "asset": list(numbers), "seq": 1, "is_new": True,
                "name": [f"camera-{n % 7}/{n:07d}.jpg" for n in numbers],
                "width": [n % 4000 + 1 for n in numbers], "height": [7 if n % 10 else None for n in numbers],
            }  # fmt: skip
            yield columns.batch_of(schema, values, 20_000).select(["name", "width", "height"])


def test_many_images_are_read_once_and_kept_small(tmp_path: Path) -> None:
    ledger = _Segments(tmp_path)
    ledger.segments.mkdir()
    known = KnownSizes(ledger)
    assert ledger.n_scans == 0
    tracemalloc.start()
    try:
        assert known("camera-1/0000001.jpg") == (2, 7)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 60_000 * 100
    for n in range(1, 60_000, 997):
        expected = (n % 4000 + 1, 7) if n % 10 else None
        assert known(f"camera-{n % 7}/{n:07d}.jpg") == expected
    assert known("camera-0/0000001.jpg") is None
    assert ledger.n_scans == 1


@pytest.mark.parametrize("name", ["", "\u00e9.png", "a" * 5000])
def test_any_name_may_be_asked_for(name: str, project: Project) -> None:
    assert KnownSizes(project.ledger)(name) is None
