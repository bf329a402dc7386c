"""A proof is checked by forty lines that know nothing of us, and no change to it goes unseen."""

from __future__ import annotations

import base64
import copy
import json
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lineage import columns
from lineage.activities.context import Project, open_project
from lineage.activities.erase import erase
from lineage.activities.ingest import import_labels
from lineage.activities.prove import prove
from lineage.errors import NotFound, StoreFault
from lineage.segments import Checkpoint, header_name
from lineage.segments.checkpoints import body_of
from tests.conftest import REPOSITORY, make_batch
from tests.exports import annotation, coco, label_studio, region

VERIFIER = REPOSITORY / "docs" / "verify_proof.py"


@pytest.fixture(scope="module")
def proven(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Seven labels, one of which was moved later, with all that a row can hold."""
    root = tmp_path_factory.mktemp("proven") / "proj"
    shutil.copytree(empty_project, root)
    project = open_project(root, agent="tess@team.example")
    make_batch(project, {"Käfer": ["box", "polygon"]}, attributes={"type": "object"})
    boxes = [(k, f"{k}.png", "Käfer", [10.0, 10.0, 50.0, 40.0]) for k in range(1, 8)]
    ring = [[10.0, 10.0, 60.0, 10.0, 60.0, 50.5], [1.0, 1.0, 2.0, 1.0, 2.0, 2.0]]
    import_labels(project, [coco(root / "1.json", boxes, segmentation=ring)], "b1")
    moved = [(3, "3.png", "Käfer", [10.0, 10.0, 55.0, 40.0])]
    import_labels(project, [coco(root / "2.json", moved)], "b1")
    return project


@pytest.fixture(scope="module")
def proof(proven: Project) -> dict[str, Any]:
    return json.loads(json.dumps(prove(proven, 3)))


def verdict(
    proof: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch, *known: Path
) -> bool:
    """Run the verifier in this process, for speed; `alone` runs it as anybody would."""
    path = folder / "proof.json"
    path.write_text(json.dumps(proof))
    monkeypatch.setattr(sys, "argv", ["verify_proof.py", str(path), *map(str, known)])
    try:
        runpy.run_path(str(VERIFIER), run_name="__main__")
    except (Exception, SystemExit) as exc:
        # whatever goes wrong in it, Python leaves with a code that is not 0
        return getattr(exc, "code", 1) == 0
    return True


def alone(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(VERIFIER), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C.UTF-8"},
    )


def tampered(value: Any) -> Iterator[Any]:
    """Yield every document that differs from one in a single place."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from ({**value, name: other} for other in tampered(inner))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from ([*value[:at], other, *value[at + 1 :]] for other in tampered(inner))
    elif isinstance(value, str):
        yield from (value[:at] + other(value[at]) + value[at + 1 :] for at in picked(value))
    elif isinstance(value, bool) or value is None:
        yield "x"
    else:
        yield value + 1


def picked(text: str) -> list[int]:
    return sorted({0, len(text) // 3, len(text) // 2, len(text) - 1}) if text else []


def other(sign: str) -> str:
    return "1" if sign == "0" else "0"


def test_the_verifier_is_forty_lines_of_the_standard_library() -> None:
    text = VERIFIER.read_text("utf-8")
    assert text.count("\n") <= 40
    taken = next(line for line in text.splitlines() if line.startswith("import "))
    assert "import" not in text.replace(taken, "")
    assert set(taken.removeprefix("import ").split(", ")) <= sys.stdlib_module_names


def test_the_verifier_knows_the_columns_of_a_revision() -> None:
    names = VERIFIER.read_text("utf-8").split('"""')[3].split()
    told = [(word.split(":")[0], word.endswith("?")) for word in names]
    assert told == [(field.name, field.nullable) for field in columns.REVISIONS]


def test_a_proof_is_checked_in_an_empty_directory_without_us(
    proven: Project, proof: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    shutil.copy(proven.ledger.checkpoint_path, tmp_path / "checkpoint")
    done = alone(tmp_path, "proof.json", "checkpoint")
    assert (done.returncode, done.stderr) == (0, "")
    first, second, last = done.stdout.splitlines()
    assert json.loads(first) == proof["revisions"][0]["fields"]
    assert json.loads(first)["geometry"] == [
        [10.0, 10.0, 60.0, 10.0, 60.0, 50.5],
        [1.0, 1.0, 2.0, 1.0, 2.0, 2.0],
    ]
    assert (json.loads(first)["class"], json.loads(second)["x_max"]) == ("Käfer", 65.0)
    assert last == "proven: 2 revisions of annotation 3 are among the 5 activities of proj"


def test_a_wrong_proof_leaves_with_code_one(proof: dict[str, Any], tmp_path: Path) -> None:
    wrong = copy.deepcopy(proof)
    wrong["revisions"][1]["fields"]["x_max"] = 64.0
    (tmp_path / "proof.json").write_text(json.dumps(wrong))
    done = alone(tmp_path, "proof.json")
    assert (done.returncode, done.stdout.count("\n")) == (1, 1)
    assert "NOT PROVEN: a row has other fields" in done.stderr


@pytest.mark.slow
def test_no_change_of_a_proof_goes_unseen(
    proven: Project, proof: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = proven.ledger.checkpoint_path
    assert verdict(proof, tmp_path, monkeypatch, known)
    wrong = list(tampered(proof))
    assert len(wrong) > 150
    assert [w for w in wrong if verdict(w, tmp_path, monkeypatch, known)] == []


@pytest.mark.parametrize(
    "changed",
    [
        lambda p: p.update(revisions=[]),
        lambda p: p["revisions"][0].update(bytes=None),
        lambda p: p["revisions"][0].update(fields=None),
        lambda p: p["revisions"][0]["path"].append("00" * 32),
        lambda p: p["revisions"][0]["path"].pop(),
        lambda p: p["activities"].pop(),
        lambda p: p["activities"][0]["path"].append("00" * 32),
        lambda p: p["activities"][0].update(header=p["activities"][1]["header"]),
        lambda p: p["revisions"][0].update(row=-1),
        lambda p: p.pop("checkpoint"),
    ],
)
def test_what_was_left_out_or_added_is_seen(
    proof: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: Any
) -> None:
    wrong = copy.deepcopy(proof)
    changed(wrong)
    assert not verdict(wrong, tmp_path, monkeypatch)


def test_a_proof_against_another_checkpoint_is_none(
    proven: Project, proof: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.write_text(body_of(Checkpoint("proj", 5, "ab" * 32)))
    assert not verdict(proof, tmp_path, monkeypatch, other)
    signed = tmp_path / "signed"
    signed.write_text(proven.ledger.checkpoint_text() + "\n— proj AAAAAAAAAAAA\n")
    assert verdict(proof, tmp_path, monkeypatch, signed)


def test_every_annotation_can_be_proven(
    proven: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 8):
        document = prove(proven, number)
        assert verdict(document, tmp_path, monkeypatch, proven.ledger.checkpoint_path)
        size = int(str(document["checkpoint"]).splitlines()[1])
        assert size == len(proven.ledger.positions())
    root = base64.b64decode(proven.ledger.checkpoint_text().splitlines()[2]).hex()
    checkpoint = proven.ledger.checkpoint()
    assert checkpoint is not None
    assert checkpoint.root == root


def test_what_is_not_on_record_is_not_proven(proven: Project) -> None:
    with pytest.raises(NotFound) as refused:
        prove(proven, 99)
    assert refused.value.slug == "no-annotation"


def test_a_ledger_that_does_not_lead_to_its_checkpoint_proves_nothing(
    proven: Project, tmp_path: Path
) -> None:
    root = tmp_path / "proj"
    shutil.copytree(proven.root, root)
    project = open_project(root)
    path = project.ledger.segments / header_name(1)
    before = path.read_bytes()
    path.write_bytes(before.replace(b'"seq":1', b'"seq":9'))
    with pytest.raises(StoreFault) as refused:
        prove(project, 3)
    assert refused.value.slug == "proof-impossible"
    path.write_bytes(before)
    part = project.ledger.segments / "00000004.revisions.parquet"
    pq.write_table(pq.read_table(part).slice(0, 6), part)
    with pytest.raises(StoreFault) as refused:
        prove(project, 3)
    assert refused.value.slug == "proof-impossible"


@pytest.mark.slow
def test_a_row_from_which_text_was_erased_is_proven_by_its_hash_alone(
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_batch(project, {"car": ["box"]}, attributes={"type": "object"})
    meta = {"text": ["a guess of mine"]}
    said = [annotation(1, "bob@crew.example", [region("r1", "car", 1, 1, 5, 5, meta=meta)])]
    other = [annotation(2, "eve@crew.example", [region("r2", "car", 1, 1, 5, 5)])]
    export = label_studio(project.root / "1.json", [("a.png", said), ("b.png", other)])
    import_labels(project, [export], "b1")
    before = json.loads(json.dumps(prove(project, 1)))
    assert "a guess" in before["revisions"][0]["fields"]["extra"]
    assert erase(project, "bob@crew.example").n_texts == {"revisions": 1}
    document = json.loads(json.dumps(prove(project, 1)))
    assert document["revisions"][0]["bytes"] is None
    assert document["revisions"][0]["leaf"] == before["revisions"][0]["leaf"]
    assert verdict(document, tmp_path, monkeypatch, project.ledger.checkpoint_path)
    assert "its hash alone" in capsys.readouterr().out
    beside = json.loads(json.dumps(prove(project, 2)))
    assert beside["revisions"][0]["fields"]["annotation"] == 2
    assert verdict(beside, tmp_path, monkeypatch, project.ledger.checkpoint_path)
