"""Drift: who began, when, to call one class another, told from the same week's pool.

The stream that is charted is an annotator's directed cell: the partner says c, the
annotator says c'. Its expectation is the rate of the others in the same week,
shrunk to the cell's history, times how careful the annotator is over all cells.
So a hard week is hard for the pool too and raises nobody's alarm, and no clean
baseline is needed. What everybody does at once no pool can show:
`lineage.calc.charts` charts the classes against their own past, and against gold.

Alarms come from a Poisson CUSUM, ``S = max(0, S + x ln R - (R - 1) E)``, with R = 4
for cells and 2 for classes, past the threshold ``h = ln(M T / alpha)``: over M
streams and T weeks without drift, the chance of any alarm is at most alpha.

References
----------
Lorden, Annals of Mathematical Statistics 42(6), 1971, doi:10.1214/aoms/1177693055;
Lucas, Technometrics 27(2), 1985, doi:10.1080/00401706.1985.10488030.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

RATE_RATIO_CELL = 4.0
POOL_PRIOR = 60.0
"""Comparisons that a cell's history is worth beside the week's pool."""

OWN_PRIOR = 20.0
LEAST_EXPECTED = 0.02
_ACTIVE_LEAST = 3
WEEKS_BEFORE = 2


def threshold(n_streams: int, horizon_weeks: int, false_alarm_fraction: float) -> float:
    """Return h = ln(M T / alpha).

    Examples
    --------
    >>> round(threshold(800, 14, 0.05), 2)
    12.32
    """
    return math.log(max(n_streams, 1) * horizon_weeks / false_alarm_fraction)


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers by key: sorted keys, each once, and a value for each.

    Parameters
    ----------
    key
        ndarray of int64, shape (n,), ascending.
    value
        ndarray of float64, shape (n,).
    """

    key: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    value: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __add__(self, other: Counts) -> Counts:
        return counted(
            np.concatenate([self.key, other.key]), np.concatenate([self.value, other.value])
        )

    def at(self, key: np.ndarray) -> np.ndarray:
        """Return the values of keys in any shape, 0 for those that are not there."""
        if len(self.key) == 0:
            return np.zeros(key.shape)
        place = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        return np.where(self.key[place] == key, self.value[place], 0.0)


def counted(key: np.ndarray, value: np.ndarray | None = None) -> Counts:
    """Return the sums of values by key; without values, how often each key stands there."""
    keys, code = np.unique(key, return_inverse=True)
    return Counts(keys, np.bincount(code, value, len(keys)).astype(float))


@dataclass(frozen=True, slots=True)
class Week:
    """The comparisons of one week: partner said ``said``, the annotator said ``own``.

    Parameters
    ----------
    week
        Its number, counted from anywhere.
    annotator, said, own
        ndarrays of int64, shape (n,): codes; agreements (said = own) count too.
    n
        ndarray of float64, shape (n,): how often.
    """

    week: int
    annotator: np.ndarray
    said: np.ndarray
    own: np.ndarray
    n: np.ndarray


@dataclass(frozen=True, slots=True)
class CellState:
    """What cell charts remember between weeks.

    Parameters
    ----------
    n_classes
        Codes of classes, "missing" among them; keys are ``(annotator * K + said) * K + own``.
    n_weeks
        Weeks taken in.
    x, n
        Comparisons so far by (annotator, said, own) where said differs from own, and by
        (annotator, said).
    own_x, own_e
        By annotator: disagreements seen, and expected from the pool.
    s
        The CUSUM of every stream that stands above nought.
    trail
        Rows of (week, stream, x, E) since each stream of ``s`` left nought.
    """

    n_classes: int
    n_weeks: int = 0
    x: Counts = field(default_factory=Counts)
    n: Counts = field(default_factory=Counts)
    own_x: Counts = field(default_factory=Counts)
    own_e: Counts = field(default_factory=Counts)
    s: Counts = field(default_factory=Counts)
    trail: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))


@dataclass(frozen=True, slots=True)
class Alarm:
    """A stream past its threshold.

    Parameters
    ----------
    annotator, said, own
        Codes; -1 where the chart is not of that.
    week, change_week
        When the alarm was raised, and when the change most likely began.
    statistic, threshold
        S and h.
    rate_ratio
        Seen over expected since the change.
    n_seen, n_expected
        Disagreements behind it.
    """

    annotator: int
    said: int
    own: int
    week: int
    change_week: int
    statistic: float
    threshold: float
    rate_ratio: float
    n_seen: float
    n_expected: float


def cells(
    state: CellState, week: Week, *, horizon_weeks: int, false_alarm_fraction: float
) -> tuple[CellState, list[Alarm], int]:
    """Take in a week.

    Parameters
    ----------
    state
        Of the week before; a new `CellState` for the first.
    week
        Its comparisons.
    horizon_weeks, false_alarm_fraction
        T and alpha of the threshold.

    Returns
    -------
    tuple of CellState, list of Alarm, int
        The new state, the alarms that stand this week (strongest first), and the number of streams.
    """
    k = state.n_classes
    is_apart = week.said != week.own
    stream_of = (week.annotator * k + week.said) * k + week.own
    x = counted(stream_of[is_apart], week.n[is_apart])
    n = counted(week.annotator * k + week.said, week.n)
    all_x, all_n = state.x + x, state.n + n
    pair = _active(state.x, x, k)
    people = np.unique(week.annotator)
    stream = people[:, None] * (k * k) + pair[None, :]
    seen, asked = x.at(stream), n.at(people[:, None] * k + pair[None, :] // k)
    by_said = counted(all_n.key % k, all_n.value).at(pair // k)
    is_known = by_said - all_n.at(people[:, None] * k + pair // k) >= POOL_PRIOR
    pool = _pool_expected(
        (seen, asked), (x, n), (all_x.at(stream), all_n.at(people[:, None] * k + pair // k)),
        (all_x, all_n), pair, k,
    )  # fmt: skip
    care = (state.own_x.at(people) + OWN_PRIOR) / (state.own_e.at(people) + OWN_PRIOR)
    expected = np.where(asked > 0, np.maximum(pool * care[:, None], LEAST_EXPECTED), 0.0)
    gain = seen * math.log(RATE_RATIO_CELL) - expected * (RATE_RATIO_CELL - 1)
    # a cell of which the others have shown next to nothing would be charted against the prior alone
    told = ((expected > 0) | (seen > 0)) & is_known
    now = (stream[told], seen[told], expected[told])
    s, trail = advance(state.s, state.trail, week.week, now, gain[told])
    after = CellState(
        n_classes=k,
        n_weeks=state.n_weeks + 1,
        x=all_x,
        n=all_n,
        own_x=state.own_x + Counts(people, seen.sum(axis=1)),
        own_e=state.own_e + Counts(people, pool.sum(axis=1)),
        s=s,
        trail=trail,
    )
    n_people = len(np.unique(all_n.key // k))
    n_streams = n_people * len(pair)
    h = threshold(n_streams, horizon_weeks, false_alarm_fraction)
    if after.n_weeks <= WEEKS_BEFORE:
        return after, [], n_streams
    return after, [_cell_alarm(a, k) for a in alarms(s, trail, week.week, h)], n_streams


def _active(before: Counts, now: Counts, k: int) -> np.ndarray:
    """Return the cells (said, own) that are charted: seen before, or three times this week."""
    old = np.unique(before.key % (k * k))
    this = counted(now.key % (k * k), now.value)
    return np.union1d(old, this.key[this.value >= _ACTIVE_LEAST])


def _pool_expected(
    own: tuple[np.ndarray, np.ndarray],
    week: tuple[Counts, Counts],
    own_all: tuple[np.ndarray, np.ndarray],
    every: tuple[Counts, Counts],
    pair: np.ndarray,
    k: int,
) -> np.ndarray:
    """Return what the others' rates let expect: this week's, shrunk to all weeks so far."""
    totals = []
    for x, n in (week, every):
        by_pair = counted(x.key % (k * k), x.value).at(pair)
        by_said = counted(n.key % k, n.value).at(pair // k)
        totals.append((by_pair, by_said))
    others_x, others_n = totals[0][0] - own[0], totals[0][1] - own[1]
    history = (totals[1][0] - own_all[0] + 1) / (totals[1][1] - own_all[1] + 100)
    found: np.ndarray = own[1] * (others_x + POOL_PRIOR * history) / (others_n + POOL_PRIOR)
    return found


def advance(
    s: Counts,
    trail: np.ndarray,
    week: int,
    now: tuple[np.ndarray, np.ndarray, np.ndarray],
    gain: np.ndarray,
) -> tuple[Counts, np.ndarray]:
    """Take one CUSUM step in every stream that was asked about.

    Parameters
    ----------
    s, trail
        As `CellState`.
    week
        Its number.
    now
        Streams, x and E of the week: ndarrays of shape (n,).
    gain
        ndarray of float64, shape (n,): log likelihood ratio of the week for drift.
    """
    stream, x, e = now
    value = s.at(stream) + gain
    kept = value > 0
    idle = ~np.isin(s.key, stream)
    order = np.argsort(np.concatenate([s.key[idle], stream[kept]]), kind="stable")
    keys = np.concatenate([s.key[idle], stream[kept]])[order]
    values = np.concatenate([s.value[idle], value[kept]])[order]
    fresh = np.stack(
        [np.full(int(kept.sum()), float(week)), stream[kept], x[kept], e[kept]], axis=1
    )
    alive = np.isin(trail[:, 1], keys)
    return Counts(keys, values), np.concatenate([trail[alive], fresh])


def alarms(s: Counts, trail: np.ndarray, week: int, h: float) -> list[tuple[int, Alarm]]:
    """Return the streams past a threshold with their alarms, strongest first."""
    found = []
    for key, value in zip(s.key[s.value > h].tolist(), s.value[s.value > h].tolist(), strict=True):
        rows = trail[trail[:, 1] == key]
        change, x, e = _change(rows)
        ratio = x / e if e > 0 else math.inf
        found.append((key, Alarm(-1, -1, -1, week, change, value, h, ratio, x, e)))
    return sorted(found, key=lambda entry: -entry[1].statistic)


def _change(rows: np.ndarray) -> tuple[int, float, float]:
    """Return the week in which a Poisson rate most likely rose, and x and E since then."""
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    x, e = np.cumsum(rows[::-1, 2])[::-1], np.cumsum(rows[::-1, 3])[::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(x > e, x * np.log(x / e) - (x - e), 0.0)
    at = int(np.argmax(gain))
    return int(rows[at, 0]), float(x[at]), float(e[at])


def _cell_alarm(entry: tuple[int, Alarm], k: int) -> Alarm:
    key, alarm = entry
    return replace(alarm, annotator=key // (k * k), said=key // k % k, own=key % k)
