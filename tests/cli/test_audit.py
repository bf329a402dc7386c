"""`lineage audit` on the README's world: clean deep, and what DVC does not notice is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lineage.activities.context import locate
from lineage.vcs import objects
from tests.activities.audited import replaced, rewrite
from tests.cli.conftest import REPOSITORY, Run, checked, shell

pytestmark = pytest.mark.slow


def kept_times(path: Path, content: bytes) -> None:
    """Write a file so that DVC does not notice: the same size, the same times."""
    before = path.stat()
    assert len(content) == before.st_size
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_the_world_is_clean_deep_and_the_pipeline_audits_it(run: Run, world: Path) -> None:
    ran = run(world, "--json", "audit", "--deep")
    assert (ran.code, ran.json["findings"]) == (0, [])
    assert ran.json["checked"]["objects"] > 50
    assert ran.json["checked"]["rows"] > 10_000
    written = json.loads((world / "reports/audit.json").read_text())
    assert (written["ok"], written["deep"]) == (True, False)
    told = run(world, "audit")
    assert told.out.splitlines()[-1] == "everything is as the record says"
    name = run(world, "--json", "version", "list").json["versions"][0]["name"]
    assert run(world, "--json", "audit", name).json["checked"]["versions"] == 1
    assert run(world, "audit", "nothing").code == 3


def test_a_corrupt_object_that_dvc_does_not_notice_is_named_with_its_label(
    run: Run, world: Path
) -> None:
    segment = sorted((world / "ledger/segments").glob("*.revisions.parquet"))[2]
    md5 = objects.file_md5(segment)
    stored = objects.object_of(locate(world).root, md5)
    content = bytearray(stored.read_bytes())
    with pq.ParquetFile(stored) as file:
        place = file.schema_arrow.names.index("x_min")
        column = file.metadata.row_group(0).column(place)
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 4
    kept_times(stored, bytes(content))
    assert "up to date" in checked(world, "dvc", "status")
    ran = run(world, "--json", "audit", "--deep")
    (found,) = ran.json["findings"]
    assert (ran.code, found["kind"]) == (1, "cache-corrupt")
    assert found["where"] == stored.relative_to(world).as_posix()
    assert found["annotation"] is not None
    assert segment.name in found["found"]


def test_a_changed_image_that_dvc_tracks_is_named(run: Run, world: Path) -> None:
    images = world / "photos"
    images.mkdir()
    for name in ("a.png", "b.png"):
        (images / name).write_bytes(name.encode() * 9)
    checked(world, "dvc", "add", "-q", "photos")
    assert run(world, "audit", "--deep").code == 0
    kept_times(images / "b.png", b"B.png" * 9)
    assert "up to date" in checked(world, "dvc", "status", "photos.dvc")
    (found,) = run(world, "--json", "audit", "--deep").json["findings"]
    assert (found["kind"], found["where"]) == ("workspace-changed", "photos/b.png")


def test_a_changed_label_stops_the_pipeline(run: Run, world: Path) -> None:
    segment = sorted((world / "ledger/segments").glob("*.revisions.parquet"))[0]
    rewrite(segment, lambda rows: replaced(rows, 0, **{"class": "dog"}))
    ran = run(world, "audit")
    assert ran.code == 1
    assert "segment-changed, label 1" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100
    assert shell(world, "dvc", "repro").returncode != 0
    # DVC has the bytes that were recorded
    segment.unlink()
    checked(world, "dvc", "checkout", "ledger/segments")
    assert run(world, "audit").code == 0


def test_a_proof_is_written_and_checked_by_the_independent_program(
    run: Run, world: Path, tmp_path: Path
) -> None:
    proof = tmp_path / "proof.json"
    assert run(world, "audit", "--prove", "7", "--out", str(proof)).code == 0
    told = checked(tmp_path, "python", "-I", str(REPOSITORY / "docs/verify_proof.py"), str(proof))
    assert "7" in told
    assert run(world, "--json", "audit", "--prove", "7").json == json.loads(proof.read_text())


def test_an_audit_after_a_person_was_forgotten_and_after_a_restore_is_clean(
    run: Run, world: Path
) -> None:
    for words in (("erase", "chen@crew-a.example"), ("restore", "--discard-store")):
        ran = run(world, *words)
        assert ran.code == 0, ran.err
        found = run(world, "--json", "audit", "--deep").json
        assert found["findings"] == []
