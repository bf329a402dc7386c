"""Tables into the ledger: corrections by another person, rosters, what a schema refuses."""

from __future__ import annotations

from lineage.activities import trace
from lineage.activities.context import Project
from lineage.activities.ingest import ImportOptions, ImportReport, import_labels
from tests.conftest import make_batch

MAPPING = """
kind: box
columns: {id: id, asset: image, annotator: who, class: label, x_min: x1, y_min: y1, x_max: x2,
  y_max: y2, labelled_at: time}
attributes: [sure]
types: {sure: boolean}
"""
HEAD = "id,image,who,label,x1,y1,x2,y2,time,sure\n"


def imported(project: Project, name: str, rows: str) -> ImportReport:
    table, mapping = project.root / name, project.root / "map.yaml"
    table.write_text(HEAD + rows)
    mapping.write_text(MAPPING)
    return import_labels(project, [table], "b1", options=ImportOptions(format="table", map=mapping))


def test_a_row_whose_id_is_known_is_a_correction_by_whoever_made_it(project: Project) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    first = imported(
        project,
        "one.csv",
        "07,a.jpg,ann,cat,0,0,10,10,2026-01-01T00:00:00Z,true\n"
        "08,a.jpg,ann,cat,50,50,60,60,2026-01-01T00:00:00Z,\n",
    )
    assert (first.n_added, first.n_rejected) == (2, 0)
    second = imported(project, "two.csv", "07,a.jpg,bob,dog,0,0,10,10,2026-01-02T00:00:00Z,true\n")
    assert (second.n_added, second.n_superseded) == (0, 1)
    shown = trace.show(project, 1)
    names = trace.names_of(project)
    told = [(names[r["annotator"]], r["class"], r["operation"]) for r in shown["revisions"]]
    assert told == [("table:ann", "cat", "add"), ("table:bob", "dog", "supersede")]


def test_corrections_within_one_file_follow_their_times(project: Project) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    done = imported(
        project,
        "one.csv",
        "9,a.jpg,ann,cat,0,0,10,10,2026-01-01T00:00:00Z,\n"
        "9,a.jpg,bob,cat,1,0,10,10,2026-01-02T00:00:00Z,\n"
        "9,a.jpg,cid,dog,1,1,10,10,2026-01-03T00:00:00Z,\n",
    )
    assert (done.n_added, done.n_superseded) == (1, 2)


def test_repeats_with_ids_of_their_own_stay_apart(project: Project) -> None:
    make_batch(project, {"cat": ["box"]})
    row = "a.jpg,ann,cat,0,0,10,10,2026-01-01T00:00:00Z,\n"
    done = imported(project, "one.csv", f"1,{row}2,{row}3,{row}")
    assert (done.n_added, done.n_superseded) == (3, 0)
    assert imported(project, "two.csv", f"1,{row}2,{row}3,{row}").n_unchanged == 3
