"""``lineage batch`` as it is typed: ready or not, overridden, handed off."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lineage.activities import batches, schemas
from lineage.activities.context import open_project
from lineage.labelschema import dumps
from lineage.terms import BatchKind
from tests.cli.conftest import Ran, Run
from tests.exports import annotation, label_studio, region

NEW = ("--task", "detection", "--schema", "things@1.0")
POLICY = ("--overlap", "0.1", "--review", "0.05", "--gold", "0.02")


@pytest.fixture(scope="module")
def template(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a locked schema of one class, and a batch; copied by `root`, never changed."""
    folder = tmp_path_factory.mktemp("batches") / "proj"
    shutil.copytree(empty_project, folder)
    document = {"name": "things", "version": "1.0", "classes": {"cat": {"kinds": ["box"]}}}
    path = folder / "things.json"
    path.write_text(dumps(document))
    project = open_project(folder, agent="tess@team.example")
    schemas.add(project, path)
    schemas.lock(project, "things@1.0")
    for tag, kind in (("old", BatchKind.ARCHIVE), ("bare", BatchKind.VOLUME)):
        batches.create(project, batches.BatchOrder(tag, "detection", "things@1.0", kind))
    return folder


@pytest.fixture
def root(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of the test's own."""
    monkeypatch.setenv("LINEAGE_AGENT", "tess@team.example")
    shutil.copytree(template, tmp_path / "proj")
    return tmp_path / "proj"


def exported(root: Path, name: str, n: int, *people: int) -> str:
    """Export images on which each of these people drew one cat."""
    told = [
        [
            annotation(100 * i + who, who, [region(f"r{i}-{who}", "cat", 10, 10, 20, 20)])
            for who in people
        ]
        for i in range(n)
    ]
    tasks = [(f"{name}-{i}.png", one) for i, one in enumerate(told)]
    return str(label_studio(root / f"{name}.json", tasks))


def test_from_unready_to_ready(run: Run, root: Path) -> None:
    def said(*words: str, code: int = 0) -> str:
        ran: Ran = run(root, *words)
        assert ran.code == code, ran.out + ran.err
        return ran.out + ran.err

    told = said("batch", "create", "vol", "--kind", "volume", *NEW, *POLICY)
    assert "lineage batch check vol" in told
    told = said("batch", "check", "vol", code=1)
    for word in (
        "no gold of task detection for cat",
        "no pilot of detection",
        "labels that come in are refused",
    ):
        assert word in told
    export = exported(root, "vol", 2, 1)
    refused = said("import", export, "--batch", "vol", code=3)
    assert "[batch-not-ready]" in refused
    assert "lineage batch override vol --reason WHY" in refused
    said("batch", "create", "gold", *NEW)
    said("import", exported(root, "gold", 2, 9), "--batch", "gold")
    said("gold", "add", "--batch", "gold")
    said("batch", "create", "p1", "--kind", "pilot", *NEW)
    said("import", exported(root, "p1", 30, 1, 2), "--batch", "p1")
    assert "batch vol is ready for volume" in said("batch", "check", "vol")
    assert "2 added" in said("import", export, "--batch", "vol")


def test_an_override_is_shown_by_name_and_still_not_ready(run: Run, root: Path) -> None:
    run(root, "batch", "create", "vol", "--kind", "volume", *NEW)
    ran = run(root, "batch", "override", "vol", "--reason", "the vendor starts on Monday")
    assert (ran.code, "takes labels without: gold, overlap" in ran.out) == (0, True)
    for command in ("show", "check"):
        ran = run(root, "batch", command, "vol")
        assert ran.code == (command == "check")
        assert "by tess@team.example: the vendor starts on Monday (without gold" in ran.out
    assert "and overridden: labels may come in" in ran.out
    assert run(root, "restore", "--discard-store").code == 0
    (told,) = run(root, "--json", "batch", "show", "vol").json["overrides"]
    assert (told["by"], told["reason"]) == ("tess@team.example", "the vendor starts on Monday")
    (hidden,) = run(root, "--json", "--pseudonyms", "batch", "show", "vol").json["overrides"]
    assert hidden["by"].startswith("a-")
    assert run(root, "import", exported(root, "vol", 2, 1), "--batch", "vol").code == 0


def test_a_pilot_and_an_archive_are_told_that_they_are_not_held(run: Run, root: Path) -> None:
    run(root, "batch", "create", "p1", "--kind", "pilot", *NEW)
    ran = run(root, "batch", "check", "p1")
    assert (ran.code, "its kind is pilot, so labels may come in" in ran.out) == (1, True)
    assert run(root, "import", exported(root, "p1", 3, 1, 2), "--batch", "p1").code == 0


def test_a_hand_off_is_written_and_told(run: Run, root: Path) -> None:
    run(root, "batch", "create", "vol", "--kind", "volume", "--vendor", "crew-a", *NEW, *POLICY)
    run(root, "import", exported(root, "gold", 2, 9), "--batch", "vol")
    ran = run(root, "batch", "pack", "vol", "--zip", "--to", "cvat")
    assert ran.code == 0
    folder = root / "outbox" / "pack-vol"
    assert json.loads((folder / "cvat-labels.json").read_text())
    assert (root / "outbox" / "pack-vol.zip").is_file()
    assert "for crew-a" in (folder / "README.md").read_text()
    assert str(folder / "README.md") in ran.out
    assert run(root, "batch", "pack", "vol").code == 3
    told = run(root, "--json", "batch", "pack", "vol", "--out", "elsewhere").json
    assert told["without_example"] == [{"class": "cat", "edge_case": None}]
    assert (root / "elsewhere" / "label-studio.xml").is_file()


@pytest.mark.parametrize(
    ("words", "code", "slug"),
    [
        (["check", "nowhere"], 3, "no-batch"),
        (["override", "bare"], 2, "usage"),
        (["override", "bare", "--reason", ""], 3, "override-reason"),
        (["override", "old", "--reason", "why not"], 3, "override-needless"),
        (["pack", "nowhere"], 3, "no-batch"),
        (["pack", "bare", "--to", "betamax"], 3, "unknown-format"),
        (["create", "b", *NEW, "--gold", "2"], 3, "batch-policy"),
        (["create", "b", *NEW, "--agreement-least", "80"], 3, "batch-policy"),
    ],
)
def test_failures_name_what_is_wrong(
    run: Run, template: Path, words: list[str], code: int, slug: str
) -> None:
    ran = run(template, "--json", "batch", *words)
    assert (ran.code, ran.json["error"]["slug"]) == (code, slug)
    assert not (template / "outbox" / "pack-bare").exists()
