"""`dvc repro`, really run: built once, idle the second time, and a changed label found by name."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run, checked, shell


def versions(run: Run, root: Path) -> list[str]:
    return [entry["name"] for entry in run(root, "--json", "version", "list").json["versions"]]


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_second_repro_runs_no_stage(world: Path) -> None:
    told = checked(world, "dvc", "repro")
    assert "Running stage" not in told
    assert checked(world, "git", "status", "--porcelain") == ""


def test_one_edited_label_makes_a_version_that_differs_by_that_label(run: Run, world: Path) -> None:
    (before,) = versions(run, world)
    export = sorted((world / "inbox" / "label_studio").glob("w02*.json"))[0]
    tasks = json.loads(export.read_text())
    region = next(r for t in tasks for a in t["annotations"] for r in a["result"])
    region["value"]["x"] += 1.5
    export.write_text(json.dumps(tasks))
    assert "Running stage 'build'" in checked(world, "dvc", "repro")
    after = next(name for name in versions(run, world) if name != before)
    found = run(world, "--json", "diff", before, after).json
    counted = {key: n for key, n in found.items() if key.startswith("n_") and n}
    n_unchanged = counted.pop("n_unchanged")
    assert counted == {"n_moved": 1}
    assert n_unchanged > 3000
    told = run(world, "diff", before, after).out
    moved = [line.split() for line in told.splitlines() if " moved " in line]
    history = run(world, "--json", "show", moved[0][0]).json["revisions"]
    assert [row["operation"] for row in history] == ["add", "supersede"]
    assert history[1]["box"][0] - history[0]["box"][0] == pytest.approx(1.5 * 3.2)


def test_a_version_is_built_again_byte_for_byte_from_the_ledger_alone(
    run: Run, world: Path, tmp_path: Path
) -> None:
    (name,) = versions(run, world)
    before = files(world / "data" / "dataset")
    shutil.rmtree(world / "data" / "dataset")
    for path in (world / ".lineage").glob("store.db*"):
        path.unlink()
    assert run(world, "build").code == 0
    assert versions(run, world) == [name]
    assert files(world / "data" / "dataset") == before
    out = tmp_path / "out.json"
    assert run(world, "export", str(out), "--format", "coco", "--version", name).code == 0


def test_a_clone_gets_everything_back_from_git_and_dvc(
    run: Run, world: Path, tmp_path: Path
) -> None:
    remote = tmp_path / "remote"
    checked(world, "dvc", "remote", "add", "-d", "store", str(remote))
    checked(world, "git", "commit", "-qam", "remote")
    checked(world, "dvc", "push")
    clone = tmp_path / "clone"
    checked(tmp_path, "git", "clone", "-q", str(world), str(clone))
    assert run(clone, "status").code == 3
    checked(clone, "dvc", "pull", "--allow-missing")
    status = run(clone, "--json", "status").json
    assert status["n_annotations"] == run(world, "--json", "status").json["n_annotations"]
    assert status["versions"] == versions(run, world)
    person = run(clone, "--json", "labels", "--batch", "w01-ls").json["labels"][0]["annotator"]
    assert person.startswith("a-"), "names do not travel with the ledger"


@pytest.mark.slow
def test_a_torn_export_holds_no_other_batch_back(run: Run, world: Path) -> None:
    exports = world / "inbox" / "label_studio"
    torn = sorted(exports.glob("w03*.json"))[0]
    torn.write_bytes(torn.read_bytes()[:-200])
    good = sorted(exports.glob("w04*.json"))[0]
    tasks = json.loads(good.read_text())
    next(r for t in tasks for a in t["annotations"] for r in a["result"])["value"]["y"] += 1
    good.write_text(json.dumps(tasks))
    ran = run(world, "--json", "ingest")
    assert ran.code == 1
    assert [entry["batch"] for entry in ran.json["refused"]] == ["w03-ls"]
    done = {entry["batch"]: entry["n_superseded"] for entry in ran.json["imports"]}
    assert done["w04-ls"] == 1
    assert "w03-ls" not in done
    assert shell(world, "dvc", "repro").returncode != 0


@pytest.mark.slow
def test_init_in_a_subdirectory_of_a_repository_of_ones_own(run: Run, tmp_path: Path) -> None:
    checked(tmp_path, "git", "init", "-q")
    root = tmp_path / "labels"
    root.mkdir()
    assert run(root, "init").code == 0
    assert not (root / ".git").exists()
    again = run(root, "--json", "init")
    assert (again.code, again.json["written"]) == (0, [])
    config = subprocess.run(
        ["git", "check-ignore", "labels/.lineage/store.db", "labels/.lineage/people.json"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert len(config.stdout.splitlines()) == 2
    told = checked(root, "dvc", "config", "core.analytics")
    assert told.strip() == "false"


def test_init_leaves_a_pipeline_of_ones_own_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    ran = run(tmp_path, "--json", "init")
    assert (ran.code, ran.json["error"]["slug"]) == (3, "init-exists")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dvc.yaml"]
