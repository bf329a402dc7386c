"""A slice that is most of what changed, held against labels that did not change.

A ranking asks which slice lost more than what changed elsewhere. One that holds more than half of what changed
sets that standard itself, and could lose everything without standing out. It can only be compared with
what did not change; so what is told of it holds for the change as a whole, right or wrong.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from lineage.calc.slices import Slice, Tally
from lineage.calc.suspects import Suspect, Units
from lineage.calc.verdicts import Method, control, evidence, is_lossy

_HALF = 0.5
_ALIAS = 0.8
_Z95 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class _Candidate:
    slice: Slice
    is_member: np.ndarray
    gain: float


def dominant(
    units: Units, *, least: int, false_evidence_fraction: float = 0.05
) -> tuple[Suspect | None, float]:
    """Return the slice that is most of what changed, and its evidence against unchanged units.

    Parameters
    ----------
    units
        Outcomes and provenance; of attributes that say the same, the first is told.
    least
        Changed units that a slice needs.
    false_evidence_fraction
        Of comparisons in which changed units lost what unchanged ones did, how many may show evidence.

    Returns
    -------
    tuple
        The suspect, None where no slice holds more than half of the changed units or nothing is left to
        compare with; and the gain above which there is evidence.

    Notes
    -----
    Slices of one attribute or two, each weighed as `verdicts.evidence` does, expected to lose what
    unchanged units of their classes lost. Nearly the same units make nearly the same evidence, so the
    price is one for each group of aliases.
    """
    bar = math.log(1 / false_evidence_fraction)
    changed = np.flatnonzero(units.is_changed)
    if len(changed) < least or units.is_changed.all():
        return None, bar
    found = _candidates(units, changed, least)
    if not found:
        return None, bar
    # of slices that weigh alike, the narrower one, and of these the first
    best = min(found, key=lambda one: (-round(one.gain, 9), -len(one.slice.attributes)))
    alike = [one for one in found if one is not best and _jaccard(one, best) >= _ALIAS]
    price = math.log(max(1, len(found) - len(alike)))
    return _told(units, changed, best, alike, best.gain - price, bar), bar


def _candidates(units: Units, changed: np.ndarray, least: int) -> list[_Candidate]:
    single: list[tuple[Slice, np.ndarray]] = []
    for one in units.attributes:
        code = one.code[changed]
        n = np.bincount(code[code >= 0], minlength=one.n_words)
        value = int(n.argmax())
        if n[value] > _HALF * len(changed):
            single.append((Slice((one.name,), (value,)), code == value))
    pairs = [
        (Slice((*a.attributes, *b.attributes), (*a.values, *b.values)), in_a & in_b)
        for (a, in_a), (b, in_b) in itertools.combinations(single, 2)
    ]
    kept = [
        (slice_, is_member)
        for slice_, is_member in (*single, *pairs)
        if is_member.sum() > max(_HALF * len(changed), least - 1)
    ]
    return [_Candidate(s, is_in, _gain(units, changed[is_in])) for s, is_in in kept]


def _gain(units: Units, rows: np.ndarray) -> float:
    is_count = is_lossy(units.outcome)
    tally, deff = _against_unchanged(units, rows, only_losses=is_count)
    return float(evidence(tally, Method.BAYES, deff, is_count)[0])


def _against_unchanged(units: Units, rows: np.ndarray, *, only_losses: bool) -> tuple[Tally, float]:
    """Return the sums of some units, expected to lose what unchanged ones of their classes did."""
    base = control(
        units.is_changed,
        units.class_code,
        units.outcome,
        units.n_classes,
        cluster=units.cluster,
        only_losses=only_losses,
    )
    n = np.bincount(units.class_code[rows], minlength=units.n_classes).astype(float)
    outcome = units.outcome[rows]
    expected, variance = base.mean, base.variance
    if base.overall <= 0:
        # unchanged units that never differ say nothing of luck
        own = float(np.mean((outcome - expected[units.class_code[rows]]) ** 2))
        variance = np.full(units.n_classes, own)
    if only_losses:
        outcome = np.maximum(outcome, 0.0)
        expected = np.clip(expected, 1e-4, 1 - 1e-4)
        variance = expected * (1 - expected)
    sums = (n.sum(), n @ expected, n @ variance, n**2 @ (variance / (base.n + 20)), outcome.sum())
    return Tally(
        (0,), np.zeros(1, np.int64), *(np.array([one]) for one in sums)
    ), base.design_effect


def _jaccard(one: _Candidate, other: _Candidate) -> float:
    both = (one.is_member & other.is_member).sum()
    return float(both / (one.is_member | other.is_member).sum())


def _told(
    units: Units,
    changed: np.ndarray,
    best: _Candidate,
    alike: list[_Candidate],
    gain: float,
    bar: float,
) -> Suspect:
    rows = changed[best.is_member]
    one, deff = _against_unchanged(units, rows, only_losses=False)
    n, total = len(rows), float(units.outcome.sum())
    effect = float(one.observed[0] - one.expected[0]) / n
    own = float(units.outcome[rows].var()) * n
    spread = max(float(one.variance[0]), own) * deff + float(one.shared[0])
    is_in = ~units.is_changed
    for name, value in zip(best.slice.attributes, best.slice.values, strict=True):
        is_in &= next(a.code for a in units.attributes if a.name == name) == value
    return Suspect(
        slice=best.slice,
        n_changed=n,
        gain=gain,
        is_evidence=gain > bar,
        effect=effect,
        effect_low=effect - _Z95 * math.sqrt(spread) / n,
        share=n * effect / total if total > 0 else math.nan,
        aliases=tuple(other.slice for other in alike),
        step=1,
        n_unchanged=int(is_in.sum()),
        effect_unchanged=_rest(units, is_in),
    )


def _rest(units: Units, is_in: np.ndarray) -> float:
    """Return what a slice's unchanged units lost beyond unchanged ones of their classes."""
    base = control(units.is_changed, units.class_code, units.outcome, units.n_classes)
    at = np.flatnonzero(is_in)
    left = units.outcome[at] - base.mean[units.class_code[at]]
    return float(left.mean()) if len(at) else math.nan
