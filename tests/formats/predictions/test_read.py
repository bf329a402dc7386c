"""Files of predictions in the forms that tools write, read into one table."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.errors import BadInput
from lineage.formats.predictions import Known, read

ASSETS = ("a/one.jpg", "a/two.jpg", "000139.jpg")
CLASSES = ("cat", "dog")


def known(**told):
    return Known(ASSETS, CLASSES, size_of=lambda name: (200, 100), **told)


def rows_of(path, told=None):
    pieces = list(read(path, told or known()))
    rows = [row for piece in pieces for row in piece.predictions.to_pylist()]
    refused = [row for piece in pieces for row in piece.violations.to_pylist()]
    return rows, refused, frozenset().union(*(piece.images for piece in pieces))


def brief(rows):
    return [
        (r["asset"], r["class"], r["x_min"], r["y_min"], r["x_max"], r["y_max"], r["score"])
        for r in rows
    ]


def written(tmp_path, document, name="p.json"):
    path = tmp_path / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


TRUTH = {
    "images": [{"id": 7, "file_name": "a/one.jpg"}, {"id": 9, "file_name": "a/two.jpg"}],
    "categories": [{"id": 3, "name": "cat"}, {"id": 90, "name": "dog"}],
    "annotations": [],
}


def test_coco_results_mean_the_ids_of_their_ground_truth(tmp_path):
    truth = written(tmp_path, TRUTH, "truth.json")
    path = written(
        tmp_path,
        [{"image_id": 9, "category_id": 90, "bbox": [10, 20, 30, 40], "score": 0.5}],
    )
    rows, refused, images = rows_of(path, known(truth=truth))
    assert brief(rows) == [("a/two.jpg", "dog", 10, 20, 40, 60, 0.5)]
    assert (refused, images) == ([], {"a/two.jpg"})


def test_every_wrong_row_is_refused_with_its_place_and_the_others_are_read(tmp_path):
    truth = written(tmp_path, TRUTH, "truth.json")
    good = {"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.25}
    path = written(
        tmp_path,
        [
            good | {"image_id": 8},
            good | {"category_id": 4},
            good | {"bbox": [1, 2, 0, 4]},
            {key: good[key] for key in ("image_id", "category_id", "bbox")},
            good | {"bbox": [1, 2, 3]},
            good | {"score": "high"},
            good,
        ],
    )
    rows, refused, _ = rows_of(path, known(truth=truth))
    assert [row["position"] for row in rows] == [6]
    told = {row["position"]: row["rule"] for row in refused}
    assert told == {
        0: "unknown-image",
        1: "unknown-category",
        2: "geometry",
        3: "score",
        4: "geometry",
        5: "score",
    }


def test_masks_and_polygons_keep_their_geometry(tmp_path):
    truth = written(tmp_path, TRUTH, "truth.json")
    base = {"image_id": 7, "category_id": 3, "score": 0.5}
    path = written(
        tmp_path,
        [
            base | {"segmentation": [[0, 0, 10, 0, 10, 10]]},
            base | {"segmentation": {"size": [4, 4], "counts": [5, 2, 9]}, "bbox": [1, 1, 1, 2]},
        ],
    )
    rows, refused, _ = rows_of(path, known(truth=truth))
    assert refused == []
    assert [row["kind"] for row in rows] == ["polygon", "mask"]
    assert rows[0]["geometry"] == [[0, 0, 10, 0, 10, 10]]
    assert brief(rows)[1][2:6] == (1, 1, 2, 3)


@pytest.mark.parametrize(("first", "told"), [(0, None), (1, None)])
def test_ultralytics_numbers_begin_at_0_or_at_1_and_images_are_stems(tmp_path, first, told):
    path = written(
        tmp_path,
        [
            {"image_id": 139, "category_id": first, "bbox": [0, 0, 5, 5], "score": 0.9},
            {"image_id": "one", "category_id": first + 1, "bbox": [0, 0, 5, 5], "score": 0.8},
        ],
    )
    rows, refused, _ = rows_of(path, known(first_class=told))
    assert refused == []
    assert [(r["asset"], r["class"]) for r in rows] == [("000139.jpg", "cat"), ("a/one.jpg", "dog")]


def test_class_numbers_that_fit_both_are_refused_until_somebody_says(tmp_path):
    path = written(
        tmp_path, [{"image_id": "one", "category_id": 1, "bbox": [0, 0, 5, 5], "score": 0.9}]
    )
    with pytest.raises(BadInput) as caught:
        rows_of(path)
    assert caught.value.slug == "class-numbers"
    assert rows_of(path, known(first_class=0))[0][0]["class"] == "dog"
    assert rows_of(path, known(first_class=1))[0][0]["class"] == "cat"


OUTPUT = {"boxes": [[1, 2, 3, 4], [5, 6, 7, 9]], "labels": [0, 1], "scores": [0.5, 0.25]}
NOTHING = {"boxes": [], "labels": [], "scores": []}
FORMS = {
    "by name": {"one": OUTPUT, "two": NOTHING},
    "listed": [{"image": "a/one.jpg"} | OUTPUT, {"image": "a/two.jpg"} | NOTHING],
    "beside a list of names": {"images": ["one", "two"], "predictions": [OUTPUT, NOTHING]},
    "lines by name": "\n".join(map(json.dumps, [{"one": OUTPUT}, {"two": NOTHING}])) + "\n",
    "lines": "\n".join(map(json.dumps, [{"image": "one"} | OUTPUT, {"image": "two"} | NOTHING])),
}


@pytest.mark.parametrize("form", FORMS)
def test_torchvision_outputs_are_read_in_each_form(tmp_path, form):
    rows, refused, images = rows_of(written(tmp_path, FORMS[form]))
    assert refused == []
    assert brief(rows) == [
        ("a/one.jpg", "cat", 1, 2, 3, 4, 0.5),
        ("a/one.jpg", "dog", 5, 6, 7, 9, 0.25),
    ]
    assert images == {"a/one.jpg", "a/two.jpg"}, "an image on which nothing was found was looked at"


def test_torchvision_lists_of_unequal_lengths_are_refused(tmp_path):
    path = written(tmp_path, {"one": OUTPUT | {"scores": [0.5]}, "nine": NOTHING, "two": OUTPUT})
    rows, refused, _ = rows_of(path)
    assert len(rows) == 2
    assert sorted(row["rule"] for row in refused) == ["element", "unknown-image"]


def test_ultralytics_label_files_are_fractions_of_the_image(tmp_path):
    folder = tmp_path / "predict"
    (folder / "labels").mkdir(parents=True)
    (tmp_path / "data.yaml").write_text("names: {0: cat, 1: dog}\n")
    (folder / "labels" / "one.txt").write_text("1 0.5 0.5 0.1 0.2 0.875\n0 .1 .1 .2 .1 .2 .2 0.5\n")
    (folder / "labels" / "two.txt").write_text("0 0.5 0.5 0.1 0.2\nnan 1 1 1 1 1\n")
    (folder / "labels" / "nine.txt").write_text("0 0.5 0.5 0.1 0.2 0.5\n")
    told = Known(ASSETS, size_of=lambda name: (200, 100))
    rows, refused, images = rows_of(folder, told)
    assert brief(rows)[0] == ("a/one.jpg", "dog", 90, 40, 110, 60, 0.875)
    assert (rows[1]["kind"], rows[1]["geometry"]) == ("polygon", [[20, 10, 40, 10, 40, 20]])
    assert {(r["rule"], r["path"].split("/")[0]) for r in refused} == {
        ("no-score", "two.txt"),
        ("element", "two.txt"),
        ("unknown-image", "nine.txt"),
    }
    assert images == {"a/one.jpg", "a/two.jpg"}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_hold_boxes_or_whole_image_classes(tmp_path, ending):
    table = {"asset": ["one", "two"], "class": ["cat", "dog"], "score": [0.5, 1.0]}
    path = tmp_path / f"p.{ending}"
    if ending == "parquet":
        pq.write_table(pa.table(table), path)
    else:
        path.write_text("asset,class,score\none,cat,0.5\ntwo,dog,1\n")
    rows, refused, _ = rows_of(path)
    assert refused == []
    assert [(r["asset"], r["kind"], r["x_min"], r["score"]) for r in rows] == [
        ("a/one.jpg", "class", None, 0.5),
        ("a/two.jpg", "class", None, 1.0),
    ]


@pytest.mark.parametrize(
    ("name", "content", "slug"),
    [
        ("m.pt", "x", "predictions-format"),
        ("t.json", json.dumps(TRUTH), "predictions-format"),
        ("o.json", '{"loss": 3}', "predictions-format"),
        ("c.csv", "asset,class\none,cat\n", "predictions-format"),
        ("c.csv", "asset,class,score,x_min\none,cat,1,2\n", "predictions-format"),
    ],
)
def test_what_is_no_predictions_is_refused_with_a_way_out(tmp_path, name, content, slug):
    with pytest.raises(BadInput) as caught:
        rows_of(written(tmp_path, content, name))
    assert caught.value.slug == slug
    assert caught.value.hint


def test_a_folder_without_label_files_is_refused(tmp_path):
    with pytest.raises(BadInput) as caught:
        rows_of(tmp_path)
    assert caught.value.slug == "predictions-format"


@pytest.mark.parametrize("content", ["[]", "{}"])
def test_no_predictions_at_all_are_read_as_none(tmp_path, content):
    assert rows_of(written(tmp_path, content)) == ([], [], frozenset())


def test_a_stem_that_two_images_share_names_neither(tmp_path):
    told = Known(("a/x.jpg", "b/x.jpg"))
    path = written(tmp_path, "asset,class,score\nx,cat,1\na/x.jpg,cat,1\n", "p.csv")
    rows, refused, _ = rows_of(path, told)
    assert [row["asset"] for row in rows] == ["a/x.jpg"]
    assert [row["rule"] for row in refused] == ["unknown-image"]


_PLACE = st.integers(-50, 400).map(lambda n: n / 4)
_SIDE = st.integers(1, 400).map(lambda n: n / 4)
_ROW = st.tuples(
    st.sampled_from(ASSETS), st.sampled_from(CLASSES), _PLACE, _PLACE, _SIDE, _SIDE, _SIDE
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(told=st.lists(_ROW, min_size=1, max_size=8))
def test_the_same_predictions_are_read_from_every_form(tmp_path, told):
    corners = [(x, y, x + w, y + h) for _, _, x, y, w, h, _ in told]
    expected = sorted((a, c, *box, s) for (a, c, *_, s), box in zip(told, corners, strict=True))
    results = [
        {"image_id": a, "category_id": c, "bbox": [x, y, w, h], "score": s}
        for a, c, x, y, w, h, s in told
    ]
    by_image = {
        asset: [(box, one) for one, box in zip(told, corners, strict=True) if one[0] == asset]
        for asset in ASSETS
    }
    outputs = [
        {
            "image": asset,
            "boxes": [box for box, _ in rows],
            "labels": [one[1] for _, one in rows],
            "scores": [one[-1] for _, one in rows],
        }
        for asset, rows in by_image.items()
    ]
    lines = ["asset,class,x_min,y_min,x_max,y_max,score"]
    lines += [",".join(map(str, row)) for row in expected]
    for document, name in (
        (results, "r.json"),
        (outputs, "o.json"),
        ("\n".join(map(json.dumps, outputs)), "o.ndjson"),
        ("\n".join(lines) + "\n", "t.csv"),
    ):
        rows, refused, _ = rows_of(written(tmp_path, document, name))
        assert refused == [], name
        assert sorted(brief(rows)) == expected, name


def test_a_file_name_goes_before_an_id_that_may_be_another_images(tmp_path):
    truth = written(tmp_path, TRUTH, "truth.json")
    row = {"image_id": 7, "category_id": 3, "bbox": [0, 0, 5, 5], "score": 0.5}
    path = written(tmp_path, [row, row | {"file_name": "two.jpg"}, row | {"image_id": 139}])
    rows, refused, _ = rows_of(path, known(truth=truth))
    assert [one["asset"] for one in rows] == ["a/one.jpg", "a/two.jpg"]
    assert [(one["position"], one["rule"]) for one in refused] == [(2, "unknown-image")]


def test_an_image_that_stands_twice_keeps_its_first_output(tmp_path):
    path = written(tmp_path, [{"image": "one"} | OUTPUT, {"image": "a/one.jpg"} | OUTPUT])
    rows, refused, _ = rows_of(path)
    assert [row["position"] for row in rows] == [0, 0]
    assert [(one["position"], one["rule"]) for one in refused] == [(1, "duplicate")]


@pytest.mark.parametrize("name", ["p.json", "p.ndjson"])
def test_a_file_that_is_cut_off_is_refused(tmp_path, name):
    text = json.dumps(FORMS["listed"]) if name == "p.json" else FORMS["lines by name"]
    with pytest.raises(BadInput) as caught:
        rows_of(written(tmp_path, text[:-20], name))
    assert caught.value.slug == "unreadable-json"
