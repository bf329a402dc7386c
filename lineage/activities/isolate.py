"""From a worse model to the labels that are to blame, among those that changed between two pinned runs.

Versions are rebuilt and compared, outcomes of the two models joined to the labels and what is known of
them, slices ranked (`calc.suspects`), and for each suspect it is said which labels to look at again
and which words leave it out. Start reading at `isolate`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from lineage.activities import isolate_check, isolate_files, isolate_gold, predicates_text
from lineage.activities.context import Project
from lineage.activities.isolate_files import GOLD, LINKED, NEW_LABELS, Asked, Sources
from lineage.activities.isolate_labels import NONE, Labels, labels_of, side_of
from lineage.activities.isolate_report import IsolateReport, Suspect
from lineage.activities.isolate_units import Joined, by_image, by_label
from lineage.calc.dominance import dominant
from lineage.calc.slices import Slice
from lineage.calc.suspects import LEAST, Ranking, did_rank
from lineage.calc.suspects import Suspect as Found
from lineage.errors import BadInput

N_TOP = 10
_HALF = 0.5
_ENOUGH = 20
_SELDOM = 0.01
"""Chance of false evidence against most of what changed, on top of the ranking's own 5 %."""

_SAYABLE = ("annotator", "schema", "batch", "stage", "class", "vendor")
_DOMINANT = "the first suspect is most of what changed: it is compared with what did not change"
_OR_CORRECTED = (
    "; a correction that the good model has not learned looks the same, so look at some again first"
)
_HINT = "docs/isolate.md shows what the files of outcomes are"


def isolate(
    project: Project,
    *,
    bad: str,
    good: str,
    errors: Sequence[Path] = (),
    sources: Sources | None = None,
    n_top: int = N_TOP,
) -> IsolateReport:
    """Say which slices of the labels that changed between two runs explain why one is worse.

    Parameters
    ----------
    project
        An open project.
    bad, good
        Pinned runs: the worse and the better one.
    errors
        Tables of outcomes, or the good run's predictions.
    sources
        Other files than these, and how they are to be taken.
    n_top
        Suspects to tell of at most.

    Raises
    ------
    Usage
        ``isolate-files``.
    BadInput
        ``isolate-mode``, ``isolate-covers``: no unit, or none that changed, has an outcome;
        ``outcomes-refused`` and what readers raise.
    NotFound
        ``no-run``, ``no-version``.
    Refused
        ``version-differs``.
    """
    worse, better = side_of(project, bad), side_of(project, good)
    digests = (better.digest, worse.digest)
    given = sources or Sources()
    given = replace(given, errors=(*given.errors, *errors))
    asked = isolate_files.asked_of(project, given, better, worse)
    moved = isolate_files.eval_moved(project, given, asked.bad, isolate_check.rng_of(digests))
    labels = labels_of(project, better, worse)
    joined = (by_label if asked.is_by_label else by_image)(labels, asked.table, asked.outcome)
    mode = _mode(asked, given.mode, joined)
    notes = list(asked.notes)
    if mode == GOLD:
        suspects, told = isolate_gold.suspects_of(labels, asked.table, asked.outcome, n_top)
        notes += told
        n_changed, n_units, bar = int(labels.is_changed.sum()), len(asked.outcome), math.nan
    else:
        _refuse_uncovered(joined)
        notes += _notes(joined, labels)
        suspects, bar, told = _ranked(joined, labels, mode, n_top)
        notes += told
        n_changed, n_units = int(joined.is_changed.sum()), len(joined)
    said = isolate_check.judged(project, labels)
    whole = [
        _with_labels(one, suspects, labels, digests, said, rank)
        for rank, one in enumerate(suspects, 1)
    ]
    return IsolateReport(
        bad=bad,
        good=good,
        bad_version=worse.version,
        good_version=better.version,
        mode=mode,
        is_weak=mode == GOLD,
        n_changed=n_changed,
        n_units=n_units,
        threshold=bar,
        evidence=any(one.is_evidence for one in whole),
        suspects=whole,
        eval_moved=moved,
        notes=notes,
        changes=labels.changes,
    )


def _ranked(
    joined: Joined, labels: Labels, mode: str, n_top: int
) -> tuple[list[Suspect], float, list[str]]:
    """Return suspects, the gain above which there is evidence, and notes."""
    ranking = did_rank(joined.units(labels), n_first=n_top)
    suspects = _suspects(ranking, joined, labels)
    notes = [_unchanged_too(one, joined, labels) for one in ranking.steps if _is_older(one)]
    if any(one.is_evidence for one in suspects):
        return suspects[:n_top], ranking.threshold, notes
    units = joined.units(labels, is_whole=True)
    most, bar = dominant(units, least=LEAST, false_evidence_fraction=_SELDOM)
    if most is None or not most.is_evidence:
        return suspects[:n_top], ranking.threshold, notes
    notes.append(_DOMINANT + (_OR_CORRECTED if mode == NEW_LABELS else ""))
    return [_suspect(most, True, joined, labels), *suspects][:n_top], bar, notes


def _mode(asked: Asked, wanted: str, joined: Joined) -> str:
    """Return the way of asking: errors of both runs are linked where units carry provenance."""
    if asked.mode == NEW_LABELS:
        return NEW_LABELS
    if wanted != "auto":
        return wanted
    is_elsewhere = len(joined) == 0 and joined.n_elsewhere > 0
    has_class = asked.table["class"].null_count < asked.table.num_rows
    return GOLD if is_elsewhere and has_class else LINKED


def _refuse_uncovered(joined: Joined) -> None:
    if len(joined) == 0:
        raise BadInput(
            "isolate-covers",
            f"none of {joined.n_elsewhere:,} outcomes is of {joined.word} of the two versions",
            hint=_HINT,
        )
    if joined.n_changed and not joined.is_changed.any():
        raise BadInput(
            "isolate-covers",
            f"{len(joined):,} outcomes, none of the {joined.n_changed:,} {joined.word} that changed "
            "between the versions: nothing can be said of these",
            hint="evaluate on images whose labels changed: predictions on the training images",
        )


def _notes(joined: Joined, labels: Labels) -> list[str]:
    notes = []
    n = int(joined.is_changed.sum())
    if joined.n_changed == 0:
        notes.append("the two versions hold the same labels")
    elif n < _HALF * joined.n_changed:
        notes.append(
            f"only {n:,} of the {joined.n_changed:,} {joined.word} that changed have an outcome: "
            "suspects are looked for among these"
        )
    if joined.n_elsewhere:
        notes.append(f"{joined.n_elsewhere:,} outcomes are of nothing that the bad run was given")
    n_gone = len(labels.annotation) - labels.n_live
    if joined.is_by_label and n_gone:
        notes.append(
            f"{n_gone:,} labels went away between the versions; units that are labels say nothing of "
            "these, images and classes would (--unit image)"
        )
    shared = joined.shared(labels)
    if n and shared:
        told = ", ".join(f"{name} {value}" for name, value in shared.items())
        notes.append(f"all that changed is of {told}: that cannot be told from the change itself")
    return notes


def _is_older(one: Found) -> bool:
    """Tell whether a suspect's labels that did not change lost, too."""
    is_told = one.is_evidence and one.n_unchanged >= _ENOUGH
    return is_told and one.effect_unchanged > _HALF * one.effect


def _unchanged_too(one: Found, joined: Joined, labels: Labels) -> str:
    told = ", ".join(f"{n} {value}" for n, value in _named(one.slice, joined, labels).items())
    return (
        f"{told}: its labels that did not change lost {one.effect_unchanged:.2f}, too, so the images or an "
        "older fault may be behind it"
    )


def _suspects(ranking: Ranking, joined: Joined, labels: Labels) -> list[Suspect]:
    """Return the faults that were found, then what else was likely at first."""
    found = [(one, one.is_evidence) for one in ranking.steps if one.gain > 0]
    taken = {key for one in ranking.steps for key in (one.slice, *one.aliases)}
    # what only looked suspicious beside a fault that is taken out is no evidence of its own
    found += [(one, False) for one in ranking.first if one.gain > 0 and one.slice not in taken]
    return [_suspect(one, is_evidence, joined, labels) for one, is_evidence in found]


def _suspect(found: Found, is_evidence: bool, joined: Joined, labels: Labels) -> Suspect:
    slice_ = _named(found.slice, joined, labels)
    return Suspect(
        rank=0,
        slice=slice_,
        n_changed=found.n_changed,
        gain=found.gain,
        effect=found.effect,
        effect_lo=found.effect_low,
        share_explained=found.share,
        aliases=_simplest([_named(one, joined, labels) for one in found.aliases], slice_),
        step=found.step,
        is_evidence=is_evidence,
        check=(),
        controls=(),
        predicate=None,
    )


def _named(slice_: Slice, joined: Joined, labels: Labels) -> dict[str, str]:
    return {
        name: (joined.classes if name == "class" else labels.words[name])[value]
        for name, value in zip(slice_.attributes, slice_.values, strict=True)
    }


def _simplest(
    aliases: Sequence[Mapping[str, str]], slice_: Mapping[str, str]
) -> list[Mapping[str, str]]:
    """Leave out aliases that only say more than the slice, or than another alias."""
    kept: list[Mapping[str, str]] = []
    for one in sorted(aliases, key=len):
        if not any(other.items() <= one.items() for other in (slice_, *kept)):
            kept.append(one)
    return kept


def _with_labels(
    one: Suspect,
    suspects: Sequence[Suspect],
    labels: Labels,
    digests: Sequence[str],
    said: isolate_check.Judged,
    rank: int,
) -> Suspect:
    """Return a suspect with its rank, labels to look at again, and the words that leave it out."""
    others = [
        slice_
        for other in suspects
        if other is not one and other.is_evidence
        for slice_ in (other.slice, *other.aliases)
    ]
    check, controls = isolate_check.drawn(labels, one.slice, [*others, *one.aliases], digests)
    return replace(
        one,
        rank=rank,
        check=check,
        controls=controls,
        predicate=_predicate(one.slice, labels),
        recheck=isolate_check.recheck(said, check, controls),
        members=pa.array(labels.annotation[labels.member(one.slice) & labels.is_changed]),
    )


def _predicate(slice_: Mapping[str, str], labels: Labels) -> str | None:
    """Return a slice in the words of `predicates`; None where they have none for it."""
    clauses = []
    for name, value in slice_.items():
        if name == "week" and labels.is_timed[labels.member(slice_)].all():
            start = datetime.fromisocalendar(int(value[:4]), int(value[6:]), 1)
            bounds = (("since", start), ("until", start + timedelta(days=7)))
            clauses += [
                predicates_text.written(word, [f"{at:%Y-%m-%d}T00:00:00+00:00"])
                for word, at in bounds
            ]
        elif name in _SAYABLE and value != NONE:
            clauses.append(predicates_text.written(name, [value]))
        else:
            return None
    return " ".join(clauses)
