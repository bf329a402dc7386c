"""What DVC keeps, hashed anew: objects by their names, files by the listing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from lineage.vcs import objects


def kept(root: Path, content: bytes, *, ending: str = "") -> str:
    """Put an object into the cache as DVC does, and return its name."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    path = root / ".dvc/cache/files/md5" / md5[:2] / f"{md5[2:]}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5 + ending


def folder(root: Path) -> str:
    """Track a folder of two files; return the name of its listing."""
    (root / "images").mkdir()
    entries = []
    for name in ("a.png", "b.png"):
        (root / "images" / name).write_bytes(name.encode())
        entries.append({"md5": kept(root, name.encode()), "relpath": name})
    listing = kept(root, json.dumps(entries).encode(), ending=".dir")
    (root / "images.dvc").write_text(f"outs:\n- md5: {listing}\n  path: images\n")
    return listing


def test_an_object_whose_bytes_changed_is_told_from_the_others(tmp_path: Path) -> None:
    listing = folder(tmp_path)
    assert [found for found in objects.corrupt(tmp_path) if found] == []
    md5 = hashlib.md5(b"a.png", usedforsecurity=False).hexdigest()
    path = objects.object_of(tmp_path, md5)
    path.write_bytes(b"a.pnG")
    found = [entry for entry in objects.corrupt(tmp_path) if entry]
    assert [(entry.path, entry.expected) for entry in found] == [(path, md5)]
    assert len(list(objects.corrupt(tmp_path))) == 3
    objects.object_of(tmp_path, listing).write_bytes(b"[]")
    assert len([entry for entry in objects.corrupt(tmp_path) if entry]) == 2
    # a listing that is not what its name says lists nothing
    assert list(objects.tracked(tmp_path)) == []


def test_files_of_a_folder_and_of_a_stage_are_tracked_with_their_hashes(tmp_path: Path) -> None:
    folder(tmp_path)
    stage = {"cmd": "true", "outs": [{"reports/a.json": {"cache": False}}, "model.bin"]}
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": {"one": stage}}))
    outs = [{"path": "reports/a.json", "md5": "0" * 32}, {"path": "model.bin", "md5": "1" * 32}]
    (tmp_path / "dvc.lock").write_text(json.dumps({"stages": {"one": {"outs": outs}}}))
    found = {
        entry.path.relative_to(tmp_path).as_posix(): entry for entry in objects.tracked(tmp_path)
    }
    assert sorted(found) == ["images/a.png", "images/b.png", "model.bin", "reports/a.json"]
    assert found["images/a.png"].out == "images"
    assert [name for name, entry in found.items() if not entry.is_cached] == ["reports/a.json"]


def test_the_cache_may_stand_elsewhere(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[cache]\n    dir = ../../shared\n")
    assert objects.cache_of(tmp_path) == tmp_path.parent / "shared/files/md5"
