"""Images: registered, joined with the labels that name them, and not hashed twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lineage import vcs
from lineage.activities import assets, trace
from lineage.activities.context import Project
from lineage.activities.ingest import import_labels
from lineage.errors import BadInput
from tests.cli.conftest import checked
from tests.conftest import make_batch
from tests.exports import coco

BOX = [10.0, 10.0, 50.0, 40.0]


def picture(path: Path, shade: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (640, 480), (shade, 0, 0)).save(path)


def facts(project: Project) -> dict[str, str | None]:
    table = trace.asset_facts(project, 10**6)
    return dict(zip(table["name"].to_pylist(), table["digest"].to_pylist(), strict=True))


def test_labels_come_first_and_images_join_them_by_name(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    export = project.root / "e.json"
    coco(export, [(1, "seq/a.png", "car", BOX), (2, "b.png", "car", BOX)])
    import_labels(project, [export], "b1")
    folder = project.root / "images"
    for i, name in enumerate(("seq/a.png", "cam1/b.png", "c.png")):
        picture(folder / name, i)
    done = assets.add(project, folder)
    assert (done.n_new, done.n_joined, done.n_unchanged) == (1, 2, 0)
    found = facts(project)
    assert found.keys() == {"seq/a.png", "b.png", "c.png"}
    assert all(str(digest).startswith("sha256:") for digest in found.values())
    before = project.ledger.checkpoint()
    again = assets.add(project, folder)
    assert (again.n_unchanged, again.n_new, again.n_joined) == (3, 0, 0)
    assert project.ledger.checkpoint() == before


def test_of_two_images_that_end_alike_neither_is_guessed(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    export = project.root / "e.json"
    import_labels(project, [coco(export, [(1, "b.png", "car", BOX)])], "b1")
    for i, name in enumerate(("cam1/b.png", "cam2/b.png")):
        picture(project.root / "images" / name, i)
    done = assets.add(project, project.root / "images")
    assert (done.n_new, done.n_joined, done.n_ambiguous) == (2, 0, 2)
    assert facts(project)["b.png"] is None


def test_digests_are_taken_from_dvc_where_it_has_them(project: Project) -> None:
    folder = project.root / "images"
    for i in range(3):
        picture(folder / f"{i}.png", i)
    checked(project.root, "dvc", "add", "images")
    picture(folder / "new.png", 9)
    done = assets.add(project, folder)
    assert (done.n_new, done.n_from_dvc, done.n_hashed) == (4, 3, 1)
    expected = vcs.tracked_digests(project.root, folder)
    assert {n: d for n, d in facts(project).items() if n != "new.png"} == {
        name: digest for name, (digest, _) in expected.items()
    }


def test_a_changed_image_is_a_new_fact_and_the_old_one_stays(project: Project) -> None:
    folder = project.root / "images"
    picture(folder / "a.png", 1)
    assets.add(project, folder)
    with_first = project.ledger.checkpoint()
    assert with_first is not None
    first = facts(project)["a.png"]
    picture(folder / "a.png", 200)
    assert assets.add(project, folder).n_joined == 1
    assert facts(project)["a.png"] != first
    then = trace.asset_facts(project, with_first.size)
    assert then["digest"].to_pylist() == [first]


def test_what_is_no_image_is_told_and_the_rest_goes_in(project: Project) -> None:
    folder = project.root / "images"
    picture(folder / "a.png")
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    done = assets.add(project, folder)
    assert done.n_new == 1
    assert [name for name, _ in done.unreadable] == ["torn.png"]


@pytest.mark.parametrize("prefix", ["../", "/abs/", "a/../../b/"])
def test_a_prefix_that_climbs_is_refused(project: Project, prefix: str) -> None:
    with pytest.raises(BadInput) as caught:
        assets.add(project, project.root, prefix=prefix)
    assert caught.value.slug == "prefix"
