"""Tables of outcomes that somebody else worked out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineage.errors import BadInput
from lineage.formats.predictions import Known
from lineage.formats.predictions.outcomes import is_outcomes, read

ANNOTATIONS = np.array([5, 6, 7, 8])


def told(path):
    pieces = list(read(path, asset_of=Known(("a.jpg", "b.jpg")).asset_of, annotations=ANNOTATIONS))
    rows = [row for one in pieces for row in one.outcomes.to_pylist()]
    return rows, [row for one in pieces for row in one.violations.to_pylist()]


def test_errors_of_two_runs_by_image_and_class(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("asset,class,good,bad\na.jpg,cat,0,1\nb,cat,0.25,0.5\n")
    rows, refused = told(path)
    assert refused == []
    assert [(r["annotation"], r["asset"], r["class"], r["good"], r["bad"]) for r in rows] == [
        (None, "a.jpg", "cat", 0.0, 1.0),
        (None, "b.jpg", "cat", 0.25, 0.5),
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_disagreement_by_label(tmp_path, ending):
    path = tmp_path / f"d.{ending}"
    if ending == "csv":
        path.write_text("annotation,disagrees\n5,1\n7,0\n")
    else:
        pq.write_table(pa.table({"annotation": [5, 7], "disagrees": [True, False]}), path)
    rows, refused = told(path)
    assert refused == []
    assert [(r["annotation"], r["disagrees"], r["good"]) for r in rows] == [
        (5, 1.0, None),
        (7, 0.0, None),
    ]


def test_all_that_is_wrong_is_refused_each_row_once_with_its_line(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text(
        "annotation,good,bad\n5,0,1\n5,1,1\n9,0,0\n6,0,1.5\n7,,1\n8,x,2\n,0,0\n8,-0.1,0\n7,1,1\n"
    )
    rows, refused = told(path)
    assert [row["annotation"] for row in rows] == [5, 7]
    assert [
        (r["position"], r["rule"], r["path"]) for r in sorted(refused, key=lambda r: r["position"])
    ] == [
        (3, "duplicate", "/annotation"),
        (4, "unknown-annotation", "/annotation"),
        (5, "not-a-fraction", "/bad"),
        (6, "empty", "/good"),
        (7, "not-a-number", "/good"),
        (8, "unknown-annotation", "/annotation"),
        (9, "not-a-fraction", "/good"),
    ]


def test_units_that_nobody_knows_are_refused(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("asset,class,good,bad\nz.jpg,cat,0,1\na.jpg,,0,1\na.jpg,cat,0,1\na,cat,0,1\n")
    rows, refused = told(path)
    assert len(rows) == 1
    assert [row["rule"] for row in refused] == ["unknown-image", "empty", "duplicate"]


@pytest.mark.parametrize(
    "header",
    ["asset,good,bad", "annotation,good", "annotation,bad", "asset,class,score", "class,good,bad"],
)
def test_columns_that_tell_no_outcome_are_refused(tmp_path, header):
    path = tmp_path / "e.csv"
    path.write_text(header + "\n" + ",".join("1" for _ in header.split(",")) + "\n")
    with pytest.raises(BadInput) as caught:
        told(path)
    assert caught.value.slug == "outcomes-columns"


def test_outcomes_are_told_from_predictions_by_their_columns(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("asset,class,score\n")
    assert not is_outcomes(path)
    path.write_text("annotation,disagrees\n")
    assert is_outcomes(path)
