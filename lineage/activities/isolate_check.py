"""From suspicion to proof: which labels to look at again, blind, and what the verdicts on them prove.

The labels are drawn by the two versions' digests and the slice, so that whoever asks again is given the
same. The file that goes to review holds suspects and controls shuffled, and nothing that tells them apart.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage.activities import position
from lineage.activities.context import Project
from lineage.activities.isolate_labels import Labels
from lineage.activities.isolate_report import IsolateReport, Recheck
from lineage.activities.select import Selector, is_word, scan
from lineage.calc.rechecks import confirm, matched_controls
from lineage.errors import Refused
from lineage.identity import canonical_json
from lineage.store import read
from lineage.terms import ActivityKind, DrawReason, Stage, Verdict

Slice = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Judged:
    """Annotations on which a blind verdict stands: ndarrays of int64, ascending, and of bool: disputed."""

    annotation: np.ndarray
    is_disputed: np.ndarray


@dataclass(frozen=True, slots=True)
class CheckFile:
    """A file of labels to be looked at again.

    Parameters
    ----------
    path
        Where it is.
    n_labels, n_images
        What it names.
    batches
        Rows ``batch is_final n``: where these labels stand now.
    """

    path: Path
    n_labels: int
    n_images: int
    batches: Sequence[Mapping[str, object]]


def rng_of(digests: Sequence[str], slice_: Slice | None = None) -> np.random.Generator:
    """Return a source of chance that is the same whenever the same is asked."""
    told = canonical_json({"digests": list(digests), "slice": dict(slice_ or {})})
    return np.random.default_rng(int.from_bytes(hashlib.sha256(told).digest()[:16], "big"))


def drawn(
    labels: Labels, slice_: Slice, others: Sequence[Slice], digests: Sequence[str]
) -> tuple[list[int], list[int]]:
    """Return changed labels of a slice, and controls of the same classes.

    Parameters
    ----------
    labels
        Both versions'; only what the bad run's has can be looked at.
    slice_
        Whose labels are suspected.
    others
        Further suspects and aliases: no controls.
    digests
        Of the two versions.

    Returns
    -------
    tuple
        Annotations of each, ascending.
    """
    live = slice(0, labels.n_live)
    is_excluded = np.zeros(labels.n_live, bool)
    for one in others:
        is_excluded |= labels.member(one)[live]
    is_changed, class_code = labels.is_changed[live], labels.codes["class"][live]
    is_suspect = labels.member(slice_)[live]
    found = matched_controls(
        rng_of(digests, slice_),
        is_suspect,
        is_changed=is_changed,
        class_code=class_code,
        is_excluded=is_excluded,
    )
    if len(found.controls) == 0:
        # a slice that is a whole class leaves none of its class but those that did not change
        found = matched_controls(
            rng_of(digests, slice_),
            is_suspect & is_changed,
            is_changed=is_changed,
            class_code=class_code,
        )
    suspects, controls = (
        np.sort(labels.annotation[rows]).tolist() for rows in (found.suspects, found.controls)
    )
    return suspects, controls


def judged(project: Project, labels: Labels) -> Judged:
    """Return which labels have a blind verdict, the newest of each.

    Notes
    -----
    A verdict is on a revision: one on what a label was before, or has become since, is not about what
    the bad run was given. Rounds of a tool in which reviewers see the labels prove nothing here.
    """
    seq = position.resolve(project, None)
    with project.store.reading() as connection:
        blind_draws = sorted(
            f"draw-{entry.seq}"
            for entry in read.activities(connection)
            if entry.kind == ActivityKind.DRAW
            and entry.parameters.get("reason") == DrawReason.REVIEW
            and not entry.parameters.get("shows_labels")
        )
    verdict_of: dict[int, bool] = {}
    for rows in project.ledger.scan("verdicts", ("revision", "draw", "verdict"), up_to=seq):
        is_judged = rows["revision"].is_valid().to_numpy(zero_copy_only=False)
        is_blind = is_word(rows["draw"], blind_draws) & is_judged
        blind = rows.filter(pa.array(is_blind))
        is_disputed = is_word(blind["verdict"], [Verdict.DISPUTE.value])
        told = zip(blind["revision"].to_pylist(), is_disputed.tolist(), strict=True)
        verdict_of.update(told)
    revisions = labels.revision[: labels.n_live]
    row = np.flatnonzero(np.isin(revisions, np.array(list(verdict_of), np.int64)))
    row = row[np.argsort(labels.annotation[row], kind="stable")]
    wrong = np.array([verdict_of[one] for one in revisions[row].tolist()], bool)
    return Judged(labels.annotation[row], wrong)


def recheck(said: Judged, check: Sequence[int], controls: Sequence[int]) -> Recheck | None:
    """Return what the verdicts on suspects and controls prove; None while either has none."""
    counts = []
    for some in (check, controls):
        is_here = np.isin(said.annotation, np.array(some, np.int64))
        counts.append((int(said.is_disputed[is_here].sum()), int(is_here.sum())))
    (n_wrong, n), (n_wrong_controls, n_controls) = counts
    if n == 0 or n_controls == 0:
        return None
    found = confirm(n_wrong, n, n_wrong_controls, n_controls)
    return Recheck(n_wrong, n, n_wrong_controls, n_controls, found.p_value)


def write(project: Project, path: Path, found: IsolateReport) -> CheckFile:
    """Write what is to be looked at again: ``annotation, asset``, shuffled.

    Parameters
    ----------
    project
        An open project.
    path
        File to write, CSV.
    found
        Its suspects with evidence are taken; where there is none, the likeliest.

    Raises
    ------
    Refused
        ``isolate-check``: there is nothing to look at.
    """
    suspects = [one for one in found.suspects if one.is_evidence] or found.suspects[:1]
    wanted = sorted({number for one in suspects for number in (*one.check, *one.controls)})
    if not wanted:
        raise Refused(
            "isolate-check",
            "no slice is suspected, so there is nothing to look at again",
            hint="lineage isolate without --check says what was found",
        )
    stand = _standing(project, np.array(wanted, np.int64))
    order = rng_of((found.good_version, found.bad_version)).permutation(stand.num_rows)
    shuffled = stand.take(pa.array(order))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("annotation", "asset"))
    rows.writerows(
        zip(*(shuffled[name].to_pylist() for name in ("annotation", "name")), strict=True)
    )
    path.write_text(text.getvalue(), "utf-8")
    counted = Counter(zip(*(stand[n].to_pylist() for n in ("batch", "is_final")), strict=True))
    return CheckFile(
        path=path,
        n_labels=stand.num_rows,
        n_images=len(set(stand["name"].to_pylist())),
        batches=[
            {"batch": batch, "is_final": is_final, "n": n}
            for (batch, is_final), n in sorted(counted.items())
        ],
    )


def _standing(project: Project, annotation: np.ndarray) -> pa.Table:
    """Return image, batch and stage of labels as they are now; those taken back since are gone."""
    seq = position.resolve(project, None)
    parts = []
    wanted = ("annotation", "asset", "batch", "stage")
    for rows in scan(project.ledger, Selector(), wanted, up_to=seq):
        here = rows.filter(pa.array(np.isin(np.asarray(rows["annotation"]), annotation)))
        parts += here.to_pylist()
    with project.store.reading() as connection:
        names = read.asset_names(connection, {row["asset"] for row in parts})
    return pa.table(
        {
            "annotation": pa.array([row["annotation"] for row in parts], pa.int64()),
            "name": pa.array([names[row["asset"]] for row in parts], pa.string()),
            "batch": pa.array([row["batch"] for row in parts], pa.string()),
            "is_final": pa.array([row["stage"] == Stage.FINAL for row in parts], pa.bool_()),
        }
    ).sort_by("annotation")
