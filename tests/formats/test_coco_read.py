"""COCO in: what real files and hostile ones hold, and what becomes of it."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from lineage import columns
from lineage.errors import BadInput
from lineage.formats import ReadOptions
from lineage.formats.coco import rle
from lineage.formats.coco.read import read

Json = dict[str, object]


@dataclass
class Found:
    """All chunks of a file together."""

    labels: list[Json] = field(default_factory=list)
    assets: list[Json] = field(default_factory=list)
    roster: list[Json] = field(default_factory=list)
    violations: list[Json] = field(default_factory=list)
    losses: Counter[str] = field(default_factory=Counter)
    sizes: list[int] = field(default_factory=list)

    @property
    def rules(self) -> list[object]:
        return [violation["rule"] for violation in self.violations]

    def box(self, row: int = 0) -> list[object]:
        return [self.labels[row][name] for name in columns.BOX]

    def extra(self, row: int = 0) -> Json:
        text = self.labels[row]["extra"]
        return {} if text is None else json.loads(str(text))


def found_in(path: Path, **options: object) -> Found:
    found = Found()
    for chunk in read(path, ReadOptions(**options)):  # type: ignore[arg-type]
        for name, schema in (
            ("labels", columns.LABELS),
            ("assets", columns.ASSETS),
            ("roster", columns.ROSTER),
            ("violations", columns.VIOLATIONS),
        ):
            batch = getattr(chunk, name)
            batch.validate(full=True)
            assert batch.schema == schema
            getattr(found, name).extend(batch.to_pylist())
        found.losses.update(chunk.losses)
        found.sizes.append(chunk.labels.num_rows)
    return found


IMAGE: Json = {"id": 7, "file_name": "a.jpg", "width": 100, "height": 80}
BOX: Json = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40]}


def document(
    *annotations: Mapping[str, object], images: Sequence[Json] = (IMAGE,), **more: object
) -> Json:
    categories = [{"id": 3, "name": "cat"}, {"id": 90, "name": "dog"}]
    return {
        "images": list(images),
        "annotations": list(annotations),
        "categories": categories,
        **more,
    }


def stored(folder: Path, content: object) -> Path:
    path = folder / "instances.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def read_back(folder: Path, *annotations: Mapping[str, object], **options: object) -> Found:
    return found_in(stored(folder, document(*annotations)), **options)


# plain reading


def test_a_box_becomes_one_label_with_its_corners(tmp_path: Path) -> None:
    found = read_back(tmp_path, BOX)
    assert found.box() == [10, 20, 40, 60]
    label = found.labels[0]
    assert (label["asset"], label["class"], label["kind"]) == ("a.jpg", "cat", "box")
    assert (label["source_id"], label["position"], label["origin"]) == ("1", 0, "human")
    assert label["geometry"] is None
    assert label["annotator"] is None
    assert label["attributes"] == "{}"
    assert found.assets == [
        {"name": "a.jpg", "uri": None, "width": 100, "height": 80, "digest": None, "n_bytes": None}
    ]
    assert [(row["asset"], row["annotator"], row["presence"]) for row in found.roster] == [
        ("a.jpg", None, "labelled")
    ]
    assert not found.violations
    assert not found.losses


def test_annotations_may_come_before_images_and_categories(tmp_path: Path) -> None:
    turned = dict(reversed(document(BOX, info={"annotations": ["no"]}).items()))
    turned = {"annotations": turned.pop("annotations"), **turned}
    assert len(found_in(stored(tmp_path, turned)).labels) == 1


def test_a_polygon_of_several_parts_keeps_them_and_takes_their_common_hull(tmp_path: Path) -> None:
    parts = [[10, 20, 30, 20, 30, 40], [50, 5, 60, 5, 60, 15, 50.5, 15]]
    found = read_back(
        tmp_path, {**BOX, "segmentation": parts, "bbox": [10, 5, 50, 35]}, BOX | {"id": 2}
    )
    assert [row["kind"] for row in found.labels] == ["polygon", "box"]
    assert found.labels[0]["geometry"] == parts
    assert found.box() == [10, 5, 60, 40]
    assert found.labels[0]["extra"] is None


def test_a_box_that_contradicts_its_outline_is_kept_beside_it(tmp_path: Path) -> None:
    found = read_back(tmp_path, {**BOX, "segmentation": [[10, 20, 30, 20, 30, 40]]})
    assert found.box() == [10, 20, 30, 40]
    assert found.extra() == {"bbox": [10, 20, 30, 40]}


@pytest.mark.parametrize("segmentation", [[], [[]], [[], []], None])
def test_an_outline_without_points_leaves_the_box(tmp_path: Path, segmentation: object) -> None:
    found = read_back(tmp_path, {**BOX, "segmentation": segmentation})
    assert [row["kind"] for row in found.labels] == ["box"]


def test_a_polygon_needs_no_box(tmp_path: Path) -> None:
    row = {"id": 1, "image_id": 7, "category_id": 3, "segmentation": [[0, 0, 4, 0, 4, 3]]}
    found = read_back(tmp_path, row)
    assert found.box() == [0, 0, 4, 3]


def test_key_points_are_the_geometry_and_box_and_outline_stay_beside(tmp_path: Path) -> None:
    points = [0, 0, 0, 10, 30, 1, 40, 20, 2]
    row = {**BOX, "keypoints": points, "num_keypoints": 2, "segmentation": [[1, 2, 3, 4, 5, 6]]}
    found = read_back(tmp_path, row)
    assert found.labels[0]["kind"] == "keypoints"
    assert found.labels[0]["geometry"] == [points]
    assert found.box() == [10, 20, 40, 30]
    assert found.extra() == {"bbox": [10, 20, 30, 40], "segmentation": [[1, 2, 3, 4, 5, 6]]}


def test_key_points_nobody_placed_leave_the_box_and_are_kept(tmp_path: Path) -> None:
    found = read_back(
        tmp_path,
        {**BOX, "keypoints": [0, 0, 0]},
        {**BOX, "id": 2, "keypoints": [5, 6, 0]},
        {**BOX, "id": 3, "keypoints": [5, 6, -1]},
    )
    assert [row["kind"] for row in found.labels] == ["box"] * 3
    assert [found.extra(row) for row in range(3)] == [
        {},
        {"keypoints": [5, 6, 0]},
        {"keypoints": [5, 6, -1]},
    ]


def test_kinds_of_one_chunk_keep_their_order(tmp_path: Path) -> None:
    runs = {"size": [80, 100], "counts": [0, 80, 7920]}
    rows = [
        {**BOX, "id": 1, "segmentation": runs},
        {**BOX, "id": 2},
        {**BOX, "id": 3, "segmentation": [[0, 0, 9, 0, 9, 9]]},
        {**BOX, "id": 4, "keypoints": [1, 2, 2]},
        {**BOX, "id": 5, "segmentation": [[1, 1, 2, 1]]},
        {**BOX, "id": 6, "segmentation": [[0, 0, 8, 0, 8, 8]], "iscrowd": 1},
        {**BOX, "id": 7},
    ]
    found = read_back(tmp_path, *rows)
    told = [
        (row["source_id"], row["kind"], row["geometry"], row["position"]) for row in found.labels
    ]
    assert told == [
        ("1", "mask", [[80, 100], [0, 80, 7920]], 0),
        ("2", "box", None, 1),
        ("3", "polygon", [[0, 0, 9, 0, 9, 9]], 2),
        ("4", "keypoints", [[1, 2, 2]], 3),
        ("6", "polygon", [[0, 0, 8, 0, 8, 8]], 5),
        ("7", "box", None, 6),
    ]
    assert found.extra(4)["iscrowd"] == 1
    assert [(v["annotation"], v["path"], v["position"]) for v in found.violations] == [
        ("5", "/segmentation/0", 4)
    ]


# masks


@settings(max_examples=60, deadline=None)
@given(mask=hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_masks_decode_and_hull_as_pycocotools_says(mask: np.ndarray) -> None:
    height, width = mask.shape
    text = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    runs = rle.counts_of(text, height, width)
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape((height, width), order="F")
    assert (pixels == mask).all()
    assert rle.compressed(runs) == text
    hull = rle.hull(runs, height)
    if not mask.any():
        assert hull is None
        return
    y, x = np.nonzero(mask)
    assert hull == (x.min(), y.min(), x.max() + 1, y.max() + 1)


@settings(max_examples=60, deadline=None)
@given(runs=st.lists(st.integers(0, 1 << 27), min_size=1, max_size=12))
def test_long_run_lengths_survive_compression(runs: list[int]) -> None:
    text = rle.compressed(np.array(runs))
    decoded = coco_mask.frPyObjects(
        {"size": [1, sum(runs) or 1], "counts": runs}, 1, sum(runs) or 1
    )
    assert decoded["counts"].decode() == text
    assert rle._decompressed(text).tolist() == runs


def test_a_run_that_wraps_into_the_next_column_spans_the_whole_height(tmp_path: Path) -> None:
    runs = [79, 2, 7919]
    found = read_back(tmp_path, {**BOX, "segmentation": {"size": [80, 100], "counts": runs}})
    assert found.box() == [0, 0, 2, 80]


def test_compressed_and_plain_run_lengths_are_one_mask(tmp_path: Path) -> None:
    text = rle.compressed(np.array([80, 40, 7880]))
    plain = {**BOX, "segmentation": {"size": [80, 100], "counts": [80, 40, 7880]}}
    short = {**BOX, "id": 2, "segmentation": {"size": [80, 100], "counts": text}}
    found = read_back(tmp_path, plain, short)
    assert found.labels[0]["geometry"] == found.labels[1]["geometry"] == [[80, 100], [80, 40, 7880]]


@pytest.mark.parametrize(
    ("size", "counts"),
    [
        ([80, 100], [8001]),
        ([80, 100], [10, 10]),
        ([80, 100], [8010, -10]),
        ([80, 100], "\x7f\x7f"),
        ([80, 100], "é"),
        ([80, 100], ""),
        ([80, 100], "o" * 40),
        ([80, 100], [8000]),
        ([80, 100], [10**30]),
        ([80, 100], [2**62, 2**62, 2**62, 2**62, 8000]),
        ([100, 80], [0, 8000]),
        ([0, 0], []),
        ([-80, -100], [0, 8000]),
    ],
)
def test_a_mask_that_does_not_fill_its_image_is_a_violation(
    tmp_path: Path, size: list[int], counts: object
) -> None:
    found = read_back(
        tmp_path, {**BOX, "segmentation": {"size": size, "counts": counts}}, BOX | {"id": 2}
    )
    assert found.rules == ["geometry"]
    assert str(found.violations[0]["path"]).startswith("/segmentation/")
    assert [row["source_id"] for row in found.labels] == ["2"]


def test_a_mask_of_absurd_size_is_refused_before_memory_is_spent(tmp_path: Path) -> None:
    image = {"id": 7, "file_name": "a.jpg"}
    row = {**BOX, "segmentation": {"size": [10**9, 10**9], "counts": [10**18]}}
    found = found_in(stored(tmp_path, document(row, images=[image])))
    assert found.rules == ["geometry"]


# who, when, how


@pytest.mark.parametrize(
    ("keys", "handle"),
    [
        ({"annotator": "ann"}, "ann"),
        ({"annotator": 12}, "12"),
        ({"annotator": 0}, "0"),
        ({"created_by": "ben"}, "ben"),
        ({"attributes": {"annotator": "cy"}}, "cy"),
        ({"extra": {"annotator": "di"}}, "di"),
        ({"attributions": {"annotator": "ed"}}, "ed"),
        ({"annotator": "ann", "created_by": "ben"}, "ann"),
        ({"annotator": ""}, "someone"),
        ({"annotator": None}, "someone"),
        ({"annotator": True}, "someone"),
        ({"annotator": {"name": "x"}}, "someone"),
        ({}, "someone"),
    ],
)
def test_the_annotator_is_who_the_file_names(tmp_path: Path, keys: Json, handle: str) -> None:
    found = read_back(tmp_path, {**BOX, **keys}, annotator="someone")
    assert found.labels[0]["annotator"] == handle
    assert found.roster[0]["annotator"] == handle
    assert not found.violations


def test_a_file_that_names_nobody_names_nobody(tmp_path: Path) -> None:
    named = stored(tmp_path, document(BOX))
    assert found_in(named).labels[0]["annotator"] is None
    by_file = found_in(named, annotator="x", annotator_of_file={"instances.json": "vendor"})
    assert by_file.labels[0]["annotator"] == "vendor"


def test_an_annotator_named_elsewhere_stays_in_the_attributes(tmp_path: Path) -> None:
    found = read_back(
        tmp_path,
        {**BOX, "annotator": "ann", "attributes": {"annotator": "cy", "b": 1}},
        {**BOX, "id": 2, "attributes": {"annotator": "cy", "b": 1, "a": [2.5, "é"]}},
    )
    assert found.labels[0]["attributes"] == '{"annotator":"cy","b":1}'
    assert found.labels[1]["attributes"] == '{"a":[2.5,"é"],"b":1}'


@pytest.mark.parametrize("value", [1e20, 1e-7, 0.1, 5, 12345678.5, -0.0])
def test_attributes_are_canonical_as_the_ledger_writes_numbers(
    tmp_path: Path, value: float
) -> None:
    found = read_back(tmp_path, {**BOX, "attributes": {"v": value, "a": {"d": 1, "c": 2}}})
    expected = json.dumps({"a": {"c": 2, "d": 1}, "v": value}, separators=(",", ":"))
    assert found.labels[0]["attributes"] == expected


def test_each_image_is_on_the_roster_once_for_each_person(tmp_path: Path) -> None:
    images = [IMAGE, {"id": 8, "file_name": "b.jpg"}, {"id": 9, "file_name": "c.jpg"}]
    rows = [
        {**BOX, "id": at, "image_id": image, "annotator": who}
        for at, (image, who) in enumerate([(7, "a"), (7, "b"), (8, "a"), (7, "a"), (7, None)])
    ]
    path = stored(tmp_path, document(*rows, images=images))
    for chunk_rows in (65_536, 1, 2):
        found = found_in(path, chunk_rows=chunk_rows)
        told = sorted((str(row["asset"]), str(row["annotator"])) for row in found.roster)
        assert told == [("a.jpg", "None"), ("a.jpg", "a"), ("a.jpg", "b"), ("b.jpg", "a")]
        assert found.losses == {"image-without-labels": 1}
        assert max(found.sizes) <= chunk_rows


def test_when_a_label_was_made_is_what_names_its_zone(tmp_path: Path) -> None:
    found = read_back(
        tmp_path,
        {**BOX, "id": 1, "created_at": "2024-01-02T03:04:05Z"},
        {
            **BOX,
            "id": 2,
            "created_at": "2024-01-02T03:04:05+02:00",
            "updated_at": "2024-02-02T03:04:05.25Z",
        },
        {**BOX, "id": 3, "labelled_at": "2024-01-02 03:04:05"},
        {**BOX, "id": 4},
        {**BOX, "id": 5, "annotated_at": "2024-05-06T07:08:09Z", "updated_at": "yesterday"},
        {**BOX, "id": 6, "created_at": 1700000000},
    )
    times = [row["labelled_at"] for row in found.labels]
    assert times[:2] == [
        datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
        datetime(2024, 2, 2, 3, 4, 5, 250_000, UTC),
    ]
    assert times[2:] == [None, None, datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), None]
    assert found.losses == {"naive-time": 1}
    assert found.extra(0) == {}
    assert found.extra(1)["created_at"] == "2024-01-02T03:04:05+02:00"
    assert found.extra(2) == {"labelled_at": "2024-01-02 03:04:05"}
    assert found.extra(5) == {"created_at": 1700000000}


def test_when_a_photo_was_taken_is_not_when_it_was_labelled(tmp_path: Path) -> None:
    image = {**IMAGE, "date_captured": "2013-11-14T17:02:52Z"}
    found = found_in(stored(tmp_path, document(BOX, images=[image])))
    assert found.labels[0]["labelled_at"] is None


def test_a_score_that_nobody_owns_is_a_models(tmp_path: Path) -> None:
    found = read_back(
        tmp_path,
        {**BOX, "score": 0.5},
        {**BOX, "id": 2, "score": 0.25, "annotator": "ann"},
        {**BOX, "id": 3, "attributions": {"origin": "consensus"}},
        {**BOX, "id": 4, "attributions": {"origin": "oracle"}},
    )
    assert [row["origin"] for row in found.labels] == ["model", "human", "consensus", "human"]
    assert [row["score"] for row in found.labels] == [0.5, 0.25, None, None]
    assert len(found.roster) == 2


def test_a_file_of_detections_only_puts_nobody_on_the_roster(tmp_path: Path) -> None:
    found = read_back(tmp_path, {**BOX, "score": 0.5})
    assert found.roster == []
    assert not found.losses


def test_keys_of_the_exporters_own_are_kept(tmp_path: Path) -> None:
    own = {"track_id": 4, "others": {"x": [1]}, "tags": ["a"], "iscrowd": 1, "ignore": 1}
    found = read_back(
        tmp_path, {**BOX, **own}, {**BOX, "id": 2, "iscrowd": True, "ignore": 0, "area": 1}
    )
    assert found.extra(0) == own
    assert found.extra(1) == {"iscrowd": 1}


# references between elements


def test_one_image_may_have_many_ids(tmp_path: Path) -> None:
    images = [{**IMAGE, "id": at} for at in range(3)]
    rows = [{**BOX, "id": at, "image_id": at} for at in range(3)]
    found = found_in(stored(tmp_path, document(*rows, images=images)))
    assert {row["asset"] for row in found.labels} == {"a.jpg"}
    assert len(found.labels) == 3
    assert len(found.roster) == 1


def test_an_id_of_two_images_belongs_to_neither(tmp_path: Path) -> None:
    images = [IMAGE, {"id": 7, "file_name": "b.jpg"}, {"id": 8, "file_name": "c.jpg"}, IMAGE]
    found = found_in(
        stored(tmp_path, document(BOX, {**BOX, "id": 2, "image_id": 8}, images=images))
    )
    assert [row["asset"] for row in found.labels] == ["c.jpg"]
    assert found.rules == ["duplicate-id", "duplicate-id", "unknown-image"]


def test_two_categories_of_one_name_are_one_class(tmp_path: Path) -> None:
    content = document(BOX, {**BOX, "id": 2, "category_id": 4})
    content["categories"] = [{"id": 3, "name": "cat"}, {"id": 4, "name": "cat"}]
    found = found_in(stored(tmp_path, content))
    assert [row["class"] for row in found.labels] == ["cat", "cat"]


def test_a_category_id_of_two_names_is_refused(tmp_path: Path) -> None:
    content = document(BOX)
    content["categories"] = [{"id": 3, "name": "cat"}, {"id": 3, "name": "dog"}]
    with pytest.raises(BadInput, match="two names"):
        found_in(stored(tmp_path, content))


@pytest.mark.parametrize(
    "ids", [["a", "b", "a"], [1, 2, 1], [2**40, -5, 2**40], [10**30, "1", 10**30]]
)
@pytest.mark.parametrize("chunk_rows", [1, 100])
def test_the_second_of_two_equal_ids_is_a_violation(
    tmp_path: Path, ids: list[object], chunk_rows: int
) -> None:
    found = read_back(tmp_path, *({**BOX, "id": key} for key in ids), chunk_rows=chunk_rows)
    assert [row["source_id"] for row in found.labels] == [str(key) for key in ids[:2]]
    assert found.rules == ["duplicate-id"]
    assert found.violations[0]["position"] == 2
    assert json.loads(str(found.violations[0]["label"]))["id"] == ids[2]


def test_ids_may_be_missing_and_text_is_not_a_number(tmp_path: Path) -> None:
    nameless = {name: value for name, value in BOX.items() if name != "id"}
    found = read_back(tmp_path, nameless, nameless, {**BOX, "id": "1"}, BOX)
    assert [row["source_id"] for row in found.labels] == [None, None, "1", "1"]
    assert not found.violations


def test_string_ids_hold_a_file_together(tmp_path: Path) -> None:
    images: list[Json] = [{"id": "007", "file_name": "a.jpg"}]
    content = document({**BOX, "image_id": "007", "category_id": "c"}, images=images)
    content["categories"] = [{"id": "c", "name": "cat"}]
    assert found_in(stored(tmp_path, content)).labels[0]["class"] == "cat"


@pytest.mark.parametrize(
    ("change", "rule", "path"),
    [
        ({"image_id": 99}, "unknown-image", "/image_id"),
        ({"image_id": None}, "unknown-image", "/image_id"),
        ({"category_id": 4}, "unknown-category", "/category_id"),
        ({"category_id": None}, "unknown-category", "/category_id"),
        ({"bbox": None}, "geometry", "/bbox"),
        ({"bbox": []}, "geometry", "/bbox"),
        ({"bbox": [1, 2, 3]}, "geometry", "/bbox"),
        ({"bbox": [1, 2, 3, 4, 5]}, "geometry", "/bbox"),
        ({"bbox": ["1", 2, 3, 4]}, "element", "/annotations/0"),
        ({"bbox": "1 2 3 4"}, "element", "/annotations/0"),
        ({"bbox": [float("nan"), 2, 3, 4]}, "not-finite", "/bbox"),
        ({"bbox": [1, 2, float("inf"), 4]}, "not-finite", "/bbox"),
        ({"bbox": [1e308, 2, 1e308, 4]}, "not-finite", "/bbox"),
        ({"segmentation": [[1, 2, 3, 4]]}, "geometry", "/segmentation/0"),
        (
            {"segmentation": [[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6, 7]]},
            "geometry",
            "/segmentation/1",
        ),
        ({"segmentation": [[1, 2, 3, 4, 5, float("nan")]]}, "not-finite", "/segmentation"),
        ({"segmentation": [1, 2, 3, 4, 5, 6]}, "element", "/annotations/0"),
        ({"segmentation": {"size": [80, 100]}}, "element", "/annotations/0"),
        ({"keypoints": [1, 2, 2, 4]}, "geometry", "/keypoints"),
        ({"keypoints": [float("inf"), 2, 2]}, "not-finite", "/keypoints"),
        ({"id": 1.5}, "element", "/annotations/0"),
    ],
)
def test_what_cannot_become_a_label_is_a_violation_and_the_rest_go_on(
    tmp_path: Path, change: Json, rule: str, path: str
) -> None:
    found = read_back(tmp_path, {**BOX, **change}, {**BOX, "id": 2})
    assert found.rules == [rule]
    violation = found.violations[0]
    assert (violation["path"], violation["position"]) == (path, 0)
    assert "bbox" in json.loads(str(violation["label"])) or change.get("bbox", 1) is None
    assert [row["source_id"] for row in found.labels] == ["2"]


def test_odd_values_beside_the_geometry_do_not_cost_the_label(tmp_path: Path) -> None:
    odd = {
        "area": "big",
        "score": "high",
        "iscrowd": "no",
        "created_at": 5,
        "attributes": [1],
        "num_keypoints": 1.5,
    }
    found = read_back(tmp_path, {**BOX, **odd})
    assert found.extra() == odd
    assert found.labels[0]["score"] is None


def test_negative_and_empty_boxes_are_handed_on_for_the_rules_to_judge(tmp_path: Path) -> None:
    found = read_back(tmp_path, {**BOX, "bbox": [-5, -6, 0, -3]})
    assert found.box() == [-5, -6, -5, -9]


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\photos\\a.jpg", "a\x00b", "a\nb", ""])
def test_a_name_that_leaves_its_folder_is_a_violation(tmp_path: Path, name: str) -> None:
    found = found_in(stored(tmp_path, document(BOX, images=[{"id": 7, "file_name": name}])))
    assert found.rules == ["asset-name", "unknown-image"]
    assert not found.assets


def test_image_addresses_become_names(tmp_path: Path) -> None:
    names = ["dir\\a b.jpg", "https://x.org/p/c%20d.jpg?k=1", "s3://bucket/key.png"]
    images: list[Json] = [{"id": at, "file_name": name} for at, name in enumerate(names)]
    found = found_in(stored(tmp_path, document(images=images)))
    assert [(row["name"], row["uri"]) for row in found.assets] == [
        ("dir/a b.jpg", names[0]),
        ("p/c d.jpg", names[1]),
        ("s3://bucket/key.png", None),
    ]


def test_an_image_that_cannot_be_read_is_a_violation(tmp_path: Path) -> None:
    images: list[Json] = [
        {"id": 1},
        {"file_name": "x.jpg"},
        {"id": 2, "file_name": "y.jpg", "width": "wide"},
        IMAGE,
    ]
    found = found_in(stored(tmp_path, document(BOX, images=images)))
    assert found.rules == ["image"] * 3
    assert len(found.labels) == 1


def test_image_sizes_that_are_no_sizes_are_unknown(tmp_path: Path) -> None:
    images: list[Json] = [
        {"id": 1, "file_name": "x", "width": 1e18, "height": None},
        {"id": 2, "file_name": "y", "width": 640.0, "height": 480},
    ]
    found = found_in(stored(tmp_path, document(images=images)))
    assert [(row["width"], row["height"]) for row in found.assets] == [(None, None), (640, 480)]


@pytest.mark.parametrize(
    "keys", [{"annotator": "@"}, {"attributes": {"@": 1}}, {"own": "@"}, {"bbox": "@"}]
)
def test_half_a_surrogate_pair_costs_only_the_label_that_holds_it(
    tmp_path: Path, keys: Json
) -> None:
    text = json.dumps(document({**BOX, **keys}, {**BOX, "id": 2, "own": "\U0001f431"}))
    found = found_in(stored(tmp_path, text.replace("@", "\\ud83d")))
    assert found.rules == ["element"]
    assert [row["source_id"] for row in found.labels] == ["2"]
    assert found.extra() == {"own": "\U0001f431"}


def test_half_a_surrogate_pair_names_neither_image_nor_class(tmp_path: Path) -> None:
    text = json.dumps(document(BOX))
    assert found_in(stored(tmp_path, text.replace("a.jpg", "\\ud83d"))).rules == [
        "image",
        "unknown-image",
    ]
    with pytest.raises(BadInput, match="surrogate"):
        found_in(stored(tmp_path, text.replace('cat"', '\\ud83d"')))


# whole files


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([BOX], "an array"),
        ({"info": {}}, "an object with the keys"),
        ({"images": {}, "annotations": []}, "'images' begins"),
        ({"images": [], "annotations": None}, "'annotations' begins"),
        (document(BOX, categories=[{"id": 1}]), "no name"),
        (document(BOX, categories=["cat"]), "category"),
        (document({"image_id": 7, "file_name": "a.png", "segments_info": []}), "panoptic"),
        (document({"id": 1, "image_id": 7, "caption": "a cat"}), "captions"),
    ],
)
def test_other_files_are_refused_by_what_they_are(
    tmp_path: Path, content: object, told: str
) -> None:
    with pytest.raises(BadInput, match=told) as caught:
        found_in(stored(tmp_path, content))
    assert caught.value.slug == "wrong-shape"
    assert caught.value.where


@pytest.mark.parametrize("cut", [10, 60, 150, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, cut: int) -> None:
    text = json.dumps(document(BOX))
    with pytest.raises(BadInput) as caught:
        found_in(stored(tmp_path, text[:cut]))
    assert caught.value.slug == "unreadable-json"


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    deep = '{"images":[],"annotations":[' + '{"a":' * 5000 + "1" + "}" * 5000 + "]}"
    with pytest.raises(BadInput) as caught:
        found_in(stored(tmp_path, deep))
    assert caught.value.slug == "too-deep"


def test_images_alone_are_images_nobody_answered_for(tmp_path: Path) -> None:
    found = found_in(stored(tmp_path, {"images": [IMAGE]}))
    assert len(found.assets) == 1
    assert found.roster == []
    assert found.losses == {"image-without-labels": 1}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"id": st.integers(0, 3) | JUNK, "image_id": st.just(7), "category_id": st.just(3)},
            optional={
                name: JUNK
                for name in ("bbox", "segmentation", "keypoints", "iscrowd", "score", "attributes",
                             "annotator", "created_at", "extra", "attributions", "other")
            },
        ),
        max_size=5,
    )
)  # fmt: skip
def test_whatever_stands_in_a_field_every_annotation_is_a_label_or_a_violation(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Json]
) -> None:
    path = stored(tmp_path_factory.mktemp("junk"), document(*rows))
    found = found_in(path)
    places = [row["position"] for row in found.labels] + [
        row["position"] for row in found.violations
    ]
    assert sorted(places) == list(range(len(rows)))  # type: ignore[type-var]


# real files


@pytest.mark.parametrize(
    ("name", "n_images", "n_labels", "n_classes"),
    [
        ("taco/v1-56bdab81.json", 715, 1827, 60),
        ("taco/v2-a56f6cb4.json", 715, 1827, 60),
        ("taco/v3-a35e9445.json", 715, 2152, 57),
        ("voc100/coco_format_v1/instances_default.json", 100, 273, 20),
    ],
)
def test_published_files_read_whole(
    shared_data: Path, name: str, n_images: int, n_labels: int, n_classes: int
) -> None:
    path = shared_data / name
    found = found_in(path)
    told = json.loads(path.read_text("utf-8"))
    assert (len(found.assets), len(found.labels)) == (n_images, n_labels)
    assert len({row["class"] for row in found.labels}) == n_classes
    assert not found.violations
    expected = Counter(str(row["id"]) for row in told["annotations"])
    assert Counter(row["source_id"] for row in found.labels) == expected
    if name.startswith("taco"):
        assert {row["kind"] for row in found.labels} == {"polygon"}
        assert all(
            label["geometry"] == row["segmentation"]
            for label, row in zip(found.labels, told["annotations"], strict=True)
        )


def test_label_studios_own_coco_export_reads(shared_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared_data / "label_studio_live" / "export_COCO.zip") as archive:
        archive.extract("result.json", tmp_path)
    found = found_in(tmp_path / "result.json")
    assert (len(found.labels), len(found.assets)) == (90, 32)
    assert len({row["name"] for row in found.assets}) == 12
    assert {row["annotator"] for row in found.labels} == {None}
    assert not found.violations


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("coco_instances/annotations/instances_val.json", {"polygon": 1, "mask": 1}),
        ("coco/annotations/stuff_val.json", {"mask": 1}),
        ("coco_person_keypoints/annotations/person_keypoints_train.json", {"keypoints": 1}),
        ("coco_person_keypoints/annotations/person_keypoints_val.json", {"keypoints": 2}),
        ("coco_image_info/annotations/image_info_val.json", {}),
        ("coco_labels/annotations/labels_val.json", {}),
    ],
)
def test_dialects_of_small_exports_read(
    shared_data: Path, name: str, kinds: dict[str, int]
) -> None:
    found = found_in(shared_data / "tool_exports_small" / "coco_dataset" / name)
    assert Counter(row["kind"] for row in found.labels) == kinds
    assert set(found.rules) <= {"geometry"}


@pytest.mark.parametrize("name", ["panoptic_val", "captions_val"])
def test_other_tasks_of_small_exports_are_refused(shared_data: Path, name: str) -> None:
    path = shared_data / "tool_exports_small" / "coco_dataset" / "coco" / "annotations"
    with pytest.raises(BadInput, match=name.split("_", maxsplit=1)[0]):
        found_in(path / f"{name}.json")


def test_geometry_columns_have_the_declared_type() -> None:
    assert columns.LABELS.field("geometry").type == pa.list_(pa.list_(pa.float64()))
