"""Who drifts, on what, since when: the charts of every family, and the labels behind each alarm.

Five families, each with its share of the false alarms that were stated:

``annotator``       one annotator's "others say this, they say that" against the same week's pool
``class``           how often a class is disagreed upon, against its own past
``annotator_gold``  as ``annotator``, against the gold
``class_gold``      as ``class``, against the gold: what everybody does at once
``geometry``        where an annotator puts the sides, and how well boxes lie, against their own past
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lineage.activities import weekly as weekly_counts
from lineage.activities.context import Project
from lineage.activities.gather import Threshold
from lineage.activities.opinions import week_text
from lineage.activities.shifted import evidence_of_shifts
from lineage.activities.tellings import number
from lineage.activities.trace import Choice
from lineage.activities.weekly import MEASURES, Weekly
from lineage.calc import charts, shifts, state, volumes
from lineage.calc.drift import Alarm, CellState, Week, cells
from lineage.calc.shifts import Differences, Shift

Row = Mapping[str, object]
HORIZON_WEEKS, FALSE_ALARM_FRACTION = 16, 0.05
FAMILIES = ("annotator", "class", "annotator_gold", "class_gold", "geometry")
MOST_EVIDENCE = 50
_WOBBLE = (0.005, 0.005, 0.005, 0.005, 0.05)
"""How much habits differ between weeks by themselves, in the units of `MEASURES`."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is promised of alarms.

    Parameters
    ----------
    horizon_weeks
        T: weeks over which the promise holds; more where more weeks are charted.
    false_alarm_fraction
        alpha: chance of any alarm, of any family, in T weeks without drift.
    """

    horizon_weeks: int = HORIZON_WEEKS
    false_alarm_fraction: float = FALSE_ALARM_FRACTION


@dataclass(frozen=True, slots=True)
class Against:
    """Comparisons by week with something, in words of their own; with gold: `drift_gold.gold_of`.

    Parameters
    ----------
    annotators, classes
        What codes stand for; class 0 is "drew nothing".
    said
        ndarray of int64, shape (n, 5), as `Weekly.said`: the gold's class for the partner's.
    apart
        ndarray of int64, shape (m, 7), as `Weekly.apart`.
    vote
        What one comparison counts for in ``said``.
    """

    annotators: Sequence[str]
    classes: Sequence[str | None]
    said: np.ndarray
    apart: np.ndarray
    vote: int = 1


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Drift; ``docs/json.md`` gives the meaning of every number. Annotators stand as pseudonyms."""

    horizon_weeks: int
    false_alarm_fraction: float
    n_streams: int
    weeks: Sequence[str]
    n_compared: int
    n_waiting: int
    families: Sequence[Row]
    alarms: Sequence[Row]


@dataclass(frozen=True, slots=True)
class _Charted:
    """A family's charts: how many streams, its threshold, and its alarms as rows."""

    family: str
    n_streams: int
    n_weeks: int
    threshold: float | None
    alarms: list[dict[str, object]]


def drift_of(
    project: Project,
    choice: Choice | None = None,
    *,
    threshold: Threshold | None = None,
    watch: Watch | None = None,
    gold: Against | None = None,
) -> DriftReport:
    """Chart drift over all weeks on record.

    Parameters
    ----------
    project
        An open project.
    choice
        Which opinions. Classes and annotators restrict the alarms that are told, not the charts.
    threshold
        When two labels are of one object.
    watch
        What is promised of alarms.
    gold
        Comparisons with gold; None where there are none.

    Notes
    -----
    Comparisons by week are kept beside the store (`weekly`), so a run costs what is new since the one
    before; from them the charts are made anew, in milliseconds, so that a label that came in late
    stands in its own week.
    """
    asked, how, promised = choice or Choice(), threshold or Threshold(), watch or Watch()
    counts = weekly_counts.weekly(project, asked, how)
    weeks = _all_weeks(counts, gold)
    promised = replace(promised, horizon_weeks=max(promised.horizon_weeks, len(weeks)))
    charted, n_waiting = _charts(counts, gold, weeks, promised)
    rows = [row for family in charted for row in family.alarms]
    evidence_of_shifts(project, asked, how, rows, most=MOST_EVIDENCE)
    return DriftReport(
        horizon_weeks=promised.horizon_weeks,
        false_alarm_fraction=promised.false_alarm_fraction,
        n_streams=sum(family.n_streams for family in charted),
        weeks=[week_text(week) for week in weeks],
        n_compared=int(counts.said[:, 4].sum()) // (2 * weekly_counts.VOTE),
        n_waiting=n_waiting,
        families=[
            {
                "family": family.family,
                "n_streams": family.n_streams,
                "n_weeks": family.n_weeks,
                "threshold": family.threshold,
                "n_alarms": len(family.alarms),
            }
            for family in charted
        ],
        alarms=[_told(row) for row in rows if _is_asked(row, asked)],
    )


def _all_weeks(counts: Weekly, gold: Against | None) -> list[int]:
    found = [counts.said[:, 0]] + ([] if gold is None else [gold.said[:, 0]])
    told = np.unique(np.concatenate(found))
    # a week without labels is a week too
    return list(range(int(told[0]), int(told[-1]) + 1)) if len(told) else []


def _charts(
    counts: Weekly, gold: Against | None, weeks: Sequence[int], watch: Watch
) -> tuple[list[_Charted], int]:
    pool = Against(counts.annotators, counts.classes, counts.said, counts.apart, weekly_counts.VOTE)
    n_families = 3 if gold is None else 5
    share = replace(watch, false_alarm_fraction=watch.false_alarm_fraction / n_families)
    by_cell, n_waiting = _pooled(pool, by_annotator=True)
    by_class, _ = _pooled(pool, by_annotator=False)
    found = [
        _cells("annotator", by_cell, weeks, share),
        _classes("class", by_class, weeks, share, charts.RATE_RATIO_CLASS),
    ]
    if gold is not None:
        # a hidden gold label is dear: its few comparisons are charted as they come
        found.append(_cells("annotator_gold", gold, weeks, share))
        pooled, _ = _pooled(gold, by_annotator=False)
        found.append(_classes("class_gold", pooled, weeks, share, charts.RATE_RATIO_GOLD))
    found.append(_geometry(counts, weeks, share))
    return found, n_waiting


def _pooled(counts: Against, *, by_annotator: bool) -> tuple[Against, int]:
    """Put comparisons off until there are enough; return what is left to chart, and how many wait."""
    width = len(counts.classes)

    def kind(rows: np.ndarray) -> np.ndarray:
        return rows[:, 2] + (rows[:, 1] * width if by_annotator else 0)

    said, apart = counts.said.copy(), counts.apart.copy()
    least = volumes.LEAST * counts.vote
    told = volumes.told_weeks(said[:, 0], kind(said), said[:, 4], least=least)
    keys = state.composed(
        np.concatenate([said[:, 0], apart[:, 0]]), np.concatenate([kind(said), kind(apart)])
    )
    n = len(said)
    said[:, 0], apart[:, 0] = told, told[state.row_of(keys[:n], keys[n:])]
    is_told = told != volumes.WAITING
    n_waiting = int(said[~is_told, 4].sum()) // counts.vote
    said = said[is_told]
    said = said[np.argsort(said[:, 0], kind="stable")]
    return replace(counts, said=said, apart=apart[apart[:, 0] != volumes.WAITING]), n_waiting


def _weeks(counts: Against, weeks: Iterable[int]) -> list[Week]:
    rows = counts.said
    at = np.searchsorted(rows[:, 0], list(weeks))
    ends = np.searchsorted(rows[:, 0], list(weeks), side="right")
    return [
        Week(week, rows[a:b, 1], rows[a:b, 2], rows[a:b, 3], rows[a:b, 4] / counts.vote)
        for week, a, b in zip(weeks, at.tolist(), ends.tolist(), strict=True)
    ]


def _cells(family: str, counts: Against, weeks: Sequence[int], watch: Watch) -> _Charted:
    now = CellState(len(counts.classes))
    history: list[tuple[int, list[Alarm]]] = []
    n_streams = 0
    for week in _weeks(counts, weeks):
        now, alarms, n_streams = cells(
            now,
            week,
            horizon_weeks=watch.horizon_weeks,
            false_alarm_fraction=watch.false_alarm_fraction,
        )
        history.append((week.week, alarms))
    return _charted(family, counts, history, n_streams)


def _classes(
    family: str, counts: Against, weeks: Sequence[int], watch: Watch, rate_ratio: float
) -> _Charted:
    now = charts.ClassState()
    history: list[tuple[int, list[Alarm]]] = []
    n_streams = 0
    for week in _weeks(counts, weeks):
        now, alarms, n_streams = charts.history(
            now,
            week,
            horizon_weeks=watch.horizon_weeks,
            false_alarm_fraction=watch.false_alarm_fraction,
            follows_week=family == "class",
            rate_ratio=rate_ratio,
        )
        history.append((week.week, alarms))
    return _charted(family, counts, history, n_streams)


def _charted(
    family: str, counts: Against, history: Sequence[tuple[int, list[Alarm]]], n_streams: int
) -> _Charted:
    """Return a family's streams with an alarm: when it was first raised, and how it stood last."""
    first: dict[tuple[int, int, int], int] = {}
    last: dict[tuple[int, int, int], Alarm] = {}
    for week, alarms in history:
        for alarm in alarms:
            key = (alarm.annotator, alarm.said, alarm.own)
            first.setdefault(key, week)
            last[key] = alarm
    newest = history[-1][0] if history else 0
    told = sorted(last.values(), key=lambda alarm: -alarm.statistic)
    rows = [
        _row(family, counts, alarm, first[alarm.annotator, alarm.said, alarm.own], newest)
        for alarm in told
    ]
    threshold = told[0].threshold if told else None
    return _Charted(family, n_streams, len(history), threshold, rows)


def _row(family: str, counts: Against, alarm: Alarm, first: int, newest: int) -> dict[str, object]:
    evidence = _evidence(counts.apart, alarm)
    return {
        "family": family,
        "annotator": counts.annotators[alarm.annotator] if alarm.annotator >= 0 else None,
        "class": counts.classes[alarm.said],
        "as_class": counts.classes[alarm.own] if alarm.own >= 0 else None,
        "is_directed": alarm.own >= 0,
        "measure": None,
        "week": first,
        "change_week": alarm.change_week,
        "last_week": alarm.week,
        "is_standing": alarm.week == newest,
        "statistic": alarm.statistic,
        "threshold": alarm.threshold,
        "rate_ratio": number(alarm.rate_ratio),
        "shift": None,
        "n_units": round(alarm.n_seen),
        "evidence": evidence,
    }


def _evidence(apart: np.ndarray, alarm: Alarm) -> list[int]:
    """Return the labels behind an alarm, the newest first: the annotator's, or what they did not draw."""
    mask = (apart[:, 0] >= alarm.change_week) & (apart[:, 0] <= alarm.week)
    mask &= apart[:, 2] == alarm.said
    if alarm.annotator >= 0:
        mask &= (apart[:, 1] == alarm.annotator) & (apart[:, 3] == alarm.own)
    rows = apart[mask]
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    told = np.where(rows[:, 5] > 0, rows[:, 5], rows[:, 6])
    return list(dict.fromkeys(told.tolist()))[:MOST_EVIDENCE]


def _geometry(counts: Weekly, weeks: Sequence[int], watch: Watch) -> _Charted:
    total, squared = weekly_counts.per_measure(counts.places)
    n_people = len(counts.annotators)
    n_streams = 2 * len(MEASURES) * n_people
    rows: list[dict[str, object]] = []
    threshold = None
    for at, measure in enumerate(MEASURES):
        by_week = []
        for week in weeks:
            of_week = slice(*np.searchsorted(counts.places[:, 0], [week, week + 1]))
            place = counts.places[of_week]
            sums = (place[:, 3].astype(float), total[of_week, at], squared[of_week, at])
            differences = Differences(place[:, 1], place[:, 2], *sums)
            by_week.append(shifts.habits(differences, n_people, is_shared=measure == "overlap"))
        found = shifts.shifts(
            by_week,
            wobble=_WOBBLE[at],
            n_streams=n_streams,
            horizon_weeks=watch.horizon_weeks,
            false_alarm_fraction=watch.false_alarm_fraction,
        )
        rows += [_shift_row(shift, counts.annotators, measure, weeks) for shift in found]
        threshold = found[0].threshold if found else threshold
    rows.sort(key=_by_statistic)
    return _Charted("geometry", n_streams, len(weeks), threshold, rows)


def _by_statistic(row: Row) -> float:
    return -float(str(row["statistic"]))


def _shift_row(
    shift: Shift, annotators: Sequence[str], measure: str, weeks: Sequence[int]
) -> dict[str, object]:
    return {
        "family": "geometry",
        "annotator": annotators[shift.annotator],
        "class": None,
        "as_class": None,
        "is_directed": False,
        "measure": measure,
        "week": weeks[shift.week],
        "change_week": weeks[shift.change_week],
        "last_week": weeks[shift.last_week],
        "is_standing": shift.last_week == len(weeks) - 1,
        "statistic": shift.statistic,
        "threshold": shift.threshold,
        "rate_ratio": None,
        "shift": number(shift.size),
        "n_units": int(shift.n),
        "evidence": [],
    }


def _is_asked(row: Row, choice: Choice) -> bool:
    is_person = not choice.annotator or row["annotator"] in choice.annotator
    is_class = not choice.class_ or bool({row["class"], row["as_class"]} & set(choice.class_))
    return is_person and is_class


def _told(row: Row) -> Row:
    as_text: Callable[[object], str] = lambda week: week_text(int(str(week)))  # noqa: E731
    return {**row, **{key: as_text(row[key]) for key in ("week", "change_week", "last_week")}}
