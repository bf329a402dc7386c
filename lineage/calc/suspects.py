"""Which labels are to blame: slices of the changed ones that lost more than anything else explains.

Two pinned versions are compared by what two models did with them. Units that did not
change tell what their class lost anyhow; a slice of the changed ones is suspected for
what it lost beyond that, more surely than its size, its classes and the number of slices
looked at would bring about by themselves. Then its units are taken out, and the next is
looked for among the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lineage.calc.slices import (
    Attribute,
    Layout,
    Slice,
    Tally,
    Terms,
    distinct,
    lay_out,
    tally,
)
from lineage.calc.verdicts import (
    Z95,
    Control,
    Method,
    control,
    gains,
    is_lossy,
    threshold,
)

LEAST = 10
"""Changed units that a slice needs: of fewer, all but total faults are within luck's reach."""

_ALIAS = 0.8
_POOL = 60


@dataclass(frozen=True, slots=True)
class Units:
    """Labels, or images, whose loss is to be explained.

    Parameters
    ----------
    outcome
        ndarray of float64, shape (n_units,): error of the bad run less that of the good one (-1, 0, 1 or
        anything between), or whether a good model contradicts the new label (0, 1); none may be NaN.
    is_changed
        ndarray of bool, shape (n_units,): between the two versions.
    class_code
        ndarray of integers, shape (n_units,): 0 to ``n_classes - 1``.
    n_classes
        How many classes there are.
    attributes
        Provenance, the class included where slices by class are wanted.
    cluster
        ndarray of integers of at least 0, shape (n_units,): units that share their luck, such as an
        image's; None when each has its own.
    """

    outcome: np.ndarray
    is_changed: np.ndarray
    class_code: np.ndarray
    n_classes: int
    attributes: tuple[Attribute, ...]
    cluster: np.ndarray | None = None

    def __post_init__(self) -> None:
        columns = [self.is_changed, self.class_code, *(one.code for one in self.attributes)]
        if any(len(column) != len(self.outcome) for column in columns):
            raise ValueError("every column must be as long as the outcomes")
        n_unknown = len(self.outcome) - int(np.isfinite(self.outcome).sum())
        if n_unknown:
            raise ValueError(f"{n_unknown} outcomes are not finite; leave their units out")

    def control(self, *, only_losses: bool = False) -> Control:
        """Return what unchanged units tell, see `verdicts.control`."""
        return control(
            self.is_changed,
            self.class_code,
            self.outcome,
            self.n_classes,
            cluster=self.cluster,
            only_losses=only_losses,
        )

    def unchanged(self, slice_: Slice, mean: np.ndarray) -> tuple[int, float]:
        """Return how many units of a slice did not change, and what they lost beyond their classes' mean."""
        is_in = ~self.is_changed
        for name, value in zip(slice_.attributes, slice_.values, strict=True):
            is_in &= next(one.code for one in self.attributes if one.name == name) == value
        at = np.flatnonzero(is_in)
        left = self.outcome[at] - mean[self.class_code[at]]
        return len(at), float(left.mean()) if len(at) else math.nan


@dataclass(frozen=True, slots=True)
class Suspect:
    """A slice, and what speaks against it.

    Parameters
    ----------
    slice
        Attributes and values.
    n_changed
        Its changed units.
    gain
        Logarithm of how much better a fault there explains the outcomes than none does, less the price
        of having looked at so many slices.
    is_evidence
        Whether that is more than the threshold.
    effect, effect_low
        Mean loss of its changed units beyond what they would have lost anyhow, and its one-sided 95 %
        lower bound; of one that was picked out of many, somewhat too high.
    share
        Of the whole loss; NaN where there was none.
    aliases
        Slices of nearly the same changed units (Jaccard index of at least 0.8): these outcomes cannot
        tell them from it.
    step
        1 for the first; later ones are what is left when those before are taken out.
    n_unchanged, effect_unchanged
        Its units that did not change, and their mean loss beyond their classes' (NaN of none). Where these
        lost as well, something else than the new labels is at work: a site, a camera.
    """

    slice: Slice
    n_changed: int
    gain: float
    is_evidence: bool
    effect: float
    effect_low: float
    share: float
    aliases: tuple[Slice, ...]
    step: int
    n_unchanged: int
    effect_unchanged: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Suspected slices.

    Parameters
    ----------
    steps
        One suspect a step, each with evidence save perhaps the first: "no evidence" is a first without.
    first
        The first step's slices, best first; none an alias of another.
    threshold
        Gain above which there is evidence.
    n_slices, n_changed
        Slices weighed in the first step, and changed units in all.
    shift
        What changed units lost beyond unchanged ones of their class, over all classes alike.
    is_weak
        Whether provenance was only reached by way of what labels resemble.
    """

    steps: tuple[Suspect, ...]
    first: tuple[Suspect, ...]
    threshold: float
    n_slices: int
    n_changed: int
    shift: float
    is_weak: bool = False


@dataclass(frozen=True, slots=True)
class _Lead:
    """A slice on the way to being a suspect: where it is among the tallies, its gain, units, aliases."""

    at: tuple[int, ...]
    key: int
    gain: float
    places: np.ndarray
    aliases: tuple[tuple[tuple[int, ...], int], ...]


def did_rank(
    units: Units,
    *,
    method: Method = Method.BAYES,
    depth: Literal[1, 2] = 2,
    least: int = LEAST,
    n_first: int = 10,
    n_steps: int = 5,
    false_evidence_fraction: float = 0.05,
) -> Ranking:
    """Rank slices of changed units by how surely they lost more than their classes did.

    Parameters
    ----------
    units
        Outcomes and provenance.
    method
        ``did`` is METHODS 6.1 to the letter; ``bayes`` is the same comparison weighed as
        `lineage.calc.verdicts` tells.
    depth
        Attributes of a slice at most.
    least
        Changed units that a slice needs.
    n_first
        Slices to tell of the first step.
    n_steps
        Faults to look for at most.
    false_evidence_fraction
        Of comparisons without a fault, how many may show evidence at most (``bayes``).

    Returns
    -------
    Ranking
        Without suspects when nothing changed, or no slice has enough changed units.

    Raises
    ------
    ValueError
        By `Units`, of outcomes that are not finite.

    References
    ----------
    Grunwald, de Heide and Koolen, Safe Testing, JRSS B 86, 2024, doi:10.1093/jrsssb/qkae011 (``bayes``).
    """
    layout = lay_out(units.is_changed, units.class_code, units.n_classes, units.attributes)
    n_changed = len(layout)
    is_count = method is Method.BAYES and is_lossy(units.outcome)
    base, plain = (units.control(only_losses=only_losses) for only_losses in (is_count, False))
    steps: list[Suspect] = []
    first: tuple[Suspect, ...] = ()
    bar, n_slices, shift = math.nan, 0, 0.0
    for step in range(1, n_steps + 1):
        outcome = units.outcome[layout.row]
        loss = np.maximum(outcome, 0.0) if is_count else outcome
        class_ = layout.class_code
        terms = base.terms(loss, class_, method=method, is_count=is_count)
        scene = _scene(layout, terms, method, base.design_effect, depth=depth, least=least)
        seen = plain.terms(outcome, class_, method=method, is_count=False)
        if step == 1:
            bar = threshold(scene.tallies, method, false_evidence_fraction)
            n_slices = sum(len(one.key) for one in scene.tallies)
            shift = float(seen.expected[0] - plain.mean[0]) if n_changed else 0.0
        leads = _leads(scene, n_first if step == 1 else 1)
        told = tuple(
            _suspect(lead, _Seen(units, layout, seen, plain.mean), bar, step, base.design_effect)
            for lead in leads
        )
        first = told if step == 1 else first
        if not told or (step > 1 and not told[0].is_evidence):
            break
        steps.append(told[0])
        if not told[0].is_evidence:
            break
        layout = layout.without(leads[0].places)
    return Ranking(tuple(steps), first, bar, n_slices, n_changed, shift)


@dataclass(frozen=True, slots=True)
class _Scene:
    """A step's changed units, all their slices, and the gains of these."""

    layout: Layout
    tallies: tuple[Tally, ...]
    gains: tuple[np.ndarray, ...]

    def common(self, places: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield each combination, those of its slices that hold some of the units, and how many."""
        for number, one in enumerate(self.tallies):
            if len(one.key):
                key, n = distinct(self.layout, one.at, places)
                at = np.minimum(np.searchsorted(one.key, key), len(one.key) - 1)
                is_held = one.key[at] == key
                yield number, at[is_held], n[is_held]

    def lead(self, number: int, at: int) -> _Lead:
        """Return a slice with its units and aliases."""
        name = self.tallies[number].at, int(self.tallies[number].key[at])
        places = self.layout.member(*name)
        alike = []
        for other, among, n in self.common(places):
            one = self.tallies[other]
            jaccard = n / (one.n[among] + len(places) - n)
            alike += [(one.at, int(key)) for key in one.key[among[jaccard >= _ALIAS]]]
        aliases = tuple(other for other in alike if other != name)
        return _Lead(*name, float(self.gains[number][at]), places, aliases)


def _scene(
    layout: Layout,
    terms: Terms,
    method: Method,
    design_effect: float,
    *,
    depth: int,
    least: int,
) -> _Scene:
    tallies = tuple(tally(layout, at, terms, least=least) for at in layout.combinations(depth))
    gained = tuple(gains(one, method, design_effect, terms.is_count) for one in tallies)
    return _Scene(layout, tallies, gained)


def _leads(scene: _Scene, n_wanted: int) -> list[_Lead]:
    """Return the best slices, none an alias of a better one."""
    pool = []
    for number, gain in enumerate(scene.gains):
        best = np.argsort(-gain, kind="stable")[:_POOL]
        pool += [(-float(gain[at]), number, int(at)) for at in best]
    leads: list[_Lead] = []
    taken: set[tuple[tuple[int, ...], int]] = set()
    for _, number, at in sorted(pool):
        one = scene.tallies[number]
        if (one.at, int(one.key[at])) in taken:
            continue
        lead = scene.lead(number, at)
        leads.append(lead)
        taken |= {(lead.at, lead.key), *lead.aliases}
        if len(leads) >= n_wanted:
            break
    return leads


def _tally_of(layout: Layout, places: np.ndarray, terms: Terms, at: tuple[int, ...]) -> Tally:
    """Return the sums of some units, as of one slice."""
    class_ = np.searchsorted(layout.start, places, side="right") - 1
    n = np.bincount(class_, minlength=len(terms.expected)).astype(float)
    sums = (n.sum(), n @ terms.expected, n @ terms.variance, n**2 @ terms.spread)
    observed = terms.observed[places].sum()
    return Tally(at, np.zeros(1, np.int64), *(np.array([one]) for one in (*sums, observed)))


@dataclass(frozen=True, slots=True)
class _Seen:
    """A step's outcomes as they were given, and what was expected of them."""

    units: Units
    layout: Layout
    terms: Terms
    mean: np.ndarray


def _suspect(lead: _Lead, seen: _Seen, bar: float, step: int, design_effect: float) -> Suspect:
    """Tell of a slice in outcomes as they were given."""
    one = _tally_of(seen.layout, lead.places, seen.terms, lead.at)
    n, total = len(lead.places), float(seen.units.outcome.sum())
    effect = float(one.observed[0] - one.expected[0]) / n
    own = float(seen.terms.observed[lead.places].var()) * n
    spread = max(float(one.variance[0]), own) * design_effect + float(one.shared[0])
    slice_ = seen.layout.slice_of(lead.at, lead.key)
    n_unchanged, effect_unchanged = seen.units.unchanged(slice_, seen.mean)
    return Suspect(
        slice=slice_,
        n_changed=n,
        gain=lead.gain,
        is_evidence=lead.gain > bar,
        effect=effect,
        effect_low=effect - Z95 * math.sqrt(spread) / n,
        share=n * effect / total if total > 0 else math.nan,
        aliases=tuple(seen.layout.slice_of(*other) for other in lead.aliases),
        step=step,
        n_unchanged=n_unchanged,
        effect_unchanged=effect_unchanged,
    )
