"""``lineage audit``: is everything as the record says? Whatever is not is named, with the first label that it touches.

Works on a project as it lies there (`context.locate`): a store that is torn, a
header that is no JSON, a segment that is missing are findings like any other, and
none hides the rest. Nothing is changed. ``docs/trust.md`` lists every kind of finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lineage.activities import (
    audit_dvc,
    audit_log,
    audit_rest,
    audit_rows,
    audit_segments,
    audit_versions,
)
from lineage.activities.audit_ground import Ground, survey
from lineage.activities.context import Project
from lineage.activities.findings import Finding
from lineage.errors import LineageError

_MOST = 20
_COUNTS = ("segments", "revisions", "versions", "dataset_files", "schemas", "runs")


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What came of an audit.

    Parameters
    ----------
    deep
        Whether every row was compared and every object hashed.
    checked
        How many of what: ``segments`` (parts), ``revisions``, ``versions`` and so on.
    findings
        What is not as the record says; of a kind that is found often the first, with how many more.
    notes
        What could not be told, and what is good to know.
    """

    deep: bool
    checked: Mapping[str, int]
    findings: Sequence[Finding]
    notes: Sequence[str]

    @property
    def ok(self) -> bool:
        """Whether everything is as the record says."""
        return not self.findings


def audit(project: Project, *, deep: bool = False, versions: Sequence[str] = ()) -> AuditReport:
    """Hold everything against the record.

    Parameters
    ----------
    project
        As `context.locate` returns it.
    deep
        Decode every segment and compare every row of the store, rebuild versions, hash what DVC keeps.
    versions
        Names, digests or tags: of versions only these are looked at. None: all.

    Raises
    ------
    NotFound
        ``no-version``.
    BadInput
        ``verifier-key``.
    """
    progress = project.progress
    ground = survey(project, deep=deep)
    chosen = audit_versions.named(ground, versions) if versions else []
    steps: list[Callable[[], Iterable[Finding]]] = [
        # what names a label exactly stands first
        lambda: audit_segments.files(ground),
        lambda: _rows(ground) if deep else (),
        lambda: _log(ground),
        lambda: audit_rest.entities(ground),
        lambda: audit_versions.registry(ground, chosen),
        lambda: audit_versions.files(ground),
        lambda: audit_versions.rebuilt(ground, chosen) if deep else (),
        lambda: audit_rest.schemas(ground),
        lambda: audit_rest.pins(ground),
        lambda: _kept(ground) if deep else (),
    ]
    found: list[Finding] = []
    for at, step in enumerate(steps):
        found += step()
        progress("audit", at + 1, len(steps))
    ground.checked["revisions"] = sum(
        part.n_rows for _, part in ground.all_parts() if part.table == "revisions"
    )
    checked = {name: ground.checked[name] for name in [*_COUNTS, *sorted(ground.checked)]}
    return AuditReport(deep, checked, capped(found), tuple(dict.fromkeys(ground.notes)))


def capped(findings: Iterable[Finding], most: int = _MOST) -> list[Finding]:
    """Return findings without repetitions, of each kind the first few; the last of these counts the rest."""
    kept: dict[str, list[Finding]] = {}
    for finding in dict.fromkeys(findings):
        same = kept.setdefault(finding.kind, [])
        if len(same) < most:
            same.append(finding)
        else:
            same[-1] = replace(same[-1], n=same[-1].n + finding.n)
    return [finding for same in kept.values() for finding in same]


def _log(ground: Ground) -> Sequence[Finding]:
    found, notes = audit_log.findings(ground.project)
    ground.notes[:0] = notes
    return found


def _rows(ground: Ground) -> Iterator[Finding]:
    """Decode every segment, and hold the store's rows against what they hold."""
    try:
        with ground.rows() as stored:
            if stored is None:
                yield from audit_segments.rows(ground, None)
                return
            comparison = audit_rows.Comparison(ground, stored)
            yield from audit_segments.rows(ground, comparison.take)
            yield from comparison.findings()
    except LineageError as exc:
        # a torn store must not keep the segments from being read
        label = ground.project.store.label
        yield Finding("store-unreadable", label, None, "a store", exc.message, audit_rows.CURE)
        yield from audit_segments.rows(ground, None)
        return
    yield from audit_rows.pages(ground)


def _kept(ground: Ground) -> Iterator[Finding]:
    if not (ground.project.root / ".dvc").is_dir():
        ground.notes.append("DVC is not set up here, so no object was hashed")
        return
    try:
        yield from audit_dvc.cache(ground)
        yield from audit_dvc.workspace(ground)
    except (LineageError, ValueError, KeyError) as exc:
        ground.notes.append(f"what DVC tracks could not be read: {exc}")
