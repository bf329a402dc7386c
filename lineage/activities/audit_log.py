"""The audit of the log: headers, roots, the store's entries, the checkpoint and who signed it.

Works on a project as it lies there (`context.locate`), because opening one mends
or refuses what an audit has to see. What Git's history says of the log: `audit_witnesses`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from lineage import vcs
from lineage.activities import audit_witnesses
from lineage.activities.context import CONFIG, Project
from lineage.activities.findings import Finding
from lineage.errors import LineageError, NotFound
from lineage.identity import Digest, canonical_json, log_leaf
from lineage.proofs import roots_at
from lineage.segments import Checkpoint, Ledger, header_name, read_parquet
from lineage.segments.checkpoints import parse_checkpoint
from lineage.segments.notes import parse_verifier, verified
from lineage.settings import verifiers_of
from lineage.store import logbook

_STORE_CURE = "rebuild the store from the ledger's files: lineage restore --discard-store"
_FILES_CURE = "bring the ledger's files back: dvc checkout, or dvc pull"
_GIT_CURE = "git checkout -- ledger/checkpoint, then dvc checkout"
_ASK_CURE = "compare with the clone of a colleague before anything is recorded here"
_HEADER_KEYS = (
    *("seq", "activity", "kind", "agent", "at", "code_version", "batch", "parameters", "outcome"),
    *("first_revision", "n_revisions", "previous_root", "parts"),
)
_OF_ACTIVITY = ("activity", "kind", "agent", "at", "code_version", "batch", "parameters")
_OF_ENTRY = ("leaf", "root", "outcome", "first_revision", "n_revisions")


@dataclass(frozen=True, slots=True)
class Log:
    """The log as the ledger's headers have it, up to the first that is missing or no header.

    Parameters
    ----------
    rows
        Per activity what its two rows in the store have to be.
    roots
        At every size, from 0.
    is_whole
        No header is missing or unreadable.
    """

    rows: tuple[Mapping[str, object], ...]
    roots: tuple[Digest, ...]
    is_whole: bool

    @property
    def size(self) -> int:
        """Activities whose headers could be read one after the other."""
        return len(self.rows)


def findings(project: Project) -> tuple[list[Finding], list[str]]:
    """Return what is wrong with the log, and what could not be told or is good to know.

    Parameters
    ----------
    project
        As `context.locate` returns it.

    Raises
    ------
    BadInput
        ``verifier-key``: a verifier of the settings is no key.
    """
    found: list[Finding] = []
    notes: list[str] = []
    log = _headers(project.ledger, found)
    _store(project, log, found, notes)
    checkpoint = _checkpoint(project, log, found, notes)
    _signatures(project, found, notes)
    _trust(project, found)
    if any(project.ledger.unfinished()):
        notes.append("an activity is being written, or was cut off; the next command settles it")
    audit_witnesses.hold(project, log.roots, checkpoint, found, notes, is_whole=log.is_whole)
    return found, notes


def first_label(ledger: Ledger, seq: int) -> int | None:
    """Return the first annotation that an activity touched, None where there is none to read."""
    path = ledger.segments / f"{seq:08d}.revisions.parquet"
    try:
        batch = next(iter(read_parquet(path, ["annotation"])), None)
    except LineageError:
        return None
    return None if batch is None or not batch.num_rows else batch["annotation"][0].as_py()


def _headers(ledger: Ledger, found: list[Finding]) -> Log:
    positions = ledger.positions()
    whole = [seq for at, seq in enumerate(positions, start=1) if at == seq]
    if len(whole) < len(positions):
        lost = len(whole) + 1
        n = positions[-1] - len(positions)
        where, told = f"ledger/segments/{header_name(lost)}", f"{n} of {positions[-1]} missing"
        found.append(Finding("log-gap", where, None, "no gaps", told, _FILES_CURE, n))
    rows: list[Mapping[str, object]] = []
    leaves, previous = [], []
    for seq in whole:
        header = _header(ledger, seq, found)
        if header is None:
            break
        leaf = log_leaf(header)
        leaves.append(leaf)
        previous.append(str(header["previous_root"]))
        rows.append(_expected(header, leaf))
    roots = roots_at(leaves)
    for row, root in zip(rows, roots[1:], strict=True):
        cast(dict[str, object], row)["root"] = root.hex()
    broken = [at for at, root in enumerate(previous) if root != roots[at].hex()]
    if broken:
        at = broken[0]
        found.append(
            Finding(
                "log-broken",
                # the root before activity at + 1 is that of the headers before it
                f"ledger/segments/{header_name(max(at, 1))}",
                first_label(ledger, max(at, 1)),
                f"root {previous[at][:16]} before activity {at + 1}, as that one says",
                f"root {roots[at].hex()[:16]} of the headers that are here",
                _FILES_CURE,
                len(broken),
            )
        )
    return Log(tuple(rows), tuple(roots), len(rows) == len(positions))


def _header(ledger: Ledger, seq: int, found: list[Finding]) -> dict[str, object] | None:
    """Return the header at a place, None where there is none that can be read."""
    path = ledger.segments / header_name(seq)
    where = f"ledger/segments/{path.name}"
    try:
        content = path.read_bytes()
        header = json.loads(content)
        canonical = canonical_json(header)
        lacking = [name for name in _HEADER_KEYS if name not in header]
        datetime.fromisoformat(str(header["at"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as exc:
        told = f"{type(exc).__name__}: {exc}"[:200]
        found.append(Finding("header-unreadable", where, None, "a header", told, _FILES_CURE))
        return None
    if lacking:
        told = f"no {', '.join(lacking)}"
        found.append(Finding("header-unreadable", where, None, "a header", told, _FILES_CURE))
        return None
    if content != canonical + b"\n":
        label, told = first_label(ledger, seq), "the same values, or others, in other bytes"
        found.append(Finding("header-changed", where, label, "canonical JSON", told, _FILES_CURE))
    if header["seq"] != seq:
        label, told = first_label(ledger, seq), f"the header of activity {header['seq']}"
        found.append(
            Finding("header-misplaced", where, label, f"activity {seq}", told, _FILES_CURE)
        )
    return cast(dict[str, object], header)


def _expected(header: Mapping[str, object], leaf: Digest) -> dict[str, object]:
    plain = ("activity", "kind", "agent", "code_version", "batch", "first_revision", "n_revisions")
    return {
        **{name: header[name] for name in plain},
        "at": datetime.fromisoformat(str(header["at"])),
        "parameters": canonical_json(header["parameters"]).decode(),
        "outcome": canonical_json(header["outcome"]).decode(),
        "leaf": leaf.hex(),
    }


def _store(project: Project, log: Log, found: list[Finding], notes: list[str]) -> None:
    store = project.store
    try:
        if not store.exists():
            notes.append("there is no store here, so nothing of it was checked")
            return
        with store.reading() as connection:
            origin = logbook.origin(connection)
            rows = {row.seq: row for row in logbook.log_rows(connection)}
    except LineageError as exc:
        cure = exc.hint or _STORE_CURE
        found.append(
            Finding("store-unreadable", store.label, None, "a readable store", exc.message, cure)
        )
        return
    if origin != project.settings.origin:
        told, expected = repr(origin), repr(project.settings.origin)
        found.append(Finding("store-origin", store.label, None, expected, told, _STORE_CURE))
    for table, names in (("activity", _OF_ACTIVITY), ("log_entry", _OF_ENTRY)):
        _rows(project, log, rows, table, names, found)
    beyond = [seq for seq in rows if seq > log.size]
    if beyond and log.is_whole:
        told = f"{len(rows)} activities"
        cure = (
            f"{_FILES_CURE}; to go back in time with the store too: lineage restore --discard-store"
        )
        here = f"{log.size} activities, as many as there are headers"
        found.append(Finding("store-ahead", store.label, None, here, told, cure, len(beyond)))
    behind = [seq for seq in range(1, log.size + 1) if seq not in rows]
    if behind and behind[0] == len(rows) + 1:
        notes.append(
            f"the store lacks activities from {behind[0]} on; the next command replays them"
        )
    elif behind:
        where = f"{store.label}: activity {behind[0]}"
        found.append(Finding("store-gap", where, None, "a row", "none", _STORE_CURE, len(behind)))


def _rows(
    project: Project,
    log: Log,
    rows: Mapping[int, logbook.LogRow],
    table: str,
    names: tuple[str, ...],
    found: list[Finding],
) -> None:
    differing = [
        (seq, name)
        for seq, expected in enumerate(log.rows, start=1)
        if seq in rows
        for name in names
        if getattr(rows[seq], name) != expected[name]
    ]
    if not differing:
        return
    seq, name = differing[0]
    found.append(
        Finding(
            "store-log",
            f"store, {table} {seq}, {name}",
            first_label(project.ledger, seq),
            str(log.rows[seq - 1][name])[:100],
            str(getattr(rows[seq], name))[:100],
            _STORE_CURE,
            len({seq for seq, _ in differing}),
        )
    )


def _checkpoint(
    project: Project, log: Log, found: list[Finding], notes: list[str]
) -> Checkpoint | None:
    path, where = project.ledger.checkpoint_path, "ledger/checkpoint"
    if not path.is_file():
        if log.size:
            expected = f"{log.size} activities"
            found.append(Finding("checkpoint-missing", where, None, expected, "no file", _GIT_CURE))
        return None
    try:
        checkpoint = parse_checkpoint(path.read_bytes(), str(path))
    except LineageError as exc:
        found.append(
            Finding("checkpoint-unreadable", where, None, "three lines", exc.message, _GIT_CURE)
        )
        return None
    if checkpoint.origin != project.settings.origin:
        expected, told = repr(project.settings.origin), repr(checkpoint.origin)
        found.append(Finding("checkpoint-origin", where, None, expected, told, _GIT_CURE))
    if not 0 <= checkpoint.size <= log.size:
        if log.is_whole:
            expected, told = f"{checkpoint.size} activities", f"{log.size}"
            cure = f"{_FILES_CURE}; if they are gone everywhere: {_ASK_CURE}"
            n = abs(checkpoint.size - log.size)
            found.append(Finding("log-rolled-back", where, None, expected, told, cure, n))
        else:
            notes.append("the checkpoint's root could not be computed: headers are missing")
    elif log.roots[checkpoint.size].hex() != checkpoint.root:
        expected = f"root {checkpoint.root[:16]} of {checkpoint.size} activities"
        told = f"root {log.roots[checkpoint.size].hex()[:16]} of the headers that are here"
        cure = f"{_GIT_CURE}; {_ASK_CURE}"
        found.append(Finding("checkpoint-differs", where, None, expected, told, cure))
    elif checkpoint.size < log.size and log.is_whole:
        expected, told = f"{log.size} activities", f"{checkpoint.size}"
        cure = "git checkout -- ledger/checkpoint; or any command that opens the project writes it"
        n = log.size - checkpoint.size
        found.append(Finding("checkpoint-behind", where, None, expected, told, cure, n))
    return checkpoint


def _signatures(project: Project, found: list[Finding], notes: list[str]) -> None:
    text, where = project.ledger.checkpoint_text(), "ledger/checkpoint"
    if not text:
        return
    verifiers = [parse_verifier(line) for line in project.settings.verifiers]
    told = verified(text, verifiers)
    if not verifiers:
        signed = "bears signatures that nobody can check" if told.unknown else "is not signed"
        notes.append(f"the checkpoint {signed}: the settings name no verifiers (docs/proofs.md)")
        return
    names = ", ".join(sorted({verifier.name for verifier in verifiers}))
    if told.invalid:
        found.append(
            Finding(
                "signature-invalid",
                where,
                None,
                f"a signature of this text by {names}",
                f"{told.invalid[0][:60]!r}",
                f"{_GIT_CURE}; {_ASK_CURE}",
                len(told.invalid),
            )
        )
    if told.valid:
        if told.unknown:
            n = len(told.unknown)
            notes.append(
                f"{n} signatures are of keys that the settings do not name, and say nothing"
            )
        return
    kind = "signature-unknown" if told.unknown else "signature-missing"
    if told.unknown or not told.invalid:
        seen = f"{told.unknown[0][:60]!r}" if told.unknown else "no signature"
        cure = "whoever has the key records or signs again; a new key's public half belongs into "
        cure += "verifiers of .lineage/config.toml (lineage key show)"
        found.append(Finding(kind, where, None, f"signed by {names}", seen, cure))


def _trust(project: Project, found: list[Finding]) -> None:
    """Hold the keys that are trusted against those of the commit: who may drop one may drop them all."""
    try:
        committed = vcs.file_at(project.root, "HEAD", CONFIG.as_posix())
    except (NotFound, ValueError):
        # no commit has it, or Git lost it, which `audit_witnesses` tells
        return
    gone = [line for line in verifiers_of(committed) if line not in project.settings.verifiers]
    if gone:
        expected = f"verifiers as in HEAD, {gone[0][:60]} among them"
        told = f"{len(project.settings.verifiers)} verifiers"
        cure = f"git checkout -- {CONFIG}; if a key was retired on purpose, commit that"
        where = CONFIG.as_posix()
        found.append(Finding("verifier-dropped", where, None, expected, told, cure, len(gone)))
