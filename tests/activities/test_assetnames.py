"""Which image is it: names on record, and names that lack an image's ending."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pytest

from lineage.activities import assetnames, trace
from lineage.activities.assetnames import same_images
from lineage.activities.context import Project, open_project
from lineage.activities.ingest import ImportOptions, import_labels
from tests.conftest import make_batch
from tests.exports import annotation, coco, label_studio, region

BOX = [10.0, 10.0, 50.0, 40.0]


@pytest.mark.parametrize(
    ("given", "recorded", "expected"),
    [
        (["a"], ["a.jpg"], {"a": "a.jpg"}),
        (["a.JPG"], ["a"], {"a.JPG": "a"}),
        (["a", "a.tiff"], [], {"a": "a.tiff"}),
        (["x/a", "y/a.png"], [], {}),
        (["a"], ["a.jpg", "a.png"], {}),
        (["a", "a.jpg", "a.png"], [], {}),
        (["a.png"], ["a", "a.jpg"], {}),
        (["a.xml"], ["a"], {}),
        (["a.jpg"], ["a.png"], {}),
        (["a.b"], ["a.b.webp"], {"a.b": "a.b.webp"}),
        (["a.jpg", "b"], ["b.gif"], {"b": "b.gif"}),
        ([], ["a"], {}),
    ],
)
def test_a_name_is_another_image_unless_only_an_ending_tells_them_apart(
    given: list[str], recorded: list[str], expected: dict[str, str]
) -> None:
    known = {name: 1 + recorded.index(name) for name in given if name in recorded}
    assert same_images(given, known, pa.array(recorded, pa.string())) == expected


def names(project: Project) -> list[str]:
    rows = project.ledger.read("assets", ("name", "is_new")).to_pylist()
    return sorted(row["name"] for row in rows if row["is_new"])


def put(project: Project, images: list[str], **more: object) -> tuple[int, int, int, int]:
    rows = [(i + 1, name, "car", BOX) for i, name in enumerate(images)]
    path = coco(project.root / "e.json", rows, **more)
    report = import_labels(project, [path], "b1", options=ImportOptions(is_whole=True))
    return report.n_assets, report.n_added, report.n_superseded, report.n_unchanged


def test_an_ending_that_comes_or_goes_changes_no_label(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    assert put(project, ["d/a", "d/b.png"]) == (2, 2, 0, 0)
    assert put(project, ["d/a.jpg", "d/b"]) == (2, 0, 0, 2)
    assert names(project) == ["d/a", "d/b.png"]
    (project.root / ".lineage" / "store.db").unlink()
    open_project(project.root)


def test_one_import_may_hold_both_names_and_a_rehearsal_says_the_same(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    one = label_studio(
        project.root / "1.json",
        [("a", [annotation(1, 1, [region("r", "car", 1, 1, 9, 9)])])],
    )
    other = label_studio(
        project.root / "2.json",
        [("a.png", [annotation(2, 2, [region("r", "car", 2, 1, 9, 9)])])],
    )
    for is_dry_run in (True, False):
        options = ImportOptions(is_dry_run=is_dry_run)
        report = import_labels(project, [one, other], "b1", options=options)
        assert (report.n_assets, report.n_added) == (1, 2)
    assert names(project) == ["a.png"]
    assert len(trace.blame(project, "a.png")["annotations"]) == 2  # type: ignore[arg-type]


def test_two_sizes_are_two_images(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    put(project, ["a"])
    path = project.root / "e.json"
    coco(path, [(1, "a.png", "car", BOX)])
    path.write_text(path.read_text().replace('"width": 640', '"width": 800'))
    import_labels(project, [path], "b1")
    assert names(project) == ["a", "a.png"]


def test_a_blood_count_with_and_without_endings(project: Project, shared_data: Path) -> None:
    """As three commits of its history do: <filename> gains .jpg, and no label changes."""
    make_batch(project, {"RBC": ["box"], "WBC": ["box"], "Platelets": ["box"]})
    whole = project.root / "bccd"
    whole.mkdir()
    for path in sorted((shared_data / "bccd" / "BCCD" / "Annotations").glob("*.xml"))[:20]:
        text = path.read_text()
        (whole / path.name).write_text(text.replace(".jpg</filename>", "</filename>"))
    options = ImportOptions(is_whole=True, format="voc")
    first = import_labels(project, [whole], "b1", options=options)
    for path in whole.glob("*.xml"):
        path.write_text(path.read_text().replace("</filename>", ".jpg</filename>"))
    again = import_labels(project, [whole], "b1", options=options)
    assert (first.n_added, again.n_unchanged, again.n_added) == (first.n_added, first.n_added, 0)
    assert first.n_added > 200
    assert len(names(project)) == 20


@pytest.mark.slow
def test_two_million_names_take_seconds() -> None:
    given = [f"camera-{i % 64}/{i:08d}" for i in range(2_000_000)]
    recorded = pa.array([name + ".jpg" for name in given])
    started = time.perf_counter()
    found = assetnames.same_images(given, {}, recorded)
    assert len(found) == 2_000_000
    assert time.perf_counter() - started < 60
