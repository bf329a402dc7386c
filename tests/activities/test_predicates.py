"""The language in which labels are chosen: what it reads, what it refuses, and whom it chooses."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import columns
from lineage.activities import gold, position, predicates, predicates_text, trace
from lineage.activities.context import Project, open_project
from lineage.activities.gold import GoldOrder
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.activities.predicates import Clause, Predicate, mask, parse
from lineage.activities.trace import Choice
from lineage.errors import LineageError
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

RULES = {
    "type": "object",
    "properties": {"crowd": {"type": "boolean"}, "seen": {"enum": ["all", "half"]}},
}
VALUES: dict[str, list[str]] = {
    "annotator": ["a-1", "a-2"],
    "batch": ["b1", "b2", "b 3"],
    "class": ["car", "traffic light", 'a "b", c'],
    "stage": ["submitted", "final"],
    "schema": ["s@1.0", "s@2.0"],
    "kind": ["box", "polygon"],
    "origin": ["human", "model"],
}
LABELS = st.lists(
    st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()}),
    max_size=12,
)
CLAUSES = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.tuples(
        st.just(name), st.lists(st.sampled_from(VALUES[name]), min_size=1, max_size=2, unique=True)
    )
)
PREDICATES = st.lists(st.lists(CLAUSES, min_size=1, max_size=3), max_size=3)


def rows_of(told: list[dict[str, str]]) -> pa.RecordBatch:
    n = len(told)
    values: dict[str, Any] = {name: [row[name] for row in told] for name in VALUES}
    values |= {name: np.arange(n) for name in ("annotation", "revision")}
    values |= {"asset": [f"i{at}" for at in range(n)], "attributes": ["{}"] * n, "split": ""}
    return columns.batch_of(columns.DATASET, values, n)


@settings(max_examples=40)
@given(LABELS, PREDICATES)
def test_a_mask_is_what_a_loop_over_the_rows_gives(
    told: list[dict[str, str]], asked: list[list[tuple[str, list[str]]]]
) -> None:
    predicate = Predicate(
        tuple(tuple(Clause(name, tuple(values)) for name, values in one) for one in asked)
    )
    expected = [
        not asked or any(all(row[name] in values for name, values in one) for one in asked)
        for row in told
    ]
    assert mask(predicate, rows_of(told)).tolist() == expected


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["class", "batch", "attribute:a b"]),
            st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_written_is_read_back(told: list[tuple[str, list[str]]]) -> None:
    text = " ".join(predicates_text.written(name, values) for name, values in told)
    found = list(predicates_text.clauses(text, ("class", "batch", "attribute")))
    assert found == [(name, tuple(values)) for name, values in told]


@pytest.fixture(scope="module")
def asked(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Ada and Bo on images 0 and 1: they agree on the first, differ on the second; Ada alone on 2; 3 empty for both."""
    root = tmp_path_factory.mktemp("asked") / "proj"
    shutil.copytree(empty_project, root)
    project = open_project(root, agent="tess@team.example")
    make_batch(project, {"car": ["box"], "dog": ["box"]}, attributes=RULES)

    def drawn(key: str, *classes: str, **attributes: object) -> list[dict[str, Any]]:
        return [region(f"{key}{n}", c, 5 + 30 * n, 10, 20, 20) for n, c in enumerate(classes)]

    answers = [
        ("d/0.png", {"ada": drawn("a", "car", "dog"), "bo": drawn("b", "car", "dog")}),
        ("d/1.png", {"ada": drawn("c", "car", "car"), "bo": drawn("d", "car", "dog")}),
        ("d/2.png", {"ada": drawn("e", "dog")}),
        ("d/3.png", {"ada": [], "bo": []}),
    ]
    key = iter(range(1, 100))
    tasks = [
        (image, [annotation(next(key), f"{who}@x.example", said) for who, said in people.items()])
        for image, people in answers
    ]
    import_labels(project, [label_studio(root / "e.json", tasks)], "b1")
    return project


def chosen(project: Project, *words: str) -> set[tuple[str, str, str]]:
    """Return image, class and person of the labels that words choose, in words that are on record too."""
    seq = position.resolve(project, None)
    table = trace.labels(project, trace.selector_of(project, Choice()), seq)
    predicate = parse(project, words)
    again = parse(project, predicate.words, is_recorded=True)
    assert again == predicate
    found = [mask(p, b) for p in (predicate, again) for b in table.to_batches()]
    assert (found[0] == found[-1]).all()
    rows = table.filter(pa.array(found[0])).to_pylist()
    names = trace.names_of(project)
    return {(r["asset"][2:3], r["class"], names[r["annotator"]][:3].strip("@")) for r in rows}


@pytest.mark.slow
def test_disputes_agreement_and_opinions_are_those_of_the_image(asked: Project) -> None:
    assert chosen(asked, "disputed=yes") == {("1", "car", "ada"), ("1", "dog", "bo")}
    agreed = {("0", "car", "ada"), ("0", "dog", "ada"), ("0", "car", "bo"), ("0", "dog", "bo"),
              ("1", "car", "ada"), ("1", "car", "bo")}  # fmt: skip
    assert chosen(asked, "disputed=no") == agreed, "one opinion is neither"
    # on the second image two of four mentions are borne out
    assert {image for image, _, _ in chosen(asked, "agreement_below=0.51")} == {"1"}
    assert {image for image, _, _ in chosen(asked, "agreement_below=0.5")} == set()
    assert {image for image, _, _ in chosen(asked, "agreement_least=0.5")} == {"0", "1"}
    assert {image for image, _, _ in chosen(asked, "opinions_least=1")} == {"0", "1", "2"}
    assert {image for image, _, _ in chosen(asked, "opinions_least=2")} == {"0", "1"}
    empty = parse(asked, ["agreement_least=1"]).alternatives[0][0].facts
    assert empty.names is not None
    assert empty.names.to_pylist() == ["d/0.png", "d/3.png"], "who draws nothing agrees"


def test_people_and_images_are_recorded_so_that_they_last(asked: Project) -> None:
    predicate = parse(asked, ["annotator=ada@x.example asset=2.png", "asset=d/0.png,1.png"])
    first, second = predicate.words
    assert first.startswith("annotator=a-")
    assert first.endswith(" asset=d/2.png")
    assert second == "asset=d/0.png,d/1.png"
    assert chosen(asked, "annotator=ada@x.example asset=2.png") == {("2", "dog", "ada")}
    assert predicate.columns == ("annotator", "asset")


def test_gold_holds_as_of_the_place_that_is_asked_of(asked: Project, tmp_path: Path) -> None:
    root = tmp_path / "proj"
    shutil.copytree(asked.root, root)
    asked = open_project(root, agent="tess@team.example")
    before = position.resolve(asked, None)
    gold.add(asked, Choice(asset=("d/2.png",)), GoldOrder())
    assert chosen(asked, "gold=yes") == {("2", "dog", "ada")}
    assert len(chosen(asked, "gold=no")) == 8 - 1
    assert len(parse(asked, ["gold=yes"], seq=before).alternatives[0][0].facts.numbers) == 0


@pytest.mark.slow
def test_an_edge_case_is_what_schema_params_or_gold_call_so(
    project: Project, tmp_path: Path
) -> None:
    from lineage.activities import batches, schemas
    from lineage.labelschema import dumps

    classes = {
        name: {"kinds": ["box"], "edge_cases": {"crowd": "many", "tiny": "small"}, "attributes": RULES}
        for name in ("car", "dog")
    }  # fmt: skip
    path = tmp_path / "s.json"
    path.write_text(dumps({"name": "things", "version": "1.0", "classes": classes}))
    schemas.add(project, path)
    schemas.lock(project, "things@1.0")
    batches.create(project, batches.BatchOrder("b1", "detection", "things@1.0"))
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "kind: box\ncolumns: {asset: image, annotator: who, class: label, x_min: x1, y_min: y1, "
        "x_max: x2, y_max: y2}\nattributes: [crowd, seen]\ntypes: {crowd: boolean}\n"
    )
    table = tmp_path / "labels.csv"
    head = "image,who,label,x1,y1,x2,y2,crowd,seen\n"
    said = ["true,", "false,half", ",all"]
    table.write_text(
        head + "".join(f"d/{at}.png,ada@x.example,car,1,1,9,9,{w}\n" for at, w in enumerate(said))
    )
    import_labels(project, [table], "b1", options=ImportOptions(format="table", map=mapping))
    assert chosen(project, "edge_case=crowd") == {("0", "car", "ada")}
    assert chosen(project, "edge_case=tiny") == set()
    assert chosen(project, "attribute:crowd=false") == {("1", "car", "ada")}
    assert chosen(project, "attribute:seen=half,all") == {("1", "car", "ada"), ("2", "car", "ada")}
    (project.root / "params.yaml").write_text(
        "ingest:\n  batches:\n    - {tag: b1, task: detection, schema: things@1.0,"
        " gold_edge_cases: {seen: {half: tiny}}}\n"
    )
    assert chosen(project, "edge_case=tiny") == {("1", "car", "ada")}
    recorded = parse(project, ["edge_case=tiny"]).words
    assert recorded == ("edge_case=tiny@seen:half",)
    gold.add(project, Choice(asset=("d/2.png",)), GoldOrder(edge_case="tiny"))
    (project.root / "params.yaml").unlink()
    assert chosen(project, *recorded) == {("1", "car", "ada"), ("2", "car", "ada")}


@pytest.mark.parametrize(
    ("words", "slug", "told"),
    [
        ("annotater=x", "predicate", "near it: annotator"),
        ("class", "predicate", "expected DIMENSION=VALUE"),
        ("class=", "predicate", "expected DIMENSION=VALUE"),
        ("class=car,,dog", "predicate", "expected DIMENSION=VALUE"),
        ("   ", "predicate", "nothing is asked"),
        ('class="car', "predicate", "not closed"),
        ("attribute=x", "predicate", "attribute:NAME"),
        ("class:a=x", "predicate", "attribute:NAME"),
        ("stage=finel", "predicate", "expected some of"),
        ("gold=maybe", "predicate", "expected some of yes, no"),
        ("gold=yes,no", "predicate", "expected one"),
        ("agreement_below=1.5", "predicate", "from 0 to 1"),
        ("agreement_least=nan", "predicate", "from 0 to 1"),
        ("opinions_least=0", "predicate", "of 1 or more"),
        ("since=2026-01-01T00:00:00", "naive-time", "zone"),
        ("class=carr", "no-class", "near it: car"),
        ("batch=b9", "no-batch", "b9"),
        ("schema=things@9.0", "no-schema", "9.0"),
        ("annotator=eve", "no-annotator", "eve"),
        ("asset=none.png", "no-asset", "none.png"),
        ("vendor=nobody", "no-vendor", "nobody"),
        ("edge_case=none", "no-edge-case", "none"),
    ],
)
def test_what_the_record_does_not_know_is_refused(
    asked: Project, words: str, slug: str, told: str
) -> None:
    with pytest.raises(LineageError, match=told) as caught:
        parse(asked, [words])
    assert caught.value.slug == slug


def test_times_are_half_open_and_need_to_be_known() -> None:
    rows = rows_of([{name: values[0] for name, values in VALUES.items()}] * 3)
    at = rows.schema.get_field_index("labelled_at")
    times = pa.array([None, 10_000_000, 20_000_000], pa.int64()).cast(columns.MOMENT)
    rows = rows.set_column(at, rows.schema.field(at), times)
    since = Predicate(((Clause("since", ("1970-01-01T00:00:10+00:00",)),),))
    until = Predicate(((Clause("until", ("1970-01-01T00:00:20+00:00",)),),))
    assert mask(since, rows).tolist() == [False, True, True]
    assert mask(until, rows).tolist() == [False, True, False]
    assert predicates.joined(["a", "b"], ["c"]) == ("a c", "b c")
