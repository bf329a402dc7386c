"""How far images are: told by tools, settled, put right, on record, in versions; never a false negative."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import columns, formats
from lineage.activities import completeness, coverage, trace, version
from lineage.activities.context import Project, open_project
from lineage.activities.ingest import ImportOptions, ImportReport, import_labels
from lineage.activities.select import Selector
from lineage.errors import Refused
from lineage.labelschema import dumps
from lineage.segments import read_parquet
from lineage.settings import Recipe
from lineage.terms import COMPLETENESS_BY_WEIGHT
from tests.conftest import make_batch
from tests.store.test_contract import everything
from tests.told import told

pytestmark = pytest.mark.slow

State = tuple[str, str | None]
WHOLE = {"is_whole": True}


@pytest.fixture(autouse=True)
def _told_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(formats.READERS, "told", "tests.told")


def put(project: Project, *files: Mapping[str, Any], name: str = "t", **how: Any) -> ImportReport:
    paths = [told(project.root / f"{name}{i}.json", **file) for i, file in enumerate(files)]
    return import_labels(project, paths, "b1", options=ImportOptions(format="told", **how))


def standing(project: Project, seq: int | None = None) -> dict[tuple[str, str | None], State]:
    """Return state and reason of every (image, class) of batch b1."""
    rows = trace.completeness(project, Selector(batches=("b1",)), seq or 10**6).to_pylist()
    return {(row["asset"], row["class"]): (row["state"], row["reason"]) for row in rows}


def n_rows(project: Project) -> int:
    return project.ledger.read("completeness", ("asset",)).num_rows


KINDS = {"car": ["box"], "dog": ["box"]}


def car(image: str, key: str = "1", x: float = 10.0, **more: Any) -> list[object]:
    return [
        image,
        more.get("who", "ann"),
        more.get("class_", "car"),
        key,
        x,
        more.get("origin", "human"),
    ]


# settling, against the plainest reading of the words

said_rows = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from([None, "car", "dog"]),
        st.sampled_from([word.value for word in COMPLETENESS_BY_WEIGHT]),
        st.sampled_from([None, "blurred", "dark"]),
    ),
    max_size=14,
)
KEYS = np.array([7, 3, 90, 12, 5], np.int64)


def spooled(rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    names = ("asset", "class", "state", "reason")
    values = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return columns.batch_of(completeness.SPOOLED, {**values, "source": "f"}, len(rows))


def plainly(rows: Sequence[tuple[Any, ...]]) -> dict[tuple[int, str | None], State]:
    """Return what holds of several answers, read one after the other."""
    found: dict[tuple[int, str | None], tuple[int, bool, State]] = {}
    weights = [word.value for word in COMPLETENESS_BY_WEIGHT]
    for number, class_, state, reason in rows:
        key = (int(KEYS[number]), class_)
        weight = (weights.index(state), reason is not None)
        if key not in found or weight >= found[key][:2]:
            found[key] = (*weight, (state, reason))
    return {key: entry[2] for key, entry in found.items()}


def by_key(rows: pa.Table) -> dict[tuple[int, str | None], State]:
    listed = rows.to_pylist()
    assert len({(row["asset"], row["class"]) for row in listed}) == len(listed)
    return {(row["asset"], row["class"]): (row["state"], row["reason"]) for row in listed}


@given(said_rows, st.integers(1, 4))
def test_of_several_answers_the_weightiest_holds_however_they_come(
    rows: list[tuple[Any, ...]], n: int
) -> None:
    pieces = [spooled(rows[start : start + n]) for start in range(0, len(rows), n)]
    assert by_key(completeness.settled(iter(pieces), KEYS)) == plainly(rows)


@given(said_rows, said_rows, st.booleans(), st.sets(st.integers(0, 4)), st.sets(st.integers(0, 4)))
def test_news_are_what_differs_from_the_record_and_labels_have_the_last_word(
    before: list[tuple[Any, ...]],
    after: list[tuple[Any, ...]],
    is_whole: bool,
    refused: set[int],
    labelled: set[int],
) -> None:
    known = completeness.settled(iter([spooled(before)]), KEYS).drop_columns(["source"])
    said = completeness.settled(iter([spooled(after)]), KEYS)
    if not is_whole:
        said = completeness.without_weak(known, said)
    keys_of = {int(KEYS[n]) for n in labelled}
    shut = KEYS[sorted(refused)]
    found, belied = completeness.news(
        known,
        said,
        refused=shut,
        living=lambda wanted: (
            KEYS[sorted(labelled)],
            pa.array(["car"] * len(labelled), pa.string()),
        ),
    )
    weak, expected = ("not_started", "skipped"), plainly(before)
    told_now = plainly(after)
    for key, (state, reason) in told_now.items():
        was = expected.get(key, ("not_started", None))[0]
        if is_whole or state not in weak or was in weak:
            expected[key] = (state, reason)
        else:
            told_now = {k: v for k, v in told_now.items() if k != key}
    n_belied = 0
    for (asset, class_), (state, reason) in list(expected.items()):
        has_labels = asset in keys_of and class_ in (None, "car")
        if state == "complete_empty" and has_labels:
            expected[asset, class_] = ("complete", reason)
            n_belied += 1
        elif (
            state in ("complete", "complete_empty")
            and (asset, class_) in told_now
            and asset in shut
            and not has_labels
        ):
            expected[asset, class_] = ("in_progress", reason)
    old = plainly(before)
    assert by_key(found) == {key: value for key, value in expected.items() if old.get(key) != value}
    assert belied.num_rows == n_belied


def test_a_class_is_resolved_and_one_that_the_schema_lacks_is_a_violation(project: Project) -> None:
    document = {
        "name": "things",
        "version": "1.0",
        "classes": {"car": {"kinds": ["box"], "aliases": ["auto"]}, "dog": {"kinds": ["box"]}},
    }
    make_batch(project, KINDS)
    from lineage.activities import batches, schemas

    document["version"] = "1.1"
    path = project.root / "new.json"
    path.write_text(dumps(document))
    schemas.add(project, path)
    schemas.lock(project, "things@1.1")
    batches.create(project, batches.BatchOrder("b2", "detection", "things@1.1"))
    said = [
        ["a.png", "auto", "complete", None],
        ["a.png", "cat", "complete", None],
        ["b.png", None, "nearly", None],
        ["c.png", None, "skipped", "blurred"],
    ]
    export = told(project.root / "t.json", said=said)
    done = import_labels(project, [export], "b2", options=ImportOptions(format="told"))
    assert done.by_rule == {"unknown-class": 1, "unknown-state": 1}
    assert (done.n_rejected, done.n_assets) == (0, 3)
    rows = trace.completeness(project, Selector(), 10**6).to_pylist()
    assert [(r["asset"], r["class"], r["state"], r["reason"], r["batch"]) for r in rows] == [
        ("a.png", "car", "complete", None, "b2"),
        ("c.png", None, "skipped", "blurred", "b2"),
    ]
    found = pa.Table.from_batches(read_parquet(project.root / str(done.violations_path)))
    assert [(v["asset"], v["path"], v["value"]) for v in found.to_pylist()] == [
        ("a.png", "/completeness/class", "cat"),
        ("b.png", "/completeness/state", "nearly"),
    ]


def test_two_files_of_one_import_settle_and_a_class_stands_beside_its_image(
    project: Project,
) -> None:
    make_batch(project, KINDS)
    ann = [["a.png", None, "skipped", "dark"], ["b.png", None, "complete_empty", None]]
    bob = [["a.png", None, "in_progress", None], ["b.png", None, "not_started", None]]
    put(project, {"said": ann}, {"said": [*bob, ["b.png", "dog", "in_progress", None]]})
    assert standing(project) == {
        ("a.png", None): ("in_progress", None),
        ("b.png", None): ("complete_empty", None),
        ("b.png", "dog"): ("in_progress", None),
    }


def test_only_news_are_written_and_every_moment_can_be_asked_for(project: Project) -> None:
    make_batch(project, KINDS)
    first = {"said": [["a.png", None, "in_progress", None], ["b.png", None, "skipped", "dark"]]}
    put(project, first)
    seq = trace.log(project)[-1].seq
    put(project, {**first, "images": ["more.png"]})
    assert n_rows(project) == 2
    put(
        project,
        {"said": [["a.png", None, "complete", None], ["b.png", None, "skipped", "blurred"]]},
    )
    assert n_rows(project) == 4
    assert standing(project)["b.png", None] == ("skipped", "blurred")
    assert standing(project, seq) == {
        ("a.png", None): ("in_progress", None),
        ("b.png", None): ("skipped", "dark"),
    }
    assert trace.status(project).completeness == {"b1": {"skipped": 1, "complete": 1}}
    then = trace.Choice(as_of=str(seq))
    assert trace.status(project, then).completeness == {"b1": {"skipped": 1, "in_progress": 1}}
    newest = trace.blame(project, "a.png")["completeness"]
    assert newest == [{"class": None, "state": "complete", "reason": None, "batch": "b1"}]
    older = trace.blame(project, "a.png", str(seq))["completeness"]
    assert older == [{"class": None, "state": "in_progress", "reason": None, "batch": "b1"}]


def test_an_import_that_is_not_whole_speaks_for_its_own_files_only(project: Project) -> None:
    make_batch(project, KINDS)
    images = ["a.png", "b.png", "c.png"]
    states = ["complete_empty", "in_progress", "skipped"]
    put(project, {"said": [[i, None, s, None] for i, s in zip(images, states, strict=True)]})
    other = {"said": [[image, None, "not_started", None] for image in images]}
    put(project, other, name="other")
    assert [state for state, _ in standing(project).values()] == [*states[:2], "not_started"]
    put(project, {**other, "images": ["d.png"]}, name="all", **WHOLE)
    assert {state for state, _ in standing(project).values()} == {"not_started"}


def test_an_image_that_is_called_empty_and_has_labels_is_complete_and_counted(
    project: Project,
) -> None:
    make_batch(project, KINDS)
    said = [[image, None, "complete_empty", None] for image in ("a.png", "b.png", "c.png")]
    said += [["c.png", "dog", "complete_empty", None], ["a.png", "car", "complete_empty", None]]
    labels = [car("a.png"), car("b.png", "2", origin="model"), car("c.png", "3", class_="car")]
    rehearsed = put(project, {"labels": labels, "said": said}, is_dry_run=True)
    kept = pa.Table.from_batches(read_parquet(project.root / str(rehearsed.violations_path)))
    assert (n_rows(project), kept.num_rows) == (0, 3)
    done = put(project, {"labels": labels, "said": said})
    assert done.by_rule == rehearsed.by_rule == {"completeness-contradicts": 3}
    assert (done.n_rejected, done.n_added) == (0, 3)
    assert standing(project) == {
        ("a.png", None): ("complete", None),
        ("a.png", "car"): ("complete", None),
        ("b.png", None): ("complete_empty", None),  # a model's suggestion is nobody's answer
        ("c.png", None): ("complete", None),
        ("c.png", "dog"): ("complete_empty", None),
    }
    rows = project.ledger.read("quarantine").to_pylist()
    assert {(row["asset"], row["rule"], row["source"]) for row in rows} == {
        ("a.png", "completeness-contradicts", "t0.json"),
        ("c.png", "completeness-contradicts", "t0.json"),
    }


def test_labels_that_come_later_or_stay_belie_an_answer_too(project: Project) -> None:
    make_batch(project, KINDS)
    put(project, {"said": [["a.png", None, "complete_empty", None]]})
    late = put(project, {"labels": [car("a.png"), car("b.png", "2")]}, name="late")
    assert late.by_rule == {"completeness-contradicts": 1}
    assert project.ledger.read("quarantine")["source"].to_pylist() == ["on record, batch b1"]
    # the labels of b.png are not in this file, which is not whole: they stay
    empty = {"said": [["b.png", None, "complete_empty", None]]}
    assert put(project, empty, name="part").by_rule == {"completeness-contradicts": 1}
    whole = put(project, {**empty, "images": ["c.png"]}, name="whole", **WHOLE)
    assert (whole.by_rule, whole.n_retracted) == ({}, 2)
    assert standing(project)["b.png", None] == ("complete_empty", None)


def test_an_image_whose_labels_were_all_refused_is_no_negative(
    project: Project, tmp_path: Path
) -> None:
    make_batch(project, KINDS)
    said = [[image, None, "complete", None] for image in ("a.png", "b.png", "empty.png")]
    labels = [car("a.png", class_="ghost"), car("b.png", "2", class_="ghost"), car("b.png", "3")]
    done = put(project, {"labels": labels, "said": said, "roster": [["a.png", "ann", "labelled"]]})
    assert (done.n_rejected, done.n_added) == (2, 1)
    assert standing(project) == {
        ("a.png", None): ("in_progress", None),
        ("b.png", None): ("complete", None),
        ("empty.png", None): ("complete", None),
    }
    built = version.build(project, Recipe(), out=tmp_path / "out")
    assert (built["n_assets"], built["n_incomplete"]) == (2, 1)


def test_an_image_whose_labels_the_recipe_leaves_out_is_no_negative(
    project: Project, tmp_path: Path
) -> None:
    make_batch(project, KINDS)
    said = [[image, None, "complete", None] for image in ("a.png", "empty.png")]
    labels = [car("a.png"), car("a.png", "2")]
    put(project, {"labels": labels, "said": said})
    of_stage = version.build(project, Recipe(stages=("final",)), out=tmp_path / "final")
    assert (of_stage["n_assets"], of_stage["n_withheld"]) == (1, 1)
    # another class is really not there
    of_class = version.build(project, Recipe(exclude_classes=("car",)), out=tmp_path / "dogs")
    assert (of_class["n_assets"], of_class["n_withheld"]) == (2, 0)


def fill(project: Project) -> None:
    """Put images of every state on record, with and without labels and answers."""
    make_batch(project, KINDS)
    images = {
        "done.png": "complete", "empty.png": "complete_empty", "half.png": "in_progress",
        "bare.png": "in_progress", "new.png": "not_started", "no.png": "skipped",
    }  # fmt: skip
    said: list[list[object]] = [
        [image, None, state, "dark" if state == "skipped" else None]
        for image, state in images.items()
    ]
    said += [
        ["done.png", "dog", "in_progress", None],
        ["federated.png", "dog", "complete_empty", None],
    ]
    roster = [
        ["done.png", "ann", "labelled"],
        ["bare.png", "ann", "empty"],
        ["old.png", "ann", "empty"],
    ]
    labels = [car("done.png"), car("half.png", "2")]
    put(project, {"labels": labels, "said": said, "roster": roster, "images": ["unheard.png"]})


def test_a_version_holds_finished_images_and_says_how_far_each_is(
    project: Project, tmp_path: Path
) -> None:
    fill(project)
    built = version.build(project, Recipe(splits={"all": 1.0}), out=tmp_path / "out")
    assets = pq.read_table(tmp_path / "out" / "all" / "assets.parquet")["asset"].to_pylist()
    assert assets == ["done.png", "empty.png", "half.png", "old.png"]
    assert (built["n_incomplete"], built["layout"]) == (3, 2)
    assert built["completeness"] == {
        "not_started": 1, "skipped": 1, "in_progress": 2, "complete_empty": 1, "complete": 1,
    }  # fmt: skip
    path = tmp_path / "out" / "all" / "completeness.parquet"
    rows = [tuple(row.values()) for row in pq.read_table(path).to_pylist()]
    assert rows == [
        ("done.png", None, "complete", None, "b1", "all"),
        ("done.png", "dog", "in_progress", None, "b1", "all"),
        ("empty.png", None, "complete_empty", None, "b1", "all"),
        ("half.png", None, "in_progress", None, "b1", "all"),
    ]
    listed = [file["path"] for file in built["files"]]  # type: ignore[attr-defined]
    assert listed == ["all/assets.parquet", "all/completeness.parquet", "all/part-00000.parquet"]
    contents = version.labels_of(project, str(built["name"]))
    assert contents.completeness.num_rows == 4
    assert (contents.n_incomplete, dict(contents.states)) == (3, built["completeness"])


def test_a_recipe_of_classes_takes_no_image_as_a_negative_of_an_unfinished_class(
    project: Project, tmp_path: Path
) -> None:
    fill(project)
    dogs = version.build(project, Recipe(classes=("dog",), splits={"all": 1.0}), out=tmp_path / "d")
    rows = pq.read_table(tmp_path / "d" / "all" / "assets.parquet").to_pylist()
    assert [row["asset"] for row in rows] == ["empty.png", "old.png"]
    assert dogs["n_incomplete"] == 5
    cars = version.build(project, Recipe(classes=("car",), splits={"all": 1.0}), out=tmp_path / "c")
    rows = pq.read_table(tmp_path / "c" / "all" / "completeness.parquet").to_pylist()
    assert [row["class"] for row in rows] == [None] * 3
    assert cars["n_annotations"] == 2


def test_where_people_are_asked_for_their_answers_alone_make_a_negative(
    project: Project, tmp_path: Path
) -> None:
    fill(project)
    recipe = Recipe(annotators=("ann",), splits={"all": 1.0})
    version.build(project, recipe, out=tmp_path / "a")
    rows = pq.read_table(tmp_path / "a" / "all" / "assets.parquet").to_pylist()
    assert [row["asset"] for row in rows] == ["done.png", "half.png", "old.png"]


def test_completeness_is_content_and_equal_content_has_one_name(
    project: Project, tmp_path: Path
) -> None:
    fill(project)
    recipe = Recipe(splits={"train": 0.5, "test": 0.5})
    first = version.build(project, recipe, tag="first", out=tmp_path / "a")
    put(project, {"said": [["half.png", None, "complete", None]]}, name="later")
    second = version.build(project, recipe, out=tmp_path / "b")
    assert first["digest"] != second["digest"]
    assert first["counts"] == second["counts"]
    again = version.build(project, Recipe(splits=recipe.splits, as_of="first"), out=tmp_path / "c")
    assert (again["name"], again["files"]) == (first["name"], first["files"])
    assert version.labels_of(project, "first").states == first["completeness"]
    new = {"said": [["other.png", None, "not_started", None]]}
    put(project, new, name="news")
    third = version.build(project, recipe, out=tmp_path / "d")
    assert third["name"] == second["name"], "an image that is not in it changes no content"
    assert third["n_incomplete"] == 4


def test_a_version_of_which_nothing_is_said_has_no_such_file(
    project: Project, tmp_path: Path
) -> None:
    make_batch(project, KINDS)
    put(project, {"labels": [car("a.png")], "roster": [["a.png", "ann", "labelled"]]})
    built = version.build(project, Recipe(), tag="plain", out=tmp_path / "out")
    assert (built["layout"], built["completeness"], built["n_incomplete"]) == (2, {}, 0)
    assert list((tmp_path / "out").rglob("completeness.parquet")) == []
    assert version.labels_of(project, "plain").completeness.num_rows == 0
    assert trace.completeness(project, Selector(), 10**6).schema == columns.DATASET_COMPLETENESS


def test_two_batches_speak_for_themselves(project: Project, tmp_path: Path) -> None:
    from lineage.activities import batches

    make_batch(project, KINDS)
    batches.create(project, batches.BatchOrder("b2", "detection", "things@1.0"))
    how = ImportOptions(format="told")
    said = {"b1": "complete_empty", "b2": "in_progress"}
    for tag, state in said.items():
        rows = [["both.png", None, state, None], [f"{tag}.png", None, state, None]]
        path = told(project.root / f"{tag}.json", said=rows)
        import_labels(project, [path], tag, options=how)
    both = version.build(project, Recipe(splits={"all": 1.0}), out=tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "all" / "completeness.parquet").to_pylist()
    assert [(row["asset"], row["batch"], row["state"]) for row in rows] == [
        ("b1.png", "b1", "complete_empty"),
        ("both.png", "b1", "complete_empty"),
        ("both.png", "b2", "in_progress"),
    ]
    assert both["completeness"] == {"in_progress": 1, "complete_empty": 2}
    with pytest.raises(Refused, match="no image"):
        version.build(project, Recipe(batches=("b2",)), out=tmp_path / "none")


def test_a_store_rebuilt_from_segments_has_every_row_again(
    any_project: Project, tmp_path: Path
) -> None:
    fill(any_project)
    put(any_project, {"said": [["no.png", None, "complete_empty", None]]}, name="later")
    before = everything(any_project)["completeness"]
    assert len(before) == 9
    root = tmp_path / "again"
    shutil.copytree(any_project.root, root, ignore=shutil.ignore_patterns("store.db*"))
    again = open_project(root, store_url="sqlite:///other.db")
    assert everything(again)["completeness"] == before
    asked = trace.blame(any_project, "done.png")["completeness"]
    assert asked == trace.blame(again, "done.png")["completeness"]
    assert [row["class"] for row in asked] == [None, "dog"]  # type: ignore[attr-defined]


def test_the_roster_is_told_again_only_where_an_answer_changed(project: Project) -> None:
    make_batch(project, KINDS)
    rows = [["a.png", "ann", "labelled"], ["a.png", "ann", "empty"], ["a.png", "bob", "labelled"]]
    put(project, {"roster": rows, "images": ["a.png"]})
    names = ("annotator", "presence")
    assert project.ledger.read("roster", names).num_rows == 3
    put(project, {"roster": rows, "images": ["a.png", "b.png"]}, name="again")
    assert project.ledger.read("roster", names).num_rows == 3, "ann's last answer is on record"
    put(project, {"roster": [["a.png", "ann", "labelled"]], "images": ["a.png"]}, name="more")
    assert project.ledger.read("roster", names)["presence"].to_pylist()[3:] == ["labelled"]
    held = coverage.roster(project.ledger, ("b1",), 10**6).to_pylist()
    assert [row["presence"] for row in held] == ["labelled", "labelled"]
