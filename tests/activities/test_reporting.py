"""The quality page from the record: what it gathers, what it leaves out, where it writes."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from lineage.activities import assets, reporting
from lineage.activities.agreement import agreement_of
from lineage.activities.context import Project
from lineage.activities.ingest import import_labels
from lineage.activities.opinions import Labels
from lineage.activities.report_objects import files_of, rings_of
from lineage.activities.trace import Choice
from lineage.errors import BadInput
from lineage.pages.values import Quality
from tests.activities.test_agreement import drawn, put
from tests.conftest import make_batch
from tests.exports import annotation, label_studio
from tests.pages.values import Parts

ANSWERS = {
    f"images/i{n}.png": {"ada": ["cat", "dog", "cat"], "bob": ["cat", "cat"], "cyd": ["cat", "dog"]}
    for n in range(5)
}


@pytest.fixture
def answered(project: Project, tmp_path: Path) -> Project:
    """Three people on five images: they differ on what the second is, and whether there is a third."""
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    people = {name: {"email": f"{name}@crew.example"} for name in ("ada", "bob", "cyd")}
    put_named(project, tmp_path, ANSWERS, people)
    return project


def put_named(
    project: Project,
    tmp_path: Path,
    answers: dict[str, dict[str, list[str]]],
    people: dict[str, dict[str, str]],
) -> None:
    numbers = {name: at + 1 for at, name in enumerate(people)}
    key = iter(range(1, 1000))
    tasks = [
        (
            image,
            [
                annotation(next(key), {"id": numbers[name], **people[name]}, drawn(classes))
                for name, classes in told.items()
            ],
        )
        for image, told in answers.items()
    ]
    import_labels(project, [label_studio(tmp_path / "named.json", tasks)], "b1")


def pictures(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    for name in ANSWERS:
        Image.new("RGB", (640, 480), "grey").save(folder / name)


def n_pictured(values: Quality) -> int:
    return sum(each.picture is not None for each in values.disputed)


def test_the_page_tells_what_agreement_tells(answered: Project) -> None:
    done = reporting.report(answered)
    assert done.path == answered.root / "reports" / "quality.html"
    rows = list(csv.DictReader((done.path.parent / "quality" / "by_class.csv").open()))
    told = agreement_of(answered).by_class
    assert [row["class"] for row in rows] == [row["class"] for row in told]
    assert [float(row["f1"]) for row in rows] == [row["f1"] for row in told]
    assert {path.stem for path in done.lists} == set(Parts(done.path.read_text()).cells)


def test_cuts_in_two_ways_add_up_to_the_cuts_in_one(answered: Project) -> None:
    values = reporting.quality_of(answered)
    # of each image: ada and bob 5 mentions, ada and cyd 5, bob and cyd 4
    pairs = [row["n_mentions"] for row in values.by_pair_class]
    assert sum(int(str(n)) for n in pairs) == 5 * (5 + 5 + 4)
    weeks = {row["class"]: row for row in values.by_week_class}
    for row in values.rows("by_class"):
        # all was labelled in one week: its numbers are those of the class
        assert [weeks[row["class"]][key] for key in ("f1", "f1_lo", "f1_hi")] == [
            row[key] for key in ("f1", "f1_lo", "f1_hi")
        ]
    people = [int(str(row["n_mentions"])) for row in values.by_annotator_class]
    assert sum(people) == 2 * 5 * (5 + 5 + 4)
    assert {row["name"] for row in values.begins} == {"b1", "things@1.0"}


def test_a_page_has_no_name_of_a_person_unless_it_is_asked_for(answered: Project) -> None:
    done = reporting.report(answered, Choice(annotator=("ada@crew.example",)))
    written = [done.path, *done.lists]
    assert not [path for path in written if "crew.example" in path.read_text("utf-8")]
    done = reporting.report(answered, shows_names=True)
    assert "ada@crew.example" in done.path.read_text("utf-8")
    assert done.names == "handles"


def test_the_same_project_makes_the_same_bytes(answered: Project) -> None:
    first = reporting.report(answered, out=Path("one/quality.html"))
    again = reporting.report(answered, out=Path("two/quality.html"))
    assert first.path.read_bytes() == again.path.read_bytes()
    for one, other in zip(first.lists, again.lists, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_disputed_objects_are_shown_with_everybodys_opinion(answered: Project) -> None:
    values = reporting.quality_of(answered)
    of_pair = [each for each in values.disputed if (each.class_, each.as_class) == ("cat", "dog")]
    assert len(of_pair) == 4
    assert len({each.asset for each in of_pair}) == 4
    for each in of_pair:
        assert sorted(str(opinion.class_) for opinion in each.opinions) == ["cat", "dog", "dog"]
        # the second thing is drawn at 50 %, 50 %, with a fifth of the sides
        assert each.opinions[0].rings == [[320, 240, 448, 240, 448, 336, 320, 336]]
        assert each.picture is None


def test_images_are_found_below_the_project_or_where_one_says(
    answered: Project, tmp_path: Path
) -> None:
    pictures(tmp_path / "elsewhere")
    assert n_pictured(reporting.quality_of(answered, images=tmp_path / "elsewhere")) > 0
    assert n_pictured(reporting.quality_of(answered)) == 0
    pictures(answered.root / "data" / "deep")
    values = reporting.quality_of(answered)
    assert n_pictured(values) == len(values.disputed)


def test_a_file_with_other_bytes_than_the_image_on_record_is_not_shown(answered: Project) -> None:
    pictures(answered.root)
    assets.add(answered, answered.root / "images", prefix="images/")
    assert n_pictured(reporting.quality_of(answered)) > 0
    for name in ANSWERS:
        Image.new("RGB", (640, 480), "red").save(answered.root / name)
    assert n_pictured(reporting.quality_of(answered)) == 0


def test_a_name_that_climbs_out_of_the_project_is_not_followed(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "secret.png").write_bytes(b"of somebody else")
    assert files_of(project.root, None, ["../secret.png", "/etc/hostname"]) == {}


def test_nothing_to_compare_still_makes_a_page(project: Project, tmp_path: Path) -> None:
    done = reporting.report(project)
    assert "Nobody has labelled" in done.path.read_text("utf-8")
    make_batch(project, {"cat": ["box"]})
    put(project, tmp_path, {"a.png": {1: ["cat"]}})
    done = reporting.report(project)
    assert "nothing to compare" in done.path.read_text("utf-8")
    rows = list(
        csv.DictReader(io.StringIO((done.path.parent / "quality" / "by_annotator.csv").read_text()))
    )
    assert [(row["n_labels"], row["n_pairs"]) for row in rows] == [("1", "0")]


def test_what_is_no_page_and_no_folder_is_refused(project: Project) -> None:
    with pytest.raises(BadInput, match="page") as caught:
        reporting.report(project, out=Path("quality.pdf"))
    assert caught.value.slug == "report-out"
    with pytest.raises(BadInput, match="folder") as caught:
        reporting.report(project, images=project.root / "nowhere")
    assert caught.value.slug == "report-images"


def test_outlines_are_those_that_were_drawn() -> None:
    whole = np.full((1, 4), np.nan)
    zeros = {f.name: np.zeros(3, np.int64) for f in dataclasses.fields(Labels)}
    geometry = pa.array([[[50.0, 50.0, 20.0, 10.0, 90.0]], [[0.0, 0.0, 9.0, 0.0, 9.0, 9.0]], None])
    box = np.concatenate([[[45.0, 40.0, 55.0, 60.0], [0.0, 0.0, 9.0, 9.0]], whole])
    labels = Labels(**{**zeros, "box": box, "geometry": geometry})
    # a quarter turn clockwise: the upper left corner comes to the upper right
    assert rings_of(labels, 0, "rotated_box")[0] == pytest.approx([55, 40, 55, 60, 45, 60, 45, 40])
    assert rings_of(labels, 1, "polygon") == [[0.0, 0.0, 9.0, 0.0, 9.0, 9.0]]
    assert rings_of(labels, 1, "mask") == [[0.0, 0.0, 9.0, 0.0, 9.0, 9.0, 0.0, 9.0]]
    assert rings_of(labels, 2, "class") == []
