"""Whoever rewrites the log is found by what he cannot rewrite: the store, a key, or Git's commits."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineage.activities import audit_log, keys
from lineage.activities.context import Project, locate, open_project
from lineage.activities.findings import Finding
from lineage.activities.ingest import import_labels
from lineage.errors import Refused
from lineage.identity import canonical_json, canonical_rows, leaf_digests, log_leaf, merkle_root
from lineage.segments import Checkpoint, Ledger, file_sha256, header_name
from lineage.segments.checkpoints import body_of
from lineage.segments.notes import Signer, joined, split_note
from lineage.vcs.objects import file_md5
from tests.conftest import make_batch
from tests.exports import coco

KEY = Signer("proj", b"k" * 32)
N = 6  # a schema, its lock, a batch, three imports


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
    return done.stdout.decode().strip()


def commit(root: Path) -> str:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")
    return git(root, "rev-parse", "HEAD")


def imported(project: Project, n: int, *, x: float = 10.0) -> None:
    boxes = [(k, f"{n}-{k}.png", "car", [x, 10.0, 50.0, 40.0]) for k in range(1, 5)]
    import_labels(project, [coco(project.root / f"{n}.json", boxes)], "b1")


@pytest.fixture(scope="module")
def audited(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with three imports, each committed; copied by `root`, never changed."""
    root = tmp_path_factory.mktemp("audited") / "proj"
    shutil.copytree(empty_project, root)
    project = open_project(root, agent="tess@team.example")
    make_batch(project, {"car": ["box"]})
    commit(root)
    for n in (1, 2, 3):
        imported(project, n)
        commit(root)
    project.store.engine.dispose()
    return root


@pytest.fixture
def root(audited: Path, tmp_path: Path) -> Path:
    place = tmp_path / "proj"
    shutil.copytree(audited, place)
    return place


@pytest.fixture
def signed(root: Path) -> Path:
    """The same project, its checkpoint signed and committed."""
    made = keys.create(dataclasses.replace(open_project(root), entropy=lambda n: KEY.seed[:n]))
    assert made.verifier == KEY.verifier.text
    commit(root)
    return root


def found(root: Path) -> list[Finding]:
    return audit_log.findings(locate(root))[0]


def kinds(root: Path) -> list[str]:
    return [finding.kind for finding in found(root)]


def notes(root: Path) -> str:
    return "\n".join(audit_log.findings(locate(root))[1])


def ledger_of(root: Path) -> Ledger:
    return Ledger(root / "ledger")


def change_header(root: Path, seq: int, change: Callable[[dict[str, object]], None]) -> None:
    path = root / "ledger" / "segments" / header_name(seq)
    header = json.loads(path.read_bytes())
    change(header)
    path.write_bytes(canonical_json(header) + b"\n")


def move_a_label(root: Path, seq: int, row: int) -> None:
    """Move one label in a segment and make its header say so, as whoever knows the format would."""
    path = root / "ledger" / "segments" / f"{seq:08d}.revisions.parquet"
    table = pq.read_table(path)
    xs = table["x_max"].to_pylist()
    xs[row] += 30.0
    at = table.schema.get_field_index("x_max")
    table = table.set_column(at, table.schema.field(at), pa.array(xs, pa.float64()))
    pq.write_table(table, path)
    rows = canonical_rows(table.combine_chunks().to_batches()[0], "lineage:revisions:1")
    root_now = merkle_root(leaf_digests(rows)).hex()

    def say_so(header: dict[str, object]) -> None:
        parts = header["parts"]
        assert isinstance(parts, list)
        for part in parts:
            if part["table"] == "revisions":
                part["root"], part["sha256"] = root_now, file_sha256(path)

    change_header(root, seq, say_so)


def recompute_the_chain(root: Path) -> None:
    """Make every later header, the checkpoint and the store follow what the segments say now."""
    ledger = ledger_of(root)
    leaves: list[bytes] = []
    for seq in ledger.positions():
        before = merkle_root(leaves).hex()
        change_header(root, seq, lambda header, known=before: header.update(previous_root=known))
        leaves.append(log_leaf(ledger.header(seq)))
    state = Checkpoint("proj", len(leaves), merkle_root(leaves).hex())
    (root / "ledger" / "checkpoint").write_text(body_of(state))
    rebuild_the_store(root)


def rebuild_the_store(root: Path) -> None:
    for path in (root / ".lineage").glob("store.db*"):
        path.unlink()
    open_project(root).store.engine.dispose()


def drop_the_newest(root: Path) -> None:
    for path in (root / "ledger" / "segments").glob(f"{N:08d}.*"):
        path.unlink()


def kept_by_dvc(root: Path) -> None:
    """Put the segments into DVC's cache and its lock file, in the form that DVC documents."""
    cache = root / ".dvc" / "cache" / "files" / "md5"
    listing = []
    for path in sorted((root / "ledger" / "segments").iterdir()):
        md5 = file_md5(path)
        listing.append({"md5": md5, "relpath": path.name})
        (cache / md5[:2]).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, cache / md5[:2] / md5[2:])
    content = json.dumps(listing).encode()
    md5 = hashlib.md5(content).hexdigest()
    (cache / md5[:2]).mkdir(exist_ok=True)
    (cache / md5[:2] / f"{md5[2:]}.dir").write_bytes(content)
    out = f"{{path: ledger/segments, hash: md5, md5: {md5}.dir}}"
    (root / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  ingest:\n    outs: [{out}]\n")


def in_the_store(root: Path, statement: str) -> None:
    with sqlite3.connect(root / ".lineage" / "store.db") as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in names.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement)
    connection.close()


def test_a_log_that_nobody_touched_is_clean(root: Path) -> None:
    assert found(root) == []
    assert "is not signed" in notes(root)


def test_a_label_changed_and_the_chain_recomputed_is_found_by_git_which_names_the_activity(
    root: Path,
) -> None:
    move_a_label(root, 5, 2)
    recompute_the_chain(root)
    (finding,) = found(root)
    assert finding.kind == "log-rewritten"
    assert "the first that differs is activity 5" in finding.found
    assert git(root, "rev-parse", "HEAD~1")[:10] in finding.where
    assert finding.n == 2


def test_the_label_is_named_where_the_cache_still_has_what_the_commit_saw(root: Path) -> None:
    kept_by_dvc(root)
    commit(root)
    move_a_label(root, 5, 2)
    recompute_the_chain(root)
    (finding,) = found(root)
    assert (finding.kind, finding.annotation) == ("log-rewritten", 7)
    assert "00000005.revisions.parquet, row 2: x_max 90" in finding.found


@pytest.mark.slow
def test_a_recomputed_chain_without_the_key_bears_no_valid_signature(signed: Path) -> None:
    assert kinds(signed) == []
    text = (signed / "ledger" / "checkpoint").read_text()
    (signed / ".lineage" / "checkpoint.key").unlink()
    shutil.rmtree(signed / ".git")
    move_a_label(signed, 4, 0)
    recompute_the_chain(signed)
    assert kinds(signed) == ["signature-missing"]
    body, lines = split_note((signed / "ledger" / "checkpoint").read_text())
    assert lines == []
    (signed / "ledger" / "checkpoint").write_text(joined(body, split_note(text)[1]))
    assert kinds(signed) == ["signature-invalid"]
    forged = Signer("proj", b"f" * 32)
    (signed / "ledger" / "checkpoint").write_text(joined(body, [forged.line(body)]))
    assert kinds(signed) == ["signature-unknown"]


def test_a_trusted_key_that_was_taken_out_of_the_settings_is_missed(signed: Path) -> None:
    git(signed, "checkout", "-q", "HEAD~1", "--", ".lineage/config.toml")
    assert kinds(signed) == ["verifier-dropped"]
    commit(signed)
    assert kinds(signed) == []


def test_a_machine_with_the_key_does_not_sign_a_log_that_was_rewritten(signed: Path) -> None:
    shutil.rmtree(signed / ".git")
    move_a_label(signed, 4, 0)
    recompute_the_chain(signed)
    assert kinds(signed) == ["signature-missing"]
    with pytest.raises(Refused) as refused:
        imported(open_project(signed), 4)
    assert refused.value.slug == "checkpoint-unsigned"
    assert kinds(signed) == ["signature-missing"]


def test_an_old_checkpoint_with_old_files_and_an_old_store_is_rolled_back(root: Path) -> None:
    git(root, "checkout", "-q", "HEAD~1", "--", "ledger/checkpoint")
    drop_the_newest(root)
    rebuild_the_store(root)
    (finding,) = found(root)
    assert (finding.kind, finding.n) == ("log-rolled-back", 1)
    assert git(root, "rev-parse", "HEAD")[:10] in finding.where


@pytest.mark.slow
def test_newest_activities_dropped_everywhere_but_in_git_are_found(root: Path) -> None:
    drop_the_newest(root)
    (root / "ledger" / "checkpoint").unlink()
    rebuild_the_store(root)
    assert kinds(root) == ["log-rolled-back"]


@pytest.mark.slow
def test_newest_activities_dropped_from_the_files_alone_are_found_three_times(root: Path) -> None:
    drop_the_newest(root)
    assert kinds(root) == ["store-ahead", "log-rolled-back", "log-rolled-back"]


@pytest.mark.slow
def test_checkpoints_that_git_lost_are_a_fault_of_their_own(root: Path) -> None:
    for revision, n in (("HEAD~1:ledger/checkpoint", 1), ("HEAD~1", 1)):
        sha = git(root, "rev-parse", revision)
        (root / ".git" / "objects" / sha[:2] / sha[2:]).unlink()
        (finding,) = found(root)
        assert (finding.kind, finding.n) == ("git-unreadable", n)


def test_an_amended_commit_is_found_while_the_remote_has_the_old_one(root: Path) -> None:
    git(root, "update-ref", "refs/remotes/origin/main", "HEAD")
    drop_the_newest(root)
    git(root, "checkout", "-q", "HEAD~1", "--", "ledger/checkpoint")
    rebuild_the_store(root)
    imported(open_project(root), 3, x=11.0)
    git(root, "add", "-A")
    git(root, "commit", "-q", "--amend", "-m", "x")
    (finding,) = found(root)
    assert finding.kind == "log-forked"
    assert f"the first that differs is activity {N}" in finding.found
    assert git(root, "rev-parse", "origin/main")[:10] in finding.where


@pytest.mark.slow
def test_a_checkpoint_of_another_project_is_told_by_its_origin_and_root(root: Path) -> None:
    other = Checkpoint("other", N, "ab" * 32)
    (root / "ledger" / "checkpoint").write_text(body_of(other))
    assert kinds(root) == ["checkpoint-origin", "checkpoint-differs"]


@pytest.mark.slow
def test_a_later_checkpoint_of_the_remote_is_told_and_is_no_fault(root: Path) -> None:
    git(root, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(root, "reset", "-q", "--hard", "HEAD~1")
    drop_the_newest(root)
    rebuild_the_store(root)
    assert found(root) == []
    assert f"holds a later checkpoint ({N} activities, here {N - 1})" in notes(root)


@pytest.mark.slow
def test_a_missing_header_is_a_gap_and_what_follows_is_not_called_rolled_back(root: Path) -> None:
    (root / "ledger" / "segments" / header_name(4)).unlink()
    assert kinds(root) == ["log-gap"]
    assert header_name(4) in found(root)[0].where


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b'{"at": 1}', b"\xff"])
def test_a_header_that_is_none_is_found(root: Path, content: bytes) -> None:
    (root / "ledger" / "segments" / header_name(5)).write_bytes(content)
    assert "header-unreadable" in kinds(root)
    assert "log-rolled-back" not in kinds(root)


@pytest.mark.slow
def test_a_header_in_other_bytes_is_found_with_its_first_label(root: Path) -> None:
    path = root / "ledger" / "segments" / header_name(5)
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=1))
    (finding,) = found(root)
    assert (finding.kind, finding.annotation) == ("header-changed", 5)


def test_a_header_that_says_something_else_is_found_by_chain_store_and_git(root: Path) -> None:
    change_header(root, 5, lambda header: header.update(agent="a-other"))
    by_kind = {finding.kind: finding for finding in found(root)}
    assert by_kind.keys() == {"log-broken", "store-log", "checkpoint-differs", "log-rewritten"}
    assert header_name(5) in by_kind["log-broken"].where
    assert by_kind["log-broken"].annotation == by_kind["store-log"].annotation == 5


@pytest.mark.slow
def test_the_newest_header_is_held_by_store_and_checkpoint(root: Path) -> None:
    change_header(root, N, lambda header: header.update(code_version="9"))
    assert kinds(root) == ["store-log", "store-log", "checkpoint-differs", "log-rewritten"]


@pytest.mark.slow
def test_headers_that_changed_places_are_found(root: Path) -> None:
    one, two = (root / "ledger" / "segments" / header_name(seq) for seq in (4, 5))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert kinds(root)[:3] == ["header-misplaced", "header-misplaced", "log-broken"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE log_entry SET root = 'x' WHERE seq = 5", "log_entry 5, root"),
        ("UPDATE log_entry SET outcome = '{}' WHERE seq = 4", "log_entry 4, outcome"),
        ("UPDATE log_entry SET n_revisions = 9 WHERE seq = 4", "log_entry 4, n_revisions"),
        ("UPDATE log_entry SET first_revision = 9 WHERE seq = 4", "log_entry 4, first_revision"),
        ("UPDATE activity SET agent = 'b' WHERE seq = 5", "activity 5, agent"),
        ("UPDATE activity SET at = at + 1 WHERE seq = 5", "activity 5, at"),
        ("UPDATE activity SET at = 'x' WHERE seq = 5", "activity 5, at"),
        ("UPDATE activity SET parameters = '{}' WHERE seq = 5", "activity 5, parameters"),
        ("DELETE FROM log_entry WHERE seq = 5", "log_entry 5, leaf"),
    ],
)
def test_a_log_entry_changed_in_the_store_is_named(root: Path, statement: str, where: str) -> None:
    in_the_store(root, statement)
    (finding,) = found(root)
    assert finding.kind == "store-log"
    assert where in finding.where
    assert finding.annotation == {"4": 1, "5": 5}[where.split(",")[0][-1]]


@pytest.mark.slow
def test_an_activity_that_the_store_lost_is_a_gap_and_one_behind_is_not(root: Path) -> None:
    in_the_store(root, "DELETE FROM activity WHERE seq = 2")
    assert kinds(root) == ["store-gap"]
    in_the_store(root, "DELETE FROM activity WHERE seq IN (1, 3, 4, 5, 6)")
    assert kinds(root) == []
    assert "the store lacks activities from 1 on" in notes(root)


@pytest.mark.slow
def test_a_store_that_is_none_is_told(root: Path) -> None:
    for path in (root / ".lineage").glob("store.db*"):
        path.unlink()
    assert found(root) == []
    assert "no store here" in notes(root)
    (root / ".lineage" / "store.db").write_bytes(b"x" * 5000)
    assert kinds(root) == ["store-unreadable"]


@pytest.mark.slow
def test_a_store_of_another_log_is_told(root: Path) -> None:
    in_the_store(root, "UPDATE store_info SET value = 'other' WHERE key = 'origin'")
    assert kinds(root) == ["store-origin"]


@pytest.mark.slow
def test_a_checkpoint_gone_unreadable_or_behind_is_found(root: Path) -> None:
    path = root / "ledger" / "checkpoint"
    git(root, "checkout", "-q", "HEAD~1", "--", "ledger/checkpoint")
    assert kinds(root) == ["checkpoint-behind"]
    path.write_bytes(b"\xff\xfe")
    assert kinds(root) == ["checkpoint-unreadable"]
    path.unlink()
    assert kinds(root) == ["checkpoint-missing"]


@pytest.mark.slow
def test_what_is_not_committed_has_no_witness_and_is_told(root: Path) -> None:
    imported(open_project(root), 4)
    assert found(root) == []
    assert f"activities {N + 1} to {N + 1} have no witness" in notes(root)
    shutil.rmtree(root / ".git")
    assert "nobody witnesses the log" in notes(root)


@pytest.mark.slow
def test_a_second_key_takes_over_and_a_strange_signature_beside_it_says_nothing(
    signed: Path,
) -> None:
    (signed / ".lineage" / "checkpoint.key").rename(signed / "old.key")
    keys.create(open_project(signed), name="second")
    assert found(signed) == []
    body, lines = split_note((signed / "ledger" / "checkpoint").read_text())
    assert [line.split(" ")[1] for line in lines] == ["proj", "second"]
    strange = Signer("witness", b"w" * 32).line(body)
    (signed / "ledger" / "checkpoint").write_text(joined(body, [*lines, strange]))
    assert found(signed) == []
    assert "1 signatures are of keys that the settings do not name" in notes(signed)


def test_an_empty_project_has_nothing_to_find(project: Project) -> None:
    assert audit_log.findings(locate(project.root))[0] == []


@pytest.mark.slow
def test_an_audit_changes_nothing(root: Path) -> None:
    (root / "ledger" / ".pending" / "00000007").mkdir(parents=True)
    before = {p: p.stat().st_mtime_ns for p in (root / "ledger").rglob("*")}
    assert "the next command settles it" in notes(root)
    assert {p: p.stat().st_mtime_ns for p in (root / "ledger").rglob("*")} == before
