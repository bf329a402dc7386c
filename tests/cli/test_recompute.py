"""`recompute` and `subset` as words: what they print, and what they leave with the shell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lineage.activities import version
from lineage.activities.context import open_project
from lineage.activities.ingest import import_labels
from lineage.settings import Recipe
from tests.cli.conftest import Run
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region


@pytest.fixture
def root(project_root: Path) -> Path:
    """A project with one version: two people's cars on four images."""
    project = open_project(project_root, agent="tess@team.example")
    make_batch(project, {"car": ["box"], "dog": ["box"]})
    tasks = [
        (f"{at}.png", [annotation(at, f"{who}@x.example", [region(f"r{at}", "car", 5, 5, 9, 9)])])
        for at, who in enumerate(["ada", "ada", "bo", "bo"])
    ]
    import_labels(project, [label_studio(project_root / "e.json", tasks)], "b1")
    version.build(project, Recipe(), tag="base")
    return project_root


@pytest.mark.slow
def test_a_version_is_rebuilt_where_there_is_no_store_and_none_is_made(
    run: Run, root: Path
) -> None:
    kept = {"config.toml", ".gitignore"}
    for path in (root / ".lineage").iterdir():
        if path.name not in kept:
            path.unlink() if path.is_file() else shutil.rmtree(path)
    ran = run(root, "recompute", "base")
    assert ran.code == 0
    assert [line.split()[-2:] for line in ran.out.splitlines()] == [["digest", "bytes"], ["same", "same"]]  # fmt: skip
    assert run(root, "--json", "recompute", "--all").json["versions"][0]["differs"] == []
    made = run(root, "--json", "subset", "--of", "base", "--batch", "b1", "--tag", "b1").json
    assert made["version"]["n_annotations"] == 4
    assert {path.name for path in (root / ".lineage").iterdir()} == kept
    # the store that comes later knows what was made without it
    names = [entry["tags"] for entry in run(root, "--json", "version", "list").json["versions"]]
    assert ["b1"] in names or ["b1", "base"] in names


@pytest.mark.slow
def test_a_version_that_does_not_come_out_again_is_a_failed_check(run: Run, root: Path) -> None:
    (path,) = (root / "ledger" / "versions").glob("*.json")
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "recipe": {**manifest["recipe"], "until": "2026-01-01T00:00:00Z"}}))  # fmt: skip
    ran = run(root, "recompute", "base")
    assert ran.code == 1
    assert "digest differs: the ledger, the recipe or this release gives other labels" in ran.out
    assert run(root, "--json", "recompute", "base").json["identical"]["digest"] is False


@pytest.mark.slow
def test_a_counterfactual_says_what_went_and_how_to_see_it(run: Run, root: Path) -> None:
    words = ("recompute", "base", "--without", "annotator=bo@x.example", "--tag", "no-bo")
    ran = run(root, *words)
    assert ran.code == 0, ran.err
    assert "2 labels left out, 0 in an earlier revision, 2 images gone" in ran.out
    assert (root / "data" / "no-bo" / "manifest.json").is_file()
    found = run(root, "--json", "diff", "base", "no-bo").json
    assert (found["n_retracted"], found["n_unchanged"]) == (2, 2)
    again = run(root, "--json", *words[:-2], "--out", str(root / "elsewhere")).json
    assert (again["n_left_out"], again["version"]["counterfactual"]["revert"]) == (2, False)
    assert run(root, "version", "show", "no-bo").out.count("counterfactual") == 1


@pytest.mark.slow
def test_a_subset_leaves_as_any_format(run: Run, root: Path, tmp_path: Path) -> None:
    asked = ("--annotator", "ada@x.example", "--class", "car", "--attribute", "a=b", "--where", "batch=b1")  # fmt: skip
    assert run(root, "subset", *asked).code == 3, "no label has that attribute"
    made = run(root, "subset", "--annotator", "ada@x.example", "--tag", "ada")
    assert "2 annotations on 2 images" in made.out
    for format_ in ("coco", "cvat", "label-studio", "voc", "yolo"):
        out = tmp_path / format_
        ran = run(root, "--json", "export", str(out), "--format", format_, "--version", "ada")
        assert ran.json["n_labels"] == 2, ran.err


@pytest.mark.parametrize(
    "words",
    [
        ["recompute"],
        ["recompute", "base", "--all"],
        ["recompute", "base", "--revert"],
        ["recompute", "base", "--tag", "x"],
        ["recompute", "--all", "--without", "batch=b1"],
        ["subset"],
        ["subset", "--attribute", "a"],
    ],
)
def test_words_that_ask_nothing_or_two_things_are_usage(
    run: Run, project_root: Path, words: list[str]
) -> None:
    assert run(project_root, *words).code == 2
