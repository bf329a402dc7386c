"""Labels that were kept in Git: the commits of a path, and its files at each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.errors import LineageError
from lineage.vcs.history import history_of
from tests.cli.conftest import checked
from tests.vcs.test_vcs import repository


def commit(root: Path, message: str, *, author: str = "Ada <ada@team.example>", at: str) -> None:
    checked(root, "git", "add", "-A")
    checked(root, "git", "commit", "-qm", message, f"--author={author}", f"--date={at}")


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A folder of labels: made, touched beside it, moved, changed, and one file taken out."""
    root = repository(tmp_path / "r")
    (root / "old").mkdir()
    for name in ("a", "b"):
        (root / "old" / f"{name}.txt").write_text(f"{name} 1 2 3 4 5 6 7 8 9\n" * 3)
    commit(root, "made", at="2020-01-01T10:00:00+08:00")
    (root / "README").write_text("read")
    commit(root, "beside it", at="2020-01-02T10:00:00+08:00")
    (root / "data").mkdir()
    (root / "old").rename(root / "data" / "labels")
    commit(root, "moved", at="2020-01-03T10:00:00+08:00")
    (root / "data" / "labels" / "a.txt").write_text("a other\n")
    commit(root, "changed", author="Bo <>", at="2020-01-04T10:00:00-02:00")
    (root / "data" / "labels" / "b.txt").unlink()
    (root / "data" / "labels" / "link").symlink_to("a.txt")
    commit(root, "taken out", at="2020-01-05T10:00:00+00:00")
    return root / "data" / "labels"


def test_a_folder_is_followed_to_where_it_stood_before(labels: Path) -> None:
    with history_of(labels) as history:
        told = [(c.subject, c.path, c.author) for c in history.commits]
        times = [c.at.isoformat() for c in history.commits]
    assert told == [
        ("made", "old", "ada@team.example"),
        ("moved", "data/labels", "ada@team.example"),
        ("changed", "data/labels", "Bo"),
        ("taken out", "data/labels", "ada@team.example"),
    ]
    assert times[0] == "2020-01-01T10:00:00+08:00"
    assert times[2] == "2020-01-04T10:00:00-02:00"


def test_every_state_is_what_git_itself_checks_out(labels: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    top = labels.parent.parent
    with history_of(labels) as history:
        for found in history.commits:
            place, n_passed = history.write(found, scratch)
            assert place == scratch
            tree = tmp_path / found.sha
            checked(top, "git", "worktree", "add", "-q", str(tree), found.sha)
            wanted = {
                p.name: p.read_bytes() for p in (tree / found.path).iterdir() if not p.is_symlink()
            }
            assert {p.name: p.read_bytes() for p in scratch.iterdir()} == wanted
            assert n_passed == (found.subject == "taken out")


def test_one_file_is_followed_through_a_move(labels: Path, tmp_path: Path) -> None:
    with history_of(labels / "a.txt") as history:
        assert [c.path for c in history.commits] == [
            "old/a.txt",
            "data/labels/a.txt",
            "data/labels/a.txt",
        ]
        place, _ = history.write(history.commits[-1], tmp_path)
        assert place.read_text() == "a other\n"


def test_a_side_branch_is_no_state_of_the_labels(labels: Path) -> None:
    root = labels.parent.parent
    checked(root, "git", "checkout", "-qb", "side", "HEAD~1")
    (labels / "c.txt").write_text("c\n")
    commit(root, "on the side", at="2020-01-06T10:00:00+00:00")
    checked(root, "git", "checkout", "-q", "main")
    checked(root, "git", "merge", "-q", "--no-ff", "-m", "merged", "side")
    with history_of(labels) as history:
        assert [c.subject for c in history.commits][-2:] == ["taken out", "merged"]


@pytest.mark.parametrize(
    ("path", "revision", "slug"),
    [("none", "HEAD", "git-file"), ("labels", "nope", "git-revision")],
)
def test_what_is_not_there_is_named(labels: Path, path: str, revision: str, slug: str) -> None:
    with (
        pytest.raises(LineageError) as caught,
        history_of(labels.parent / path, revision),
    ):
        pass
    assert caught.value.slug == slug


def test_outside_any_repository_there_is_no_history(tmp_path: Path) -> None:
    with pytest.raises(LineageError) as caught, history_of(tmp_path / "x.json"):
        pass
    assert caught.value.slug == "git-revision"


def test_a_pointer_to_a_large_file_is_refused(tmp_path: Path) -> None:
    root = repository(tmp_path / "r")
    (root / "a.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    commit(root, "pointer", at="2020-01-01T10:00:00+00:00")
    with history_of(root / "a.json") as history, pytest.raises(LineageError) as caught:
        history.write(history.commits[0], tmp_path)
    assert caught.value.slug == "git-lfs"
