"""One id several times in a table: corrections in the order of their times."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from lineage.activities import trace
from lineage.activities.context import Project
from lineage.activities.ingest import ImportOptions, ImportReport, import_labels
from tests.conftest import make_batch

MAPPING = """
kind: box
box: xyxy
unit: px
columns: {id: id, asset: image, annotator: who, class: label, x_min: x1, y_min: y1, x_max: x2, y_max: y2, labelled_at: time}
"""
HEAD = "id,image,who,label,x1,y1,x2,y2,time"


@pytest.fixture
def boxes(project: Project) -> Project:
    make_batch(project, {"car": ["box"], "dog": ["box"]})
    return project


def put(project: Project, rows: list[str], *, identity: str = "auto") -> ImportReport:
    """Import rows of id, who, label, x1, day."""
    lines = [HEAD]
    for row in rows:
        key, who, label, x, day = row.split()
        time = "" if day == "-" else f"2026-03-{int(day):02d}T10:00:00Z"
        lines.append(f"{key},a.png,{who},{label},{x},10,{int(x) + 40},50,{time}")
    table = project.root / "labels.csv"
    table.write_text("\n".join(lines) + "\n")
    mapping = project.root / "map.yaml"
    mapping.write_text(MAPPING)
    options = ImportOptions(is_whole=True, map=Path(mapping), identity=identity)
    return import_labels(project, [table], "b1", options=options)


def summary(report: ImportReport) -> tuple[int, int, int, int]:
    return report.n_added, report.n_superseded, report.n_retracted, report.n_unchanged


def history(project: Project, annotation: int) -> list[tuple[str, str, float, str]]:
    """Return what revisions of an annotation say: operation, who, x_min, class."""
    names = trace.names_of(project)
    rows = cast(list[dict[str, Any]], trace.show(project, annotation)["revisions"])
    forerunners = [row["supersedes"] for row in rows[1:]]
    assert forerunners == [row["revision"] for row in rows[:-1]]
    return [
        (r["operation"], names[r["annotator"]].removeprefix("table:"), r["box"][0], r["class"])
        for r in rows
    ]


def test_a_correction_in_the_same_file_supersedes_in_the_order_of_times(boxes: Project) -> None:
    rows = ["7 cy dog 14 3", "8 ann car 200 1", "7 ann car 10 1", "7 bob car 12 2"]
    assert summary(put(boxes, rows)) == (2, 2, 0, 0)
    assert history(boxes, 2) == [
        ("add", "ann", 10, "car"),
        ("supersede", "bob", 12, "car"),
        ("supersede", "cy", 14, "dog"),
    ]
    assert len(history(boxes, 1)) == 1


def test_what_the_record_was_told_of_is_passed_over(boxes: Project) -> None:
    rows = ["7 ann car 10 1", "7 bob car 12 2", "9 ann car 300 1"]
    put(boxes, rows)
    assert summary(put(boxes, [*rows, "10 ann car 400 1"])) == (1, 0, 0, 3)
    later = [*rows, "7 ann car 16 4"]
    assert summary(put(boxes, later)) == (0, 1, 1, 3)
    assert [entry[1:3] for entry in history(boxes, 1)] == [("ann", 10), ("bob", 12), ("ann", 16)]


def test_a_chain_goes_on_from_an_earlier_import(boxes: Project) -> None:
    put(boxes, ["7 ann car 10 1", "8 ann car 200 1"])
    rows = ["7 ann car 10 1", "8 ann car 200 1", "7 bob car 12 2", "7 cy car 13 3"]
    assert summary(put(boxes, rows)) == (0, 2, 0, 2)
    assert [entry[1] for entry in history(boxes, 1)] == ["ann", "bob", "cy"]


def test_a_correction_of_the_newest_row_alone_is_one_revision(boxes: Project) -> None:
    put(boxes, ["7 ann car 10 1", "7 bob car 12 2"])
    assert summary(put(boxes, ["7 ann car 10 1", "7 bob car 13 2"])) == (0, 1, 0, 1)
    assert [entry[2] for entry in history(boxes, 1)] == [10, 12, 13]


def test_a_row_that_repeats_the_one_before_is_no_revision(boxes: Project) -> None:
    assert summary(put(boxes, ["7 ann car 10 1", "7 ann car 10 2", "7 bob car 10 3"])) == (
        1,
        1,
        0,
        1,
    )
    assert [entry[1] for entry in history(boxes, 1)] == ["ann", "bob"]


@pytest.mark.parametrize("days", [("-", "-"), ("1", "-"), ("2", "2")])
def test_without_an_order_an_id_names_nobody(boxes: Project, days: tuple[str, str]) -> None:
    rows = [f"7 ann car 10 {days[0]}", f"7 bob car 200 {days[1]}"]
    assert summary(put(boxes, rows)) == (2, 0, 0, 0)


def test_where_content_decides_there_are_no_chains(boxes: Project) -> None:
    rows = ["7 ann car 10 1", "7 bob car 12 2"]
    assert summary(put(boxes, rows, identity="content")) == (2, 0, 0, 0)


def test_a_long_chain_is_written_in_its_order(boxes: Project) -> None:
    days = [5, 3, 9, 1, 7, 2, 8, 4, 6]
    rows = [f"7 p{day} car {10 + day} {day}" for day in days]
    assert summary(put(boxes, rows)) == (1, 8, 0, 0)
    assert [entry[2] for entry in history(boxes, 1)] == [11, 12, 13, 14, 15, 16, 17, 18, 19]
