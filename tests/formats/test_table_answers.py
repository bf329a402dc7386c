"""Rows that are answers: several labels in one, paths into JSON, who was asked, how far images are."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from lineage.errors import BadInput
from lineage.formats.table.paths import decoded, steps_of, walk
from tests.formats.tables import CLASSES, Json, found_in, with_


def sheet(names: list[str], *rows: list[object]) -> str:
    """Return a CSV; what is no text becomes JSON."""
    text = io.StringIO()
    cells = [[c if isinstance(c, str) else json.dumps(c) for c in row] for row in rows]
    csv.writer(text).writerows([names, *cells])
    return text.getvalue()


# paths


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("", [{"a": [1, {"b": 2}], "c d": {"x": 3, "y": 4}, "n": None}]),
        (".n", []),
        (".a[0]", [1]),
        (".a[1].b", [2]),
        (".a[7]", []),
        (".a[*]", [1, {"b": 2}]),
        ('."c d".x', [3]),
        (".c d.x", [3]),
        (".c d.*", [3, 4]),
        (".a[b=2]", [{"b": 2}]),
        (".a[b=1|2].b", [2]),
        ('.a[b="2"].b', [2]),
        (".a[b=9]", []),
        (".a.b", []),
        (".z", []),
    ],
)
def test_paths_lead_to_every_value_at_their_end(path: str, values: list[object]) -> None:
    steps = steps_of(path)
    assert steps is not None
    assert walk({"a": [1, {"b": 2}], "c d": {"x": 3, "y": 4}, "n": None}, steps) == values


@pytest.mark.parametrize("path", ["a", ".a[", ".a]", ".a[x]", "..", ".a.", ".a[b=", '."', ".a[-1]"])
def test_what_is_no_path_is_told_apart(path: str) -> None:
    assert steps_of(path) is None


def test_words_of_a_path_may_hold_any_sign_in_quotes() -> None:
    steps = steps_of('[label="Is it, or [isn\'t] it?"|"a|b"].value')
    assert steps is not None
    assert steps[0].values == ("Is it, or [isn't] it?", "a|b")


def test_tuples_are_read_as_lists_and_nonsense_is_refused() -> None:
    assert decoded("[((1, 2.5), (3, 4))]") == [[[1, 2.5], [3, 4]]]
    for text in ("(1, 2", "", "[" * 100_000, "None"):
        with pytest.raises(ValueError):  # noqa: PT011
            decoded(text)


# several labels in a row

LIST: Json = {
    "kind": "box",
    "each": "boxes",
    "columns": {"id": "id", "asset": "image", "annotator": "who", "box": "."},
    "constants": {"class": "thing"},
}


def test_a_list_of_boxes_is_one_label_each_and_an_empty_one_an_answer(tmp_path: Path) -> None:
    rows = sheet(
        ["id", "image", "who", "boxes"],
        ["01", "a", "ann", "[([1.0, 2], [3, 4]), ([5, 6], [7, 8])]"],
        ["02", "a", "bob", "[]"],
        ["03", "b", "ann", ""],
        ["04", "b", "bob", "[[[1, 2], [3]]]"],
        ["05", "b", "cat", "[1, 2"],
    )
    found = found_in(tmp_path, rows, LIST)
    assert [(row["source_id"], row["annotator"]) for row in found.labels] == [
        ("01/0", "ann"),
        ("01/1", "ann"),
    ]
    assert found.boxes == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert [(row["source_id"], row["presence"]) for row in found.answers] == [
        ("01", "labelled"),
        ("02", "empty"),
        ("03", "empty"),
        # a box that was refused was drawn all the same
        ("04", "labelled"),
    ]
    assert [(line, rule, path) for line, rule, path, _ in found.wrong] == [
        (5, "not-a-box", "."),
        (6, "not-json", "boxes"),
    ]


def test_labels_of_a_row_stay_in_one_chunk(tmp_path: Path) -> None:
    boxes = [[[0, 0], [n, n]] for n in range(1, 6)]
    rows = sheet(["id", "image", "who", "boxes"], *([str(n), "a", "x", boxes] for n in range(4)))
    found = found_in(tmp_path, rows, LIST, chunk_rows=7)
    assert [chunk.labels.num_rows for chunk in found.chunks] == [5, 5, 5, 5, 0]
    found = found_in(tmp_path, rows, LIST, chunk_rows=2)
    assert len(found.labels) == 20
    assert len(found.answers) == 4


ZOO = ["classification_id", "user_name", "workflow_version", "gold_standard", "metadata",
       "annotations", "subject_data"]  # fmt: skip


def answer(
    key: str, tasks: list[Json], *, name: str = "x.jpg", version: str = "33.10"
) -> list[object]:
    """Return a row of Zooniverse's."""
    metadata = {"started_at": "2017-01-06T20:36:21.5Z", "finished_at": "2017-01-06T20:36:54Z"}
    return [key, "not-logged-in-1f", version, "", metadata, tasks, {"77": {"Filename": name}}]


SURVEY: Json = {
    "kind": "class",
    "each": "annotations[task=T3|T0].value",
    "columns": {
        "id": "classification_id",
        "asset": "subject_data.*.Filename",
        "annotator": "user_name",
        "class": ".choice",
        "labelled_at": "metadata.finished_at",
        "started_at": "metadata.started_at",
    },
    "attributes": {"how_many": ".answers.HOWMANY", "weather": 'annotations[task_label="Weather, now?"].value'},
    "extra": {"workflow_version": "workflow_version"},
    "types": {"how_many": "integer"},
    "values": {"class": {"NOTHINGHERE": None}},
}  # fmt: skip


def test_task_keys_may_change_between_versions_and_labels_stay_themselves(tmp_path: Path) -> None:
    weather = {"task": "T9", "task_label": "Weather, now?", "value": "Clear"}
    deer = {"choice": "DEER", "answers": {"HOWMANY": "2"}}
    rows = sheet(
        ZOO,
        answer("1", [{"task": "T3", "value": [deer, {"choice": "ELK", "answers": {}}]}, weather]),
        answer("2", [{"task": "T0", "value": [{"choice": "NOTHINGHERE"}]}], name="y.jpg"),
        answer("3", [{"task": "T5", "value": [deer]}], version="33.1"),
    )
    found = found_in(tmp_path, rows, SURVEY)
    assert [(row["source_id"], row["class"]) for row in found.labels] == [
        ("1/0", "DEER"),
        ("1/1", "ELK"),
    ]
    assert found.attributes(0) == {"how_many": 2, "weather": "Clear"}
    assert found.attributes(1) == {"weather": "Clear"}
    assert found.extra() == {"workflow_version": "33.10"}
    assert found.labels[0]["lead_time_s"] == 32.5
    assert [(row["asset"], row["source_id"], row["presence"]) for row in found.answers] == [
        ("x.jpg", "1", "labelled"),
        ("y.jpg", "2", "empty"),
        ("x.jpg", "3", "empty"),
    ]
    assert found.answers[0]["lead_time_s"] == 32.5
    assert found.losses == {"column-not-carried: gold_standard": 3}


def test_a_path_with_several_ends_is_refused_and_not_cut(tmp_path: Path) -> None:
    rows = sheet(["image", "tasks"], ["a", [{"v": "cat"}]], ["b", [{"v": "cat"}, {"v": "dog"}]])
    mapping = with_(CLASSES, columns={"class": "tasks[*].v"})
    found = found_in(tmp_path, rows, mapping)
    assert found.classes == ["cat"]
    assert found.wrong == [(3, "several-values", "tasks[*].v", '["cat","dog"]')]


def test_a_column_with_points_in_its_name_is_a_column(tmp_path: Path) -> None:
    rows = "image,ann.label,ann\na,cat,\n"
    assert found_in(tmp_path, rows, with_(CLASSES, columns={"class": "ann.label"})).classes == [
        "cat"
    ]
    nested = sheet(["image", "ann.x"], ["a", {"label": "dog"}])
    mapping = with_(CLASSES, columns={"class": "ann.x.label"})
    assert found_in(tmp_path, nested, mapping).classes == ["dog"]
    with pytest.raises(BadInput, match=r"class: 'an\.x\.label'"):
        found_in(tmp_path, nested, with_(CLASSES, columns={"class": "an.x.label"}))


def test_ndjson_nests_the_same_way(tmp_path: Path) -> None:
    row = {"image": "a", "by": {"name": "ann"}, "boxes": [{"l": "cat", "b": [1, 2, 3, 4]}]}
    mapping = {
        "kind": "box", "each": "boxes",
        "columns": {"asset": "image", "annotator": "by.name", "class": ".l", "box": ".b"},
    }  # fmt: skip
    found = found_in(tmp_path, json.dumps(row) + "\n", mapping)
    assert (found.classes, found.boxes) == (["cat"], [[1, 2, 3, 4]])
    assert found.labels[0]["annotator"] == "ann"


# who was asked

PEOPLE = with_(CLASSES, columns={"annotator": "who"})


def test_repeats_by_one_person_are_kept_with_ids_of_their_own(tmp_path: Path) -> None:
    rows = "n,image,who,label\n1,a,ann,cat\n2,a,ann,cat\n3,a,ann,dog\n"
    found = found_in(tmp_path, rows, with_(PEOPLE, columns={"id": "n"}))
    assert [(r["source_id"], r["class"]) for r in found.labels] == [
        ("1", "cat"),
        ("2", "cat"),
        ("3", "dog"),
    ]
    assert found.roster == [("a", "ann", "labelled")]


def test_a_roster_file_names_those_who_found_nothing(tmp_path: Path) -> None:
    (tmp_path / "asked.csv").write_text(
        "who,image,day\nann,a,1\nbob,a,1\nann,b,2\nann,b,2\n,b,2\nann,,3\n"
    )
    rows = "image,who,label\na,ann,cat\nc,cid,dog\n"
    found = found_in(tmp_path, rows, {**PEOPLE, "roster": "asked.csv"})
    assert found.roster == [
        ("a", "ann", "labelled"),
        ("c", "cid", "labelled"),
        ("a", "bob", "empty"),
        ("b", "ann", "empty"),
        ("b", None, "empty"),
    ]
    assert {row["name"] for row in found.assets} == {"a", "b", "c"}
    assert found.notes["not-on-roster"] == "1 pairs of image and annotator have labels"
    assert found.losses == {"roster-row-without-asset": 1}


def test_a_roster_file_may_name_its_columns_as_the_fields(tmp_path: Path) -> None:
    (tmp_path / "asked.csv").write_text("asset,annotator\nb,ann\na,ann\n")
    rows = sheet(["id", "image", "who", "boxes"], ["1", "a", "ann", [[1, 2, 3, 4]]])
    found = found_in(tmp_path, rows, {**LIST, "roster": "asked.csv"})
    assert found.roster == [("a", "ann", "labelled"), ("b", "ann", "empty")]


@pytest.mark.parametrize(
    ("name", "content", "slug"),
    [("none.csv", None, "no-such-file"), ("asked.csv", "img,who\na,b\n", "no-such-column")],
)
def test_a_roster_that_cannot_be_read_is_refused(
    tmp_path: Path, name: str, content: str | None, slug: str
) -> None:
    if content:
        (tmp_path / name).write_text(content)
    with pytest.raises(BadInput) as caught:
        found_in(tmp_path, "image,who,label\na,ann,cat\n", {**PEOPLE, "roster": name})
    assert caught.value.slug == slug


def test_an_empty_row_never_outweighs_a_label_of_the_same_two(tmp_path: Path) -> None:
    rows = "image,who,label\na,ann,\nb,ann,cat\na,ann,cat\nb,ann,\nc,ann,\nc,ann,\n"
    for chunk_rows in (100, 1):
        found = found_in(tmp_path, rows, PEOPLE, chunk_rows=chunk_rows)
        assert sorted(found.roster) == [
            ("a", "ann", "labelled"),
            ("b", "ann", "labelled"),
            ("c", "ann", "empty"),
        ]


def test_many_pairs_are_told_once_each(tmp_path: Path) -> None:
    pairs = [(f"i{n % 97}", f"p{n % 31}") for n in range(2000)]
    rows = "image,who,label\n" + "".join(f"{a},{p},cat\n" for a, p in pairs)
    found = found_in(tmp_path, rows, PEOPLE, chunk_rows=64)
    assert len(found.roster) == len(set(pairs)) == len(set(found.roster))


def test_presence_says_what_became_of_an_answer(tmp_path: Path) -> None:
    rows = "image,who,label,did\na,ann,cat,done\nb,ann,,skip\nc,ann,dog,skip\nd,ann,,todo\ne,ann,cat,?\n"
    values = {"presence": {"done": "labelled", "skip": "skipped", "todo": "pending"}}
    found = found_in(tmp_path, rows, with_(PEOPLE, columns={"presence": "did"}, values=values))
    assert found.classes == ["cat"]
    assert sorted(found.roster) == [
        ("a", "ann", "labelled"),
        ("b", "ann", "skipped"),
        ("c", "ann", "skipped"),
        ("d", "ann", "pending"),
        ("e", "ann", "labelled"),
    ]
    assert found.losses == {"unlabelled-label": 1}
    assert found.wrong == [(6, "unknown-word", "did", "?")]


# how far images are


def test_nothing_is_said_of_completeness_unless_a_column_does(tmp_path: Path) -> None:
    assert not found_in(tmp_path, "image,who,label\na,ann,\nb,ann,cat\n", PEOPLE).completeness


def test_states_of_images_are_told_once_the_furthest_first(tmp_path: Path) -> None:
    rows = (
        "image,label,state,why\na,cat,complete,\na,dog,complete,\nb,,complete_empty,\n"
        "c,,skipped,blurred\nd,cat,in_progress,\nd,cat,complete,\n"
    )
    found = found_in(tmp_path, rows, with_(CLASSES, columns={"state": "state", "reason": "why"}))
    assert [(r["asset"], r["class"], r["state"], r["reason"]) for r in found.completeness] == [
        ("a", None, "complete", None),
        ("b", None, "complete_empty", None),
        ("c", None, "skipped", "blurred"),
        ("d", None, "complete", None),
    ]
    assert dict((a, p) for a, _, p in found.roster) == {
        "a": "labelled", "b": "empty", "c": "skipped", "d": "labelled",
    }  # fmt: skip


def test_a_class_that_was_looked_for_and_is_not_there_makes_no_label(tmp_path: Path) -> None:
    rows = "ImageID,LabelName,Confidence\na,cat,1\na,dog,0\nb,cat,0\n"
    mapping = {
        "kind": "class",
        "columns": {"asset": "ImageID", "class": "LabelName", "state": "Confidence"},
        "state_of": "class",
        "values": {"state": {"1": "complete", "0": "complete_empty"}},
    }
    found = found_in(tmp_path, rows, mapping)
    assert [(row["asset"], row["class"]) for row in found.labels] == [("a", "cat")]
    assert [(r["asset"], r["class"], r["state"]) for r in found.completeness] == [
        ("a", "cat", "complete"),
        ("a", "dog", "complete_empty"),
        ("b", "cat", "complete_empty"),
    ]
