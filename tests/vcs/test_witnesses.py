"""Git's history of a checkpoint: every ref, every merge, and nothing that a clone was made to show."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lineage.errors import StoreFault
from lineage.vcs.witnesses import Witness, witnesses_of

FILE = "ledger/checkpoint"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "repo"
    place.mkdir()
    git(place, "init", "-q", "-b", "main")
    return place


def git(root: Path, *words: str) -> str:
    who = ("-c", "user.name=Tess", "-c", "user.email=tess@team.example")
    done = subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)
    return done.stdout.decode().strip()


def commit(root: Path, content: str | None, file: str = FILE) -> str:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")
    return git(root, "rev-parse", "HEAD")


def seen(root: Path) -> list[tuple[str, bool]]:
    told = witnesses_of(root, FILE)
    assert told is not None
    return [(w.content.decode(), w.is_ancestor) for w in told.seen]


def test_every_commit_that_changed_the_file_is_a_witness_oldest_first(root: Path) -> None:
    first = commit(root, "1")
    commit(root, "x", "other")
    commit(root, "2")
    told = witnesses_of(root, FILE)
    assert told is not None
    assert told.seen[0] == Witness(first, True, told.seen[0].at, b"1")
    assert seen(root) == [("1", True), ("2", True)]
    assert (told.committed, told.is_shallow) == (b"2", False)


def test_branches_remotes_and_tags_witness_what_this_history_lost(root: Path) -> None:
    commit(root, "1")
    for ref in ("refs/heads/side", "refs/remotes/origin/main", "refs/tags/release"):
        gone = commit(root, ref)
        git(root, "update-ref", ref, gone)
        git(root, "reset", "-q", "--hard", "HEAD~1")
    assert sorted(seen(root)) == [
        ("1", True),
        ("refs/heads/side", False),
        ("refs/remotes/origin/main", False),
        ("refs/tags/release", False),
    ]


def test_a_merge_that_takes_one_side_does_not_hide_the_other(root: Path) -> None:
    commit(root, "1")
    git(root, "checkout", "-q", "-b", "side")
    commit(root, "theirs")
    git(root, "checkout", "-q", "main")
    commit(root, "ours")
    git(root, "merge", "-q", "-s", "ours", "side", "-m", "x")
    git(root, "branch", "-q", "-D", "side")
    assert {*seen(root)} == {("1", True), ("ours", True), ("theirs", True)}


def test_a_commit_that_takes_the_file_away_is_no_witness(root: Path) -> None:
    commit(root, "1")
    commit(root, None)
    told = witnesses_of(root, FILE)
    assert told is not None
    assert told.committed is None
    assert seen(root) == [("1", True)]


def test_a_replaced_commit_shows_what_it_replaced(root: Path) -> None:
    commit(root, "0", "other")
    real = commit(root, "real")
    git(root, "checkout", "-q", "-b", "forged", "HEAD~1")
    forged = commit(root, "forged")
    git(root, "checkout", "-q", "main")
    git(root, "branch", "-q", "-D", "forged")
    git(root, "replace", real, forged)
    assert git(root, "show", f"HEAD:{FILE}") == "forged"
    told = witnesses_of(root, FILE)
    assert told is not None
    assert told.committed == b"real"
    assert ("real", True) in seen(root)


def test_a_graft_hides_no_commit(root: Path) -> None:
    commit(root, "0", "other")
    start = git(root, "rev-parse", "HEAD")
    commit(root, "hidden")
    newest = commit(root, "2")
    (root / ".git" / "info").mkdir(exist_ok=True)
    (root / ".git" / "info" / "grafts").write_text(f"{newest} {start}\n")
    assert seen(root) == [("hidden", True), ("2", True)]


def test_a_project_below_the_top_of_its_repository_is_found(root: Path) -> None:
    commit(root, "1", "deep/er/ledger/checkpoint")
    told = witnesses_of(root / "deep" / "er", FILE)
    assert told is not None
    assert [w.content for w in told.seen] == [b"1"]


def test_a_shallow_clone_says_so(root: Path, tmp_path: Path) -> None:
    commit(root, "1")
    commit(root, "2")
    git(root, "clone", "-q", "--depth", "1", root.as_uri(), str(tmp_path / "clone"))
    told = witnesses_of(tmp_path / "clone", FILE)
    assert told is not None
    assert (len(told.seen), told.is_shallow) == (1, True)


def test_bytes_and_commits_that_git_lost_are_told(root: Path) -> None:
    commit(root, "1")
    commit(root, "2")
    blob = git(root, "rev-parse", f"HEAD~1:{FILE}")
    (root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    told = witnesses_of(root, FILE)
    assert told is not None
    assert ([w.content for w in told.seen], told.n_lost) == ([b"2"], 1)
    parent = git(root, "rev-parse", "HEAD~1")
    (root / ".git" / "objects" / parent[:2] / parent[2:]).unlink()
    with pytest.raises(StoreFault) as refused:
        witnesses_of(root, FILE)
    assert refused.value.slug == "git-unreadable"


def test_outside_a_repository_and_before_a_commit_nobody_testifies(
    root: Path, tmp_path: Path
) -> None:
    assert witnesses_of(tmp_path, FILE) is None
    assert witnesses_of(root, FILE) is None
    commit(root, "x", "other")
    told = witnesses_of(root, FILE)
    assert told is not None
    assert (told.seen, told.committed) == ((), None)
