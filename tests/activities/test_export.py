"""Labels leave as the caller says: whole, apart by person, or by a named rule; never in silence."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from lineage import columns
from lineage.activities import batches, people, schemas, version
from lineage.activities.context import Project
from lineage.activities.export import Exported, export
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.activities.trace import Choice
from lineage.errors import BadInput, NotFound, Refused
from lineage.settings import Recipe
from lineage.terms import Stage
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

Json = dict[str, Any]
KINDS = {"car": ["box"], "dog": ["box"]}


def fill(project: Project) -> None:
    """Put five images on record: one person's, two people's, two of one mind, an empty one, a skipped one."""
    make_batch(project, KINDS)
    car, dog = region("r1", "car", 10, 10, 20, 20), region("r2", "dog", 50, 50, 20, 20)
    tasks = [
        ("one.png", [annotation(1, "ann@x.example", [car, dog])]),
        ("two.png", [annotation(2, "ann@x.example", [car]), annotation(3, "bob@x.example", [car])]),
        ("half.png", [annotation(4, "ann@x.example", [dog]), annotation(5, "bob@x.example", [])]),
        ("empty.png", [annotation(6, "ann@x.example", [])]),
        ("skipped.png", [annotation(7, "bob@x.example", [], was_cancelled=True)]),
    ]
    path = label_studio(project.root / "first.json", tasks)
    import_labels(project, [path], "b1", options=ImportOptions(is_whole=True))


def coco_of(path: Path) -> dict[str, list[str]]:
    document = json.loads(path.read_text())
    classes = {c["id"]: c["name"] for c in document["categories"]}
    found: dict[str, list[str]] = {image["file_name"]: [] for image in document["images"]}
    names = {image["id"]: image["file_name"] for image in document["images"]}
    for entry in document["annotations"]:
        found[names[entry["image_id"]]].append(classes[entry["category_id"]])
    return found


def yolo_of(folder: Path) -> dict[str, list[str]]:
    names = yaml.safe_load((folder / "data.yaml").read_text())["names"]
    return {
        path.stem: [names[int(line.split()[0])] for line in path.read_text().splitlines()]
        for path in folder.glob("labels/**/*.txt")
    }


def out_of(project: Project, name: str, format_name: str = "coco", **more: Any) -> Exported:
    return export(project, project.root / name, format_name, **more)


def test_live_labels_leave_with_every_image_that_somebody_looked_at(project: Project) -> None:
    fill(project)
    done = out_of(project, "out.json")
    assert coco_of(project.root / "out.json") == {
        "one.png": ["car", "dog"], "two.png": ["car", "car"], "half.png": ["dog"], "empty.png": [],
    }  # fmt: skip
    assert (done.n_labels, done.n_assets, done.rule) == (5, 4, None)
    assert done.notes == {"several-annotators-on-an-image": "2"}


def test_a_version_leaves_as_it_was_built(project: Project) -> None:
    fill(project)
    version.build(project, Recipe(), tag="v1")
    done = out_of(project, "out.json", version="v1")
    assert (done.n_labels, done.n_assets) == (5, 4)
    done = out_of(project, "dogs.json", version="v1", choice=Choice(class_=("dog",)))
    assert coco_of(project.root / "dogs.json") == {
        "one.png": ["dog"], "two.png": [], "half.png": ["dog"], "empty.png": [],
    }  # fmt: skip
    assert "completeness" not in done.notes


@pytest.mark.parametrize("is_version", [False, True])
def test_a_choice_of_some_labels_takes_no_other_image_for_empty(
    project: Project, is_version: bool
) -> None:
    fill(project)
    if is_version:
        version.build(project, Recipe(), tag="v1")
    tag = "v1" if is_version else None
    done = out_of(project, "bob.json", version=tag, choice=Choice(annotator=("bob@x.example",)))
    assert coco_of(project.root / "bob.json") == {"two.png": ["car"], "half.png": []}
    assert done.notes == {"completeness": "not told: the choice takes labels out of images"}
    out_of(project, "asset.json", version=tag, choice=Choice(asset=("one.png",)))
    assert coco_of(project.root / "asset.json") == {"one.png": ["car", "dog"]}
    done = out_of(project, "none.json", version=tag, choice=Choice(stage=("final",)))
    assert coco_of(project.root / "none.json") == {}
    choice = Choice(until="2020-01-01T00:00:00Z")
    assert out_of(project, "time.json", version=tag, choice=choice).n_assets == 0


def test_a_format_of_one_set_an_image_is_refused_where_several_answered(project: Project) -> None:
    fill(project)
    with pytest.raises(Refused, match=r"2 of 4 images, and yolo holds one") as refusal:
        out_of(project, "out", "yolo")
    assert refusal.value.slug == "several-annotators"
    assert "half.png (a-" in refusal.value.message
    assert "annotator:NAME" in refusal.value.hint
    assert not (project.root / "out").exists()
    assert not (project.root / ".out.new").exists()


def test_one_annotators_labels_win_where_several_answered(project: Project) -> None:
    fill(project)
    done = out_of(project, "out", "yolo", rule="annotator:bob@x.example")
    # the empty answer of bob's is an answer; what ann alone answered is hers
    assert yolo_of(project.root / "out") == {
        "one": ["car", "dog"], "two": ["car"], "half": [], "empty": [],
    }  # fmt: skip
    assert (done.n_labels, done.rule) == (3, "annotator:bob@x.example")
    assert "attributions.csv" in done.side_files


def test_a_rule_that_decides_nothing_of_an_image_is_refused(project: Project) -> None:
    fill(project)
    with pytest.raises(Refused, match=r"2 images of which --people consensus takes") as refusal:
        out_of(project, "out", "yolo", rule="consensus")
    assert refusal.value.slug == "undecided-images"
    assert "consensus labels" in refusal.value.hint
    with pytest.raises(Refused, match=r"--people final takes nothing"):
        out_of(project, "out", "yolo", rule="final")
    with pytest.raises(BadInput, match=r"no rule 'loudest'"):
        out_of(project, "out", "yolo", rule="loudest")
    with pytest.raises(NotFound):
        out_of(project, "out", "yolo", rule="annotator:nobody")


def test_final_labels_decide_where_they_are_one_persons(project: Project) -> None:
    fill(project)
    second = label_studio(
        project.root / "second.json",
        [("half.png", [annotation(9, "eve@x.example", [region("r9", "car", 1, 1, 9, 9)])])],
    )
    batches.create(project, batches.BatchOrder("b2", "detection", "things@1.0"))
    import_labels(project, [second], "b2", options=ImportOptions(stage=Stage.FINAL))
    choice = Choice(asset=("half.png", "one.png"))
    out_of(project, "out", "yolo", rule="final", choice=choice)
    assert yolo_of(project.root / "out") == {"one": ["car", "dog"], "half": ["car"]}


def table(*rows: tuple[str, str, str, str]) -> pa.Table:
    base = {
        "width": 1, "height": 1, "class": "car", "kind": "class", "attributes": "{}", "schema": "s@1.0",
        "batch": "b", "split": "",
    }  # fmt: skip
    values = {
        **base, "annotation": list(range(len(rows))), "revision": list(range(len(rows))),
        **{name: [row[i] for row in rows] for i, name in enumerate(("asset", "annotator", "origin", "stage"))},
    }  # fmt: skip
    return pa.Table.from_batches([columns.batch_of(columns.DATASET, values, len(rows))])


NOBODY = pa.table({"asset": pa.array([], pa.string()), "annotator": pa.array([], pa.string())})


def test_a_consensus_stands_for_the_people_it_came_from() -> None:
    labels = table(
        ("a", "p-1", "human", "final"),
        ("a", "p-2", "human", "final"),
        ("a", "c-1", "consensus", "final"),
        ("b", "p-1", "human", "submitted"),
    )
    rule = people.Rule("consensus", "origin", "consensus")
    kept = people.settled(labels, people.answers_of(labels, NOBODY), rule)
    assert kept["annotation"].to_pylist() == [2, 3]


def test_a_rule_that_leaves_several_people_is_refused_too() -> None:
    labels = table(("a", "p-1", "human", "final"), ("a", "p-2", "human", "final"))
    rule = people.Rule("final", "stage", "final")
    with pytest.raises(
        Refused, match=r"--people final leaves labels by several people on 1 images"
    ):
        people.settled(labels, people.answers_of(labels, NOBODY), rule)


def test_an_empty_answer_and_somebodys_labels_are_several_answers() -> None:
    labels = table(("a", "p-1", "human", "final"))
    empty = pa.table({"asset": ["a", "b"], "annotator": ["p-2", "p-2"]})
    found = people.answers_of(labels, empty)
    several = dict(zip(found.images, found.is_several().tolist(), strict=True))
    assert several == {"a": True, "b": False}
    assert people.answers_of(table(), NOBODY).is_several().tolist() == []


def test_formats_that_keep_people_apart_take_a_rule_too(project: Project) -> None:
    fill(project)
    done = out_of(project, "out.json", "label-studio", rule="annotator:ann@x.example")
    tasks = json.loads((project.root / "out.json").read_text())
    assert all(len(task["annotations"]) <= 1 for task in tasks)
    assert done.notes == {"several-annotators-on-an-image": "2"}


def test_pre_labels_go_to_the_tool_that_tells_them_apart(project: Project) -> None:
    fill(project)
    out_of(project, "out.json", "label-studio", prelabels=True)
    tasks = json.loads((project.root / "out.json").read_text())
    assert sum(len(task["predictions"]) for task in tasks) == 4
    assert sum(len(task["annotations"]) for task in tasks) == 0
    with pytest.raises(BadInput, match=r"coco does not tell suggestions"):
        out_of(project, "other.json", prelabels=True)


def test_names_are_written_only_when_asked_for(project: Project) -> None:
    fill(project)
    out_of(project, "plain.json")
    assert "ann@x.example" not in (project.root / "plain.json").read_text()
    out_of(project, "named.json", names=True)
    assert "ann@x.example" in (project.root / "named.json").read_text()


def test_nothing_is_overwritten(project: Project) -> None:
    fill(project)
    (project.root / "out.json").write_text("mine")
    with pytest.raises(Refused, match=r"exists"):
        out_of(project, "out.json")
    (project.root / "out.completeness.csv").write_text("mine")
    with pytest.raises(Refused, match=r"completeness.csv exists"):
        out_of(project, "out.xml", "cvat")
    assert not (project.root / "out.xml").exists()
    assert (project.root / "out.json").read_text() == "mine"
    assert not [path for path in project.root.iterdir() if path.name.endswith(".new")]


def test_a_file_and_what_stands_beside_it_arrive_together(project: Project) -> None:
    fill(project)
    done = out_of(project, "out.xml", "cvat")
    assert done.side_files == ("out.completeness.csv",)
    told = (project.root / "out.completeness.csv").read_text()
    assert '"skipped.png",,"skipped"' not in told
    assert '"empty.png",,"complete_empty"' in told


@pytest.mark.parametrize(
    ("format_name", "inside"),
    [
        ("coco", ["out.json"]),
        ("cvat", ["out.completeness.csv", "out.xml"]),
        ("yolo", ["all.txt", "assets.csv", "attributions.csv", "completeness.csv", "data.yaml"]),
    ],
)
def test_an_archive_is_the_same_bytes_every_time(
    project: Project, format_name: str, inside: list[str]
) -> None:
    fill(project)
    rule: Mapping[str, Any] = {"rule": "annotator:ann@x.example"}
    out_of(project, "out.zip", format_name, **rule)
    with zipfile.ZipFile(project.root / "out.zip") as packed:
        assert [name for name in packed.namelist() if "/" not in name] == inside
        assert packed.testzip() is None
    first = (project.root / "out.zip").read_bytes()
    (project.root / "out.zip").unlink()
    out_of(project, "out.zip", format_name, **rule)
    assert (project.root / "out.zip").read_bytes() == first


def test_the_schema_that_labels_stand_under_says_how_attributes_are_asked(project: Project) -> None:
    rules = {"type": "object", "properties": {"note": {"type": "string"}}}
    make_batch(project, KINDS, attributes=rules)
    asked = {
        **region("r1", "car", 1, 1, 9, 9),
        "from_name": "note",
        "type": "textarea",
        "value": {"text": ["x"]},
    }
    answer = annotation(1, "ann@x.example", [region("r1", "car", 1, 1, 9, 9), asked])
    path = label_studio(project.root / "in.json", [("a.png", [answer])])
    import_labels(project, [path], "b1", options=ImportOptions())
    out_of(project, "out.json", "label-studio")
    (task,) = json.loads((project.root / "out.json").read_text())
    told = [row["type"] for row in task["annotations"][0]["result"]]
    assert told == ["rectanglelabels", "textarea"]
    assert schemas.get(project, "things@1.0").state == "locked"


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize(
    ("format_name", "out"),
    [("label-studio", "out.json"), ("coco", "out.json"), ("cvat", "out.xml"), ("voc", "out.zip"), ("yolo", "out")],
)  # fmt: skip
def test_what_left_comes_home_as_what_it_was(
    project: Project, format_name: str, out: str, names: bool
) -> None:
    fill(project)
    choice = Choice(annotator=("ann@x.example",))
    done = out_of(project, out, format_name, choice=choice, names=names)
    back = import_labels(project, [project.root / out], "b1", options=ImportOptions())
    assert (back.n_rejected, back.by_rule) == (0, {})
    assert (back.n_unchanged, back.n_added, back.n_superseded) == (done.n_labels, 0, 0)
