"""From two pinned runs to the page of suspects: which labels it shows, and by what names."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from PIL import Image

from lineage.activities import isolate_page
from lineage.activities.context import open_project
from lineage.activities.isolate import isolate
from lineage.activities.isolate_files import Sources, options_of
from lineage.errors import BadInput
from tests.activities.isolating import Made, mail, make, outcomes, table
from tests.pages.values import Parts

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("paged") / "proj"
    shutil.copytree(empty_project, root)
    return make(open_project(root, agent="tess@team.example"))


@pytest.fixture
def sources(made: Made, tmp_path: Path) -> Sources:
    return Sources((table(tmp_path / "o.csv", outcomes(made), "annotation", "disagrees"),))


def paged(made: Made, sources: Sources, **how: object) -> isolate_page.Paged:
    return isolate_page.report(made.project, bad="bad", good="good", sources=sources, **how)  # type: ignore[arg-type]


def test_the_planted_fault_stands_on_the_page_and_nobodys_name_does(
    made: Made, sources: Sources
) -> None:
    done = paged(made, sources)
    eve = made.pseudonym("eve")
    assert done.path == made.project.root / "reports" / "isolate.html"
    assert (done.evidence, done.names) == (True, "pseudonyms")
    parts = Parts(done.path.read_text("utf-8"))
    assert f"Labels by {eve} in batch b2" in parts.text
    assert f"--without 'annotator={eve} batch=b2'" in parts.text
    assert {path.stem for path in done.lists} == set(parts.cells)
    assert not [path for path in (done.path, *done.lists) if "a.example" in path.read_text("utf-8")]
    assert paged(made, sources).path.read_bytes() == done.path.read_bytes()


def test_names_are_shown_where_they_are_asked_for_and_no_pseudonym_then(
    made: Made, sources: Sources, tmp_path: Path
) -> None:
    done = paged(made, sources, out=tmp_path / "named.html", shows_names=True)
    text = done.path.read_text("utf-8")
    assert f"annotator={mail('eve')} batch=b2" in Parts(text).text
    assert made.pseudonym("eve") not in text
    assert done.names == "handles"


def test_labels_of_the_fault_are_shown_as_they_were_and_are_none_to_be_judged_blind(
    made: Made, sources: Sources
) -> None:
    found = isolate(made.project, bad="bad", good="good", sources=sources)
    first = found.suspects[0]
    assert len(first.members) == first.n_changed
    values = isolate_page.suspicion_of(made.project, found, "")
    shown = values.suspects[0].shown
    assert len(shown) == isolate_page.MOST_SHOWN
    assert len({each.asset for each in shown}) == len(shown)
    assert not {each.annotation for each in shown} & {*first.check, *first.controls}
    assert not values.suspects[0].is_check_shown
    was, now = (
        {row["annotation"]: row for row in some.to_pylist()} for some in (made.before, made.labels)
    )
    for each in shown:
        assert each.annotation in made.wrong
        assert each.before is not None
        assert each.after is not None
        for said, row in ((each.before, was[each.annotation]), (each.after, now[each.annotation])):
            assert (said.class_, said.annotator) == (row["class"], row["annotator"])
            assert said.rings[0][:2] == [row["x_min"], row["y_min"]]
    assert sum(int(str(row["n"])) for row in values.flows) == found.changes.num_rows


def test_images_are_found_where_one_says(made: Made, sources: Sources, tmp_path: Path) -> None:
    for asset in set(made.labels["asset"].to_pylist()):
        path = tmp_path / "img" / asset
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (640, 480), 90).save(path)
    done = paged(made, sources, images=tmp_path / "img", out=tmp_path / "p.html")
    assert done.n_shown == done.n_pictured > 0
    assert done.path.read_text("utf-8").count("data:image/") == done.n_shown
    rows = list(csv.DictReader((tmp_path / "p" / "changed_labels.csv").open()))
    assert {row["change"] for row in rows} == {"reclassed"}


def test_a_page_that_is_none_is_refused_before_anything_is_done(
    made: Made, sources: Sources
) -> None:
    with pytest.raises(BadInput, match="no page"):
        paged(made, sources, out=Path("isolate.pdf"))


def test_the_command_of_the_page_repeats_its_files() -> None:
    told = Sources(
        (Path("a b.csv"), Path("c.csv")),
        predictions_bad=Path("p.json"),
        model_classes=("cat", "dog"),
        mode="gold",
        eval_old="v1",
    )
    assert options_of(told) == (
        " --errors 'a b.csv' --errors c.csv --predictions-bad p.json --model-classes cat,dog "
        "--mode gold --eval-old v1"
    )
    assert options_of(Sources()) == ""
