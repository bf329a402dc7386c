"""``lineage erase``: a person is forgotten, and the record still adds up.

The name, contact and salt go from the store and the address book, free text from
segments and store. Parts that held some are written anew beside the activity's own
and take the old ones' places with them, after the store's commit; what the rows'
hashes were stands in a part of the activity. So digests, counts and proofs hold,
and a crash at any instant ends on one side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from lineage.activities import erase_settle, erase_texts, trace
from lineage.activities.context import Project
from lineage.activities.erase_beyond import Beyond, beyond
from lineage.activities.erase_texts import Person
from lineage.activities.record import UNKNOWN, Outcome, Recording, recording
from lineage.activities.trace import Choice
from lineage.errors import Refused
from lineage.segments import Checkpoint, Part
from lineage.segments.redactions import rewrite
from lineage.store import erase as forgetting
from lineage.store import read
from lineage.terms import ActivityKind, AgentKind

_NOBODY = (AgentKind.MODEL, AgentKind.RULE, AgentKind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class EraseReport:
    """What was erased, or would be.

    Parameters
    ----------
    annotator
        Pseudonym: all that is left.
    activity, seq
        Of the erasure; None: nothing was recorded.
    is_dry_run
        Nothing was changed.
    is_repeat
        There was nothing left to erase.
    policy
        Kinds of free text that go with the name.
    n_names
        Entries of the address book: one, or none where the name was not known here.
    n_texts
        Rows that lost text, by part.
    files
        Parts that were written anew.
    is_scrubbed
        Whether the store's free pages are clean; they are made so when the project is opened next, else.
    beyond
        What was not reached.
    checkpoint
        Of the log now.
    """

    annotator: str
    activity: str | None
    seq: int | None
    is_dry_run: bool
    is_repeat: bool
    policy: tuple[str, ...]
    n_names: int
    n_texts: Mapping[str, int]
    files: tuple[str, ...]
    is_scrubbed: bool
    beyond: Sequence[Beyond]
    checkpoint: Checkpoint | None


def erase(
    project: Project, name: str, *, also: Sequence[str] = (), is_dry_run: bool = False
) -> EraseReport:
    """Forget a person.

    Parameters
    ----------
    project
        An open project.
    name
        Handle or pseudonym.
    also
        Further words that name them: other people's text that has one of them goes too.
    is_dry_run
        Tell what would go, and change nothing.

    Raises
    ------
    NotFound
        ``no-annotator``.
    Refused
        ``erase-nobody``: models, rules and ``unknown`` have no name.
    """
    row = _row(project, name)
    handles = [] if row.handle is None else [row.handle]
    words = (*handles, *also)
    policy = project.settings.erase
    person = erase_texts.person_of(row.pseudonym, handles, also)
    with project.store.reading() as connection:
        is_known_gone = row.pseudonym in forgetting.forgotten(connection)
    told = EraseReport(
        row.pseudonym, None, None, is_dry_run, False, policy, len(handles), {}, (), True,
        beyond(project, person, words), project.ledger.checkpoint(),
    )  # fmt: skip
    found = _parts(project, person, policy)
    told = replace(told, n_texts=_tally(found), files=tuple(part.file for part, _, _ in found))
    if is_known_gone and not handles and not found:
        return replace(told, is_repeat=True)
    if is_dry_run:
        return told
    done = Outcome()
    parameters = {"annotator": row.pseudonym, "policy": list(policy)}
    with recording(project, ActivityKind.ERASE, parameters=parameters, outcome=done) as activity:
        # again under the lock: somebody may have imported since
        found = _parts(project, person, policy)
        for part, is_agent, _ in found:
            activity.append("erasures", _anew(activity, part, person, is_agent=is_agent))
        activity.outcome.update(n_names=len(handles), n_texts=_tally(found))
    with project.store.exclusive():
        is_scrubbed = erase_settle.settle(project.store, project.address_book)
    return replace(
        told,
        activity=done.activity,
        seq=done.seq,
        n_texts=_tally(found),
        files=tuple(part.file for part, _, _ in found),
        is_scrubbed=is_scrubbed,
        checkpoint=done.checkpoint,
    )


def _row(project: Project, name: str) -> read.AnnotatorRow:
    (pseudonym,) = trace.selector_of(project, Choice(annotator=(name,))).annotators
    with project.store.reading() as connection:
        (row,) = [row for row in read.annotators(connection) if row.pseudonym == pseudonym]
    if row.pseudonym == UNKNOWN or row.kind in _NOBODY:
        raise Refused(
            "erase-nobody",
            f"{name!r} is of kind {row.kind}, expected a person: there is no name to erase",
            hint="lineage sql 'SELECT * FROM annotator'",
        )
    return row


def _parts(project: Project, person: Person, policy: Sequence[str]) -> list[tuple[Part, bool, int]]:
    """Return the parts that hold text of a person, whether it is of their own activity, and of how many rows."""
    tables = {table for word in policy for table in erase_texts.POLICY[word]}
    positions = project.ledger.positions()
    found = []
    for seq in positions:
        project.progress("search", seq, len(positions))
        is_agent = project.ledger.header(seq)["agent"] == person.pseudonym
        for part in project.ledger.parts(seq):
            if part.table not in tables:
                continue
            n = erase_texts.count(project.ledger, part, person, is_agent=is_agent)
            if n:
                found.append((part, is_agent, n))
    return found


def _anew(activity: Recording, part: Part, person: Person, *, is_agent: bool) -> pa.RecordBatch:
    """Write a part without a person's text into the activity's own room, from where it is published."""

    def redacted(batch: pa.RecordBatch) -> tuple[np.ndarray, pa.RecordBatch]:
        rows = erase_texts.losing(part.table, batch, person, is_agent=is_agent)
        return rows, erase_texts.without(part.table, batch, rows)

    ledger = activity.project.ledger
    room = ledger.pending / f"{activity.seq:08d}"
    return rewrite(ledger, part, room / part.file, redacted=redacted, seq=activity.seq)


def _tally(found: Sequence[tuple[Part, bool, int]]) -> dict[str, int]:
    tally: dict[str, int] = {}
    for part, _, n in found:
        tally[part.table] = tally.get(part.table, 0) + n
    return dict(sorted(tally.items()))
