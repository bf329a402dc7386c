"""Git and DVC, the real ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lineage import vcs
from lineage.errors import LineageError
from tests.cli.conftest import checked


def repository(root: Path) -> Path:
    root.mkdir(exist_ok=True)
    vcs.init_git(root)
    for key, value in (("user.name", "Tess"), ("user.email", "tess@team.example")):
        checked(root, "git", "config", key, value)
    return root


def test_a_file_is_read_as_of_a_revision(tmp_path: Path) -> None:
    root = repository(tmp_path / "r")
    assert vcs.head_commit(root) is None
    for text in ("one", "two"):
        (root / "note").write_text(text)
        checked(root, "git", "add", "note")
        checked(root, "git", "commit", "-qm", text)
    assert vcs.file_at(root, "HEAD~1", "note") == b"one"
    assert vcs.file_at(root, "main", "note") == b"two"
    assert vcs.last_commit_of(root, "note") == vcs.head_commit(root)
    assert vcs.committer(root) == "tess@team.example"
    for revision, name, slug in (("nope", "note", "git-revision"), ("HEAD", "x", "git-file")):
        with pytest.raises(LineageError) as caught:
            vcs.file_at(root, revision, name)
        assert caught.value.slug == slug


def test_a_project_below_the_top_of_a_repository_reads_its_own_files(tmp_path: Path) -> None:
    root = repository(tmp_path / "r")
    below = root / "labels"
    below.mkdir()
    (below / "note").write_text("below")
    (root / "note").write_text("top")
    checked(root, "git", "add", "-A")
    checked(root, "git", "commit", "-qm", "x")
    assert vcs.file_at(below, "HEAD", "note") == b"below"


def test_dvc_is_set_up_to_check_what_it_pulls_and_to_tell_nobody(tmp_path: Path) -> None:
    root = repository(tmp_path / "r")
    vcs.init_dvc(root)
    checked(root, "dvc", "remote", "add", "s3ish", str(tmp_path / "remote"))
    assert vcs.verify_remotes(root) == ["s3ish"]
    listed = checked(root, "dvc", "config", "--list")
    assert "remote.s3ish.verify=true" in listed
    assert "core.analytics=false" in listed


def test_digests_come_from_dvcs_own_tracking(tmp_path: Path) -> None:
    root = repository(tmp_path / "r")
    vcs.init_dvc(root)
    images = root / "images"
    (images / "deep").mkdir(parents=True)
    contents = {"a.png": b"aa", "deep/b.png": b"bbb", "c.png": b"cc"}
    for name, content in contents.items():
        (images / name).write_bytes(content)
    checked(root, "dvc", "add", "images")
    (images / "c.png").write_bytes(b"changed since")
    (images / "new.png").write_bytes(b"new")
    found = vcs.tracked_digests(root, images)
    assert found == {
        name: ("md5:" + hashlib.md5(contents[name]).hexdigest(), len(contents[name]))
        for name in ("a.png", "deep/b.png")
    }
    assert vcs.tracked_digests(root, images / "deep").keys() == {"b.png"}
