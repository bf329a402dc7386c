"""A person is forgotten: nothing that names them is left, and everything still adds up."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from lineage import columns
from lineage.activities import batches, gold, ingest, trace, version
from lineage.activities.context import Project, open_project
from lineage.activities.erase import erase
from lineage.activities.record import recording
from lineage.activities.trace import Choice
from lineage.errors import NotFound, Refused
from lineage.identity import MerkleAccumulator
from lineage.segments import file_sha256
from lineage.segments.redactions import leaves_of, redactions
from lineage.store import Store, people, read
from lineage.store import erase as forgetting
from lineage.terms import ActivityKind
from tests.activities.forgetting import (
    BOB,
    EVE,
    LOCAL,
    WORDS,
    bytes_of,
    planted,
    pseudonyms,
    spoken,
)
from tests.exports import annotation, label_studio, region
from tests.store.test_contract import everything

HIS = Choice(batch=("b1",))


def is_whole(project: Project) -> bool:
    """Hold every part against the newest word on its bytes, and against its root."""
    erased = redactions(project.ledger)
    for seq in project.ledger.positions():
        for part in project.ledger.parts(seq):
            known = erased.get(part.file)
            expected = part.sha256 if known is None else known.sha256
            tree = MerkleAccumulator()
            for _, leaves in leaves_of(project.ledger, part, known):
                tree.extend(leaves)
            if file_sha256(project.ledger.segments / part.file) != expected:
                return False
            if tree.root().hex() != part.root:
                return False
    return True


def salt_of(project: Project) -> str:
    rows = json.loads(project.address_book.read_text("utf-8"))
    return str(next(row["salt"] for row in rows if row["handle"] == EVE))


def again(project: Project, root: Path) -> Project:
    """Open a copy of a project whose store is an embedded one."""
    return open_project(root, store_url="sqlite:///.lineage/store.db")


@pytest.mark.slow
def test_nothing_that_names_a_person_is_left_and_everything_adds_up(any_project: Project) -> None:
    project = planted(any_project)
    eve, _ = pseudonyms(project)
    salt = salt_of(project)
    before = version.build(project, tag="v1")
    shown, n_rows = trace.show(project, 1), {k: len(v) for k, v in everything(project).items()}
    assert all(word in spoken(project) for word in WORDS)
    assert b"evelina.quux" in bytes_of(project.root)

    done = erase(project, EVE)

    assert (done.n_names, done.is_repeat, done.is_scrubbed) == (1, False, True)
    assert done.n_texts == {
        "gold": 2, "quarantine": 1, "revisions": 1, "stages": 1, "verdicts": 2,
    }  # fmt: skip
    left = bytes_of(project.root).lower() + spoken(project).lower().encode()
    for gone in (EVE, LOCAL, salt, *WORDS):
        assert gone.lower().encode() not in left, gone
    told = json.dumps(everything(project), default=str).lower()
    assert not any(word.lower() in told for word in (EVE, salt, *WORDS))
    assert told.count("it rains") == 2, "what others said of other things stays"
    assert is_whole(project)
    named = trace.names_of(project)
    assert named[eve] == eve
    assert trace.show(project, 1)["revisions"] == shown["revisions"]
    assert version.build(project)["digest"] == before["digest"]
    n_now = {k: len(v) for k, v in everything(project).items()}
    assert {k for k in n_now if n_now[k] != n_rows[k]} <= {
        "person",
        "activity",
        "log_entry",
        "dataset_version",
    }


@pytest.mark.slow
def test_numbers_and_pseudonyms_in_extra_stay(project: Project) -> None:
    planted(project)
    _, bob = pseudonyms(project)
    erase(project, EVE)
    found = [e for e in project.ledger.read("revisions")["extra"].to_pylist() if e and '"job"' in e]
    assert found == [f'{{"job":3,"note":null,"reviewer":"{bob}"}}', '{"job":4,"note":"it rains"}']


@pytest.mark.slow
def test_history_still_refuses_change_afterwards(any_project: Project) -> None:
    planted(any_project)
    erase(any_project, EVE)
    for table in ("verdict", "stage_event", "gold"):
        with pytest.raises(Refused, match="append-only"), any_project.store.writing() as connection:
            connection.execute(text(f"UPDATE {table} SET seq = seq"))


@pytest.mark.slow
def test_a_store_rebuilt_afterwards_is_equal_and_brings_nothing_back(
    any_project: Project, tmp_path: Path
) -> None:
    planted(any_project)
    book = any_project.address_book.read_text("utf-8")
    erase(any_project, EVE)
    root = tmp_path / "again"
    shutil.copytree(any_project.root, root, ignore=shutil.ignore_patterns("store.db*"))
    # an address book from before, from somebody's backup
    (root / ".lineage" / "people.json").write_text(book)
    rebuilt = again(any_project, root)
    now, then = everything(rebuilt), everything(any_project)
    for name in ("person", "verdict", "gold", "annotator"):
        assert [row for row in now[name]] == [row for row in then[name]], name
    assert EVE.encode() not in bytes_of(root)
    assert is_whole(rebuilt)


@pytest.mark.slow
def test_another_clone_forgets_when_it_is_opened_next(project: Project, tmp_path: Path) -> None:
    planted(project)
    salt = salt_of(project)
    clone = tmp_path / "clone"
    shutil.copytree(project.root, clone)
    assert EVE.encode() in bytes_of(clone)
    erase(project, EVE)
    shutil.rmtree(clone / "ledger")
    shutil.copytree(project.root / "ledger", clone / "ledger")
    opened = again(project, clone)
    left = bytes_of(clone).lower()
    for gone in (EVE, LOCAL, salt, WORDS[0], WORDS[1], WORDS[3]):
        assert gone.lower().encode() not in left, gone
    assert everything(opened)["verdict"] == everything(project)["verdict"]


@pytest.mark.slow
def test_what_a_crash_left_to_scrub_is_scrubbed_on_the_next_opening(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(project)
    with monkeypatch.context() as patch:
        patch.setattr("lineage.activities.erase_settle.settle", lambda store, book: False)
        assert not erase(project, EVE).is_scrubbed
    assert EVE.encode() in bytes_of(project.root)
    open_project(project.root)
    assert EVE.encode() not in bytes_of(project.root)
    with project.store.reading() as connection:
        assert not forgetting.is_owed(connection)


@pytest.mark.slow
def test_a_reader_that_holds_the_store_delays_the_scrub(project: Project) -> None:
    planted(project)
    impatient = Store(project.settings.store_url, project.root, busy_timeout_s=0.2)
    hasty = dataclasses.replace(project, store=impatient)
    with project.store.reading() as connection:
        read.head(connection)
        assert not erase(hasty, EVE).is_scrubbed
    open_project(project.root)
    assert EVE.encode() not in bytes_of(project.root)


def test_a_dry_run_tells_and_changes_nothing(project: Project) -> None:
    planted(project)
    before = bytes_of(project.root)
    told = erase(project, EVE, is_dry_run=True)
    assert (told.activity, told.n_names, sum(told.n_texts.values())) == (None, 1, 7)
    assert bytes_of(project.root) == before


@pytest.mark.slow
def test_a_second_erasure_says_that_nothing_is_left(project: Project) -> None:
    planted(project)
    eve, _ = pseudonyms(project)
    done = erase(project, EVE)
    size = project.ledger.positions()[-1]
    assert erase(project, eve).is_repeat
    assert project.ledger.positions()[-1] == size == done.seq
    with pytest.raises(NotFound, match="no annotator"):
        erase(project, EVE)


@pytest.mark.slow
def test_two_people_are_erased_from_one_part(project: Project) -> None:
    planted(project)
    erase(project, EVE)
    erase(project, BOB)
    assert "it rains" not in spoken(project)
    assert is_whole(project)
    (project.root / ".lineage" / "store.db").unlink()
    again(project, project.root)


@pytest.mark.slow
def test_the_policy_spares_what_it_does_not_name(project: Project) -> None:
    planted(project)
    settings = dataclasses.replace(project.settings, erase=("quarantine",))
    done = erase(dataclasses.replace(project, settings=settings), EVE)
    assert done.n_texts == {"quarantine": 1}
    assert all(word in spoken(project) for word in WORDS)


@pytest.mark.slow
def test_words_that_name_somebody_too_are_found_in_what_others_said(project: Project) -> None:
    planted(project)
    done = erase(project, EVE, also=["RAINS"])
    assert done.n_texts["verdicts"] == 3
    assert "it rains" not in spoken(project)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unknown", "lineage-gold"])
def test_who_has_no_name_is_refused(project: Project, name: str) -> None:
    planted(project)
    kind = {"unknown": "unknown", "lineage-gold": "model"}[name]
    with project.store.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO annotator (id, pseudonym, commitment, kind, seq) "
                "VALUES (99, :name, '', :kind, 1)"
            ),
            {"name": name, "kind": kind},
        )
    with pytest.raises(Refused, match="no name to erase"):
        erase(project, name)


@pytest.mark.slow
def test_who_comes_again_is_somebody_new(project: Project) -> None:
    planted(project)
    eve, _ = pseudonyms(project)
    erase(project, EVE)
    path = label_studio(
        project.root / "two.json",
        [("b.png", [annotation(9, EVE, [region("r9", "car", 1, 1, 9, 9)])])],
    )
    ingest.import_labels(project, [path], "b1")
    new, _ = pseudonyms(project)
    assert new != eve
    with project.store.reading() as connection:
        rows = people.brought_by(connection, project.ledger.positions()[-1])
    assert [row["handle"] for row in rows] == [EVE]


@pytest.mark.slow
def test_whoever_erases_themselves_is_gone_too(project: Project) -> None:
    planted(project)
    erase(dataclasses.replace(project, agent=EVE), EVE)
    assert EVE.encode() not in bytes_of(project.root)


@pytest.mark.slow
def test_files_that_still_name_the_person_are_listed(project: Project) -> None:
    planted(project)
    (project.root / "reports").mkdir()
    (project.root / "reports" / "old.html").write_text(f"<p>{EVE.upper()}</p>")
    (project.root / "inbox" / "one.json").write_text(f'"{EVE}"')
    batches.close(project, "b1")
    told = erase(project, EVE).beyond
    files = {b.where for b in told if b.kind == "file"}
    assert files == {"reports/old.html", "inbox/one.json"}
    assert {b.kind for b in told} == {"file", "dvc", "git", "backup", "clone"}


@pytest.mark.slow
def test_the_reason_of_an_image_stays_in_the_digests_and_is_told(project: Project) -> None:
    planted(project)
    with recording(project, ActivityKind.REVIEW, parameters={}) as activity:
        said = {"seq": activity.seq, "asset": 1, "batch": "b1", "state": "skipped"}
        rows = {**said, "reason": [f"ask {EVE}"]}
        activity.append("completeness", columns.batch_of(columns.SEGMENT_COMPLETENESS, rows, 1))
    (told,) = [b for b in erase(project, EVE).beyond if b.kind == "reason"]
    assert told.where.endswith(".completeness.parquet")


@pytest.mark.slow
def test_a_flipped_row_behind_a_fresh_digest_is_refused_on_restore(project: Project) -> None:
    planted(project)
    erase(project, EVE)
    part = next(p for p in project.ledger.parts(5) if p.table == "verdicts")
    path = project.ledger.segments / part.file
    rows = project.ledger.read("verdicts").set_column(
        8, "comment", [["it rains", "it rains", "it rains"]]
    )
    from lineage.segments import parquet_writer

    with parquet_writer(path, rows.schema) as writer:
        writer.write_table(rows)
    (project.root / ".lineage" / "store.db").unlink()
    with pytest.raises(OSError, match="SHA-256"):
        open_project(project.root)


@pytest.mark.slow
def test_gold_keeps_standing(project: Project) -> None:
    planted(project)
    n = gold.add(project, HIS, is_rehearsal=True).n_unchanged
    erase(project, EVE)
    assert gold.add(project, HIS, is_rehearsal=True).n_unchanged == n > 0
