"""Versions whose annotations have lost their numbers, compared by content."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from lineage.activities import batches, infer, schemas, version
from lineage.activities.context import Project
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.errors import BadInput
from lineage.settings import Recipe
from tests.conftest import make_batch
from tests.exports import annotation, coco, label_studio, region

WHOLE = ImportOptions(is_whole=True)


def build(project: Project, tag: str, path: Path) -> None:
    """Import a file into a batch of its own and build a version of it."""
    import_labels(project, [path], tag, options=WHOLE)
    version.build(project, Recipe(batches=(tag,)), tag=tag, out=project.root / f"out-{tag}")


def test_tacos_three_versions_as_three_batches(project: Project, shared_data: Path) -> None:
    paths = sorted((shared_data / "taco").glob("v*.json"))
    draft = infer.infer(project.root, paths, name="taco")
    schemas.add(project, draft)
    schemas.lock(project, "taco@0.1")
    for number, path in enumerate(paths, start=1):
        batches.create(project, batches.BatchOrder(f"v{number}", "litter", "taco@0.1"))
        build(project, f"v{number}", path)
    by_number = version.diff(project, "v1", "v2").found.counts
    assert (by_number["n_added"], by_number["n_retracted"]) == (1827, 1827)
    first = version.diff(project, "v1", "v2", match="iou")
    assert (first.match, first.n_ambiguous) == ("iou", 0)
    assert first.found.table.num_rows == 0
    assert first.found.counts["n_unchanged"] == 1827
    second = version.diff(project, "v2", "v3", match="iou").found
    assert dict(second.counts) == {
        "n_added": 329, "n_retracted": 4, "n_reclassed": 8, "n_moved": 0,
        "n_attributes": 0, "n_restaged": 0, "n_unchanged": 1815,
    }  # fmt: skip
    merged = Counter(
        (row["class_from"], row["class_to"])
        for row in second.table.to_pylist()
        if row["change"] == "reclassed"
    )
    assert merged == {
        ("Produce bag", "Plastic Film"): 4,
        ("Retort pouch", "Other plastic wrapper"): 2,
        ("Bread bag", "Plastic Film"): 1,
        ("Cereal bag", "Plastic Film"): 1,
    }


def test_moves_renamings_and_doubts_are_told_across_batches(project: Project) -> None:
    make_batch(project, {"car": ["box"], "dog": ["box"]}, tag="old")
    batches.create(project, batches.BatchOrder("new", "detection", "things@1.0"))
    place = [10.0, 10.0, 50.0, 40.0]
    rows = [(i, f"{i}.png", "car", place) for i in range(5)]
    build(
        project,
        "old",
        coco(project.root / "1.json", [*rows, (9, "4.png", "car", [22.0, *place[1:]])]),
    )
    rows[1] = (1, "1.png", "car", [14.0, *place[1:]])
    rows[2] = (2, "2.png", "dog", place)
    rows[4] = (4, "4.png", "car", [16.0, *place[1:]])
    del rows[3]
    build(
        project,
        "new",
        coco(project.root / "2.json", [*rows, (7, "0.png", "dog", [300.0, 300, 20, 20])]),
    )
    found = version.diff(project, "old", "new", match="iou")
    assert dict(found.found.counts) == {
        "n_added": 1, "n_retracted": 2, "n_reclassed": 1, "n_moved": 2,
        "n_attributes": 0, "n_restaged": 0, "n_unchanged": 1,
    }  # fmt: skip
    assert found.n_ambiguous == 1
    told = {
        row["asset"]: row["identity"] for row in found.found.table.to_pylist() if row["identity"]
    }
    assert told == {"1.png": "content", "2.png": "content", "4.png": "ambiguous"}


def test_labels_of_one_annotator_are_paired_first_then_whoever_made_them(project: Project) -> None:
    make_batch(project, {"car": ["box"]}, tag="old")
    batches.create(project, batches.BatchOrder("new", "detection", "things@1.0"))

    def tasks(people: tuple[str, str], shift: float) -> list[tuple[str, list[dict[str, object]]]]:
        first = annotation(1, f"{people[0]}@x.example", [region("r", "car", 10, 10, 20, 20)])
        other = annotation(
            2, f"{people[1]}@x.example", [region("r", "car", 10 + shift, 10, 20, 20)]
        )
        return [("a.png", [first, other])]

    build(project, "old", label_studio(project.root / "1.json", tasks(("ann", "bob"), 2)))
    build(project, "new", label_studio(project.root / "2.json", tasks(("cy", "ann"), 0)))
    found = version.diff(project, "old", "new", match="iou").found
    rows = found.table.to_pylist()
    # ann's own label did not move, though cy's is the nearer one in the file's order
    assert [row["change"] for row in rows] == ["moved"]
    assert found.counts["n_unchanged"] == 1


def test_another_word_is_refused(project: Project) -> None:
    with pytest.raises(BadInput, match="expected annotation or iou"):
        version.diff(project, "1", "1", match="guess")
