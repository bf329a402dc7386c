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
from lineage.calc.verdicts import Z95, Control, Method, evidence, is_lossy

_HALF = 0.5
_ALIAS = 0.8


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
    held = _held(units, changed, least)
    if not held:
        return None, bar
    found = _weighed(units, changed, held)
    # of slices that weigh alike, the narrower one, and of these the first
    best = min(found, key=lambda one: (-round(one.gain, 9), -len(one.slice.attributes)))
    alike = [one for one in found if one is not best and _jaccard(one, best) >= _ALIAS]
    price = math.log(max(1, len(found) - len(alike)))
    return _told(units, changed, best, alike, best.gain - price, bar), bar


def _held(units: Units, changed: np.ndarray, least: int) -> list[tuple[Slice, np.ndarray]]:
    """Return the slices that hold more than half of what changed, and which of it they hold."""
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
    return [
        (slice_, is_member)
        for slice_, is_member in (*single, *pairs)
        if is_member.sum() > max(_HALF * len(changed), least - 1)
    ]


def _weighed(
    units: Units, changed: np.ndarray, held: list[tuple[Slice, np.ndarray]]
) -> list[_Candidate]:
    is_count = is_lossy(units.outcome)
    base = units.control(only_losses=is_count)
    found = []
    for slice_, is_member in held:
        tally = _against(base, units, changed[is_member], only_losses=is_count)
        gain = float(evidence(tally, Method.BAYES, base.design_effect, is_count)[0])
        found.append(_Candidate(slice_, is_member, gain))
    return found


def _against(base: Control, units: Units, rows: np.ndarray, *, only_losses: bool) -> Tally:
    """Return some changed units' tally against what unchanged units tell."""
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
    return Tally((0,), np.zeros(1, np.int64), *(np.array([one]) for one in sums))


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
    base = units.control()
    one = _against(base, units, rows, only_losses=False)
    n, total = len(rows), float(units.outcome.sum())
    effect = float(one.observed[0] - one.expected[0]) / n
    own = float(units.outcome[rows].var()) * n
    spread = max(float(one.variance[0]), own) * base.design_effect + float(one.shared[0])
    n_unchanged, effect_unchanged = units.unchanged(best.slice, base.mean)
    return Suspect(
        slice=best.slice,
        n_changed=n,
        gain=gain,
        is_evidence=gain > bar,
        effect=effect,
        effect_low=effect - Z95 * math.sqrt(spread) / n,
        share=n * effect / total if total > 0 else math.nan,
        aliases=tuple(other.slice for other in alike),
        step=1,
        n_unchanged=n_unchanged,
        effect_unchanged=effect_unchanged,
    )
