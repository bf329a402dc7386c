"""The order in which rare things are to be looked at, and the command that begins with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineage.activities.rare_counts import Places, Reviewed, Support
from lineage.activities.rare_groups import Group, Groups, Of
from lineage.calc import priorities

Row = Mapping[str, object]
RARE_SHARE = 0.01
"""Of all labels; a class below it is rare whatever its schema says."""

FLOOR = 60
"""Judged labels that a class is to have (METHODS 4.1, 4.2)."""

LEAST_F1 = 0.8
"""Where even the upper bound is below it, people do not mean the same: judging more does not help."""

LEAST_FOUND = 1.0
"""An hour that is not expected to find one missed object is better spent on judging."""

FIND, DEFINE, JUDGE, WAIT, GOLD, NONE = "find", "define", "judge", "wait", "gold", "none"


@dataclass(frozen=True, slots=True)
class RareOrder:
    """How the hour is reckoned.

    Parameters
    ----------
    hours
        Of expert time.
    per_hour
        Labels or places that an expert looks at in one.
    model
        Predictions: CSV or Parquet, as in ``review draw --model``.
    """

    hours: float = 1.0
    per_hour: float = 60.0
    model: Path | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """How people agree on something; None where too few looked twice."""

    f1: float | None
    lo: float | None
    hi: float | None
    n_pairs: int


@dataclass(frozen=True, slots=True)
class Found:
    """What was counted of each group.

    Parameters
    ----------
    groups, support, reviewed
        See there.
    places
        Where only a model sees one; None without a model.
    agreed, n_gold
        Of each group; None where it does not apply.
    order
        How the hour is reckoned.
    tags
        Batches.
    """

    groups: Groups
    support: Support
    reviewed: Reviewed
    places: Places | None
    agreed: Sequence[Agreed | None]
    n_gold: Sequence[int | None]
    order: RareOrder
    tags: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Weighed:
    """Numbers behind the order; arrays of one value a group."""

    rarity: np.ndarray
    gain: np.ndarray
    expected_found: np.ndarray
    is_rare: np.ndarray
    actions: Sequence[str]


def rows_of(found: Found) -> list[Row]:
    """Return the rows of `rare.Rarity`, what is to be looked at first at the top."""
    weighed = _weighed(found)
    finds = np.array([action == FIND for action in weighed.actions], bool)
    idle = np.array([action == NONE for action in weighed.actions], bool)
    priority = weighed.rarity * np.where(finds, weighed.expected_found, weighed.gain)
    n_labels = found.support.n_labels
    # an attribute's values are judged with their classes, and edge cases are what a guideline names
    is_value = np.array([row.of is Of.VALUE for row in found.groups.rows], bool)
    order = np.lexsort((n_labels, -priority, is_value, ~finds, idle))
    return [
        _row(found, weighed, at, rank, float(priority[at]))
        for rank, at in enumerate(order.tolist(), 1)
    ]


def _weighed(found: Found) -> _Weighed:
    support, reviewed, order = found.support, found.reviewed, found.order
    n_more = order.hours * order.per_hour
    wrong, judged = reviewed.n_wrong.astype(float), reviewed.n_judged.astype(float)
    left = support.n_open.astype(float)
    share = support.n_labels / max(support.n_all, 1)
    # of what labels cannot tell nobody knows how rare it is
    is_told = np.array([_is_told(row) for row in found.groups.rows], bool)
    is_rare = np.array([row.is_rare for row in found.groups.rows], bool)
    is_rare |= is_told & (share < RARE_SHARE)
    n = len(found.groups.rows)
    places = np.zeros(n) if found.places is None else found.places.n.astype(float)
    looked = np.full(n, float(reviewed.n_looked))
    finds = priorities.expected_found(reviewed.n_found.astype(float), looked, places, n_more)
    gain = priorities.sureness_gained(wrong, judged, left, n_more)
    actions = [
        _action(found, at, is_found=bool(is_rare[at] and finds[at] >= LEAST_FOUND))
        for at in range(n)
    ]
    return _Weighed(
        priorities.rarity(support.n_labels.astype(float), support.n_all),
        gain,
        finds,
        is_rare,
        actions,
    )


def _action(found: Found, at: int, *, is_found: bool) -> str:
    support, reviewed, agreed = found.support, found.reviewed, found.agreed[at]
    if is_found:
        return FIND
    group = found.groups.rows[at]
    if group.of is Of.EDGE_CASE and not group.tags:
        return GOLD if found.n_gold[at] == 0 else NONE
    if support.n_labels[at] == 0:
        return NONE
    if agreed is not None and agreed.hi is not None and agreed.hi < LEAST_F1:
        return DEFINE
    if reviewed.n_judged[at] < FLOOR and support.n_open[at]:
        return JUDGE
    if reviewed.n_judged[at] < min(FLOOR, reviewed.n_drawn[at]):
        return WAIT
    return GOLD if found.n_gold[at] == 0 else NONE


def _row(found: Found, weighed: _Weighed, at: int, rank: int, priority: float) -> Row:
    group, support, reviewed = found.groups.rows[at], found.support, found.reviewed
    action, agreed = weighed.actions[at], found.agreed[at]
    is_told = _is_told(group)
    n = {
        name: int(values[at]) if is_told else None
        for name, values in (
            ("n_labels", support.n_labels), ("n_images", support.n_images),
            ("n_drawn", reviewed.n_drawn), ("n_judged", reviewed.n_judged),
        )
    }  # fmt: skip
    places = None if found.places is None or group.of is not Of.CLASS else int(found.places.n[at])
    why, command = _told(found, weighed, at)
    return {
        "rank": rank,
        "class": group.class_,
        "of": group.of.value,
        "name": group.name,
        "is_rare": bool(weighed.is_rare[at]),
        **n,
        "share": support.n_labels[at] / max(support.n_all, 1) if is_told else None,
        "f1": None if agreed is None else agreed.f1,
        "f1_lo": None if agreed is None else agreed.lo,
        "f1_hi": None if agreed is None else agreed.hi,
        "n_pairs": None if agreed is None else agreed.n_pairs,
        "n_gold": found.n_gold[at],
        **_error(reviewed, at),
        "n_places": places,
        "expected_found": None if places is None else float(weighed.expected_found[at]),
        "gain": float(weighed.gain[at]),
        "rarity": float(weighed.rarity[at]),
        "priority": None if action == NONE else priority,
        "action": action,
        "why": why,
        "command": command,
    }


def _error(reviewed: Reviewed, at: int) -> Row:
    error = reviewed.error
    here = np.flatnonzero(error.group == at)
    if len(here) == 0:
        return {"error": None, "error_lo": None, "error_hi": None}
    one = int(here[0])
    return {
        "error": float(error.fraction[one]),
        "error_lo": float(error.lo[one]),
        "error_hi": float(error.hi[one]),
    }


def _told(found: Found, weighed: _Weighed, at: int) -> tuple[str, str | None]:
    """Return why this is next, and the command to begin with."""
    group, support, reviewed = found.groups.rows[at], found.support, found.reviewed
    action, batch = weighed.actions[at], support.open_in[at] or found.tags[0]
    draw = f"lineage review draw --batch {batch} --for NAME"
    if action == FIND and found.places is not None:
        n, hopes = int(found.places.n[at]), weighed.expected_found[at]
        why = f"a model sees it in {n:,} places without a label; about {hopes:.0f} missed objects are expected"
        where = found.places.batch[at] or batch
        return (
            why,
            f"lineage review draw --batch {where} --for NAME --model {_quoted(found.order.model)}",
        )
    if action == DEFINE:
        return (
            "people do not mean the same by it",
            f"lineage dispute list --class {_quoted(group.class_)}",
        )
    if action == JUDGE:
        why = f"{reviewed.n_judged[at]:,} judged of {support.n_labels[at]:,}: the interval closes by {weighed.gain[at]:.3f}"
        return why, f"{draw} --floor {FLOOR}"
    if action == WAIT:
        n = reviewed.n_drawn[at] - reviewed.n_judged[at]
        return f"{n:,} are drawn and not judged yet", "lineage review status"
    if action == GOLD:
        case = f" --edge-case {_quoted(group.name)}" if group.of is Of.EDGE_CASE else ""
        why = "no gold says what is right" + (
            "" if _is_told(group) else ", and no attribute tells it"
        )
        return why, f"lineage gold add --annotation N{case}"
    return _idle(group, n_labels=int(support.n_labels[at])), None


def _is_told(group: Group) -> bool:
    """Whether labels can show that they are of it."""
    return group.of is Of.CLASS or bool(group.tags)


def _idle(group: Group, *, n_labels: int) -> str:
    if group.of is Of.EDGE_CASE and not group.tags:
        return "no attribute tells it: gold alone knows it"
    return "judged enough" if n_labels else "no label: a model or a search has to find some"


def _quoted(value: object) -> str:
    text = str(value)
    return f"'{text}'" if " " in text else text
