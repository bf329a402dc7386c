"""How far images are, for eyes: what is not labelled yet, where a batch stands, what a version left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage import formats
from lineage.activities.context import open_project
from lineage.activities.ingest import ImportOptions, import_labels
from tests.cli.conftest import Run
from tests.conftest import make_batch
from tests.told import told


@pytest.fixture
def root(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with images of several states in one batch, and one that nobody spoke of."""
    monkeypatch.setitem(formats.READERS, "told", "tests.told")
    project = open_project(project_root, agent="tess@team.example")
    make_batch(project, {"car": ["box"], "dog": ["box"]})
    said = [
        ["a.png", None, "complete", None],
        ["a.png", "dog", "in_progress", None],
        ["b.png", None, "not_started", None],
        ["c.png", None, "skipped", "too dark"],
    ]
    said += [[f"todo-{i:02d}.png", None, "not_started", None] for i in range(60)]
    export = told(
        project_root / "t.json",
        labels=[["a.png", "ann", "car", "1", 10.0]],
        said=said,
        images=["silent.png"],
    )
    import_labels(project, [export], "b1", options=ImportOptions(format="told"))
    return project_root


def test_what_is_not_labelled_yet_is_listed_page_by_page(run: Run, root: Path) -> None:
    words = ["assets", "list", "--state", "not_started", "--batch", "b1"]
    page = run(root, *words).out
    assert "todo-48.png" in page
    assert "todo-49.png" not in page
    assert "... and 11 more: --offset 50" in page
    rest = run(root, *words, "--offset", "50").out
    assert "todo-59.png" in rest
    assert "more" not in rest
    found = run(root, "--json", *words).json
    assert found["n"] == len(found["assets"]) == 61
    some = run(root, "--json", *words, "--limit", "2", "--offset", "1").json
    assert (some["n"], some["assets"]) == (61, found["assets"][1:3])
    assert run(root, "assets", "list", "--state", "unheard").code == 2


def test_an_image_that_nobody_spoke_of_is_listed_without_a_state(run: Run, root: Path) -> None:
    rows = run(root, "--json", "assets", "list").json["assets"]
    assert [row["asset"] for row in rows[:5]] == ["a.png", "a.png", "b.png", "c.png", "silent.png"]
    assert rows[4] == dict.fromkeys(("class", "state", "reason", "batch")) | {"asset": "silent.png"}
    one = run(root, "--json", "assets", "list", "--asset", "silent.png").json
    assert one == {"n": 1, "assets": [rows[4]]}
    dogs = run(root, "--json", "assets", "list", "--class", "dog", "--asset", "a.png").json
    assert [row["class"] for row in dogs["assets"]] == [None, "dog"]


def test_status_blame_and_build_tell_how_far_images_are(
    run: Run, root: Path, tmp_path: Path
) -> None:
    status = run(root, "status").out
    assert status.splitlines()[-2].split() == ["images", "of", "not_started", "complete", "skipped"]
    assert status.splitlines()[-1].split() == ["b1", "61", "1", "1"]
    batch = run(root, "--json", "status").json["batches"][0]
    assert batch["completeness"] == {"not_started": 61, "skipped": 1, "complete": 1}
    assert "too dark" in run(root, "blame", "c.png").out
    said = run(root, "--json", "blame", "a.png").json["completeness"]
    assert [(row["class"], row["state"]) for row in said] == [
        (None, "complete"),
        ("dog", "in_progress"),
    ]
    built = run(root, "build", "--tag", "v", "--out", str(tmp_path / "out")).out
    assert "as their tools say: 61 not_started, 1 skipped, 1 complete" in built
    assert "left out: 62 images without labels that nobody finished" in built
    assert "left out: 62 images" in run(root, "version", "show", "v").out
