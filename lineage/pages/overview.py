"""Overview: where the project stands, on one screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from lineage.pages.definitions import MEANS
from lineage.pages.section import Section, card
from lineage.pages.text import escaped, figure, joined, named_class, span
from lineage.pages.values import Quality, Row, count, number, rows_of

_MOST_ALARMS = 5
_TREND_WEEKS = 4


def overview(values: Quality) -> Section:
    """Return the first section."""
    cards = [_agreement(values), _trend(values), _disagreements(values), _alarms(values)]
    cards += [_labels(values), _batches(values), _schemas(values), _versions(values)]
    body = f'<div class="cards">{joined(cards)}</div>{_newest_alarms(values)}'
    return Section("overview", "Overview", body)


def _agreement(values: Quality) -> str:
    overall = values.agreement.get("overall")
    row: Row = overall if isinstance(overall, Mapping) else {}
    n = f"{count(row, 'n_pairs'):,} pairs on {count(row, 'n_images'):,} images"
    interval = span(number(row, "f1_lo"), number(row, "f1_hi"))
    if not values.is_compared():
        return card("Agreement", "-", "nothing to compare yet", MEANS["F1"])
    more = (
        f"{interval + ' · ' if interval else ''}{n}<br>by chance {figure(number(row, 'f1_chance'))}"
    )
    return card("Agreement (F1)", figure(number(row, "f1")), more, MEANS["F1"])


def _trend(values: Quality) -> str:
    rows = [row for row in values.rows("by_week") if number(row, "f1") is not None]
    if not rows:
        return card("Last week", "-", "no week has enough", MEANS["F1"])
    last = rows[-1]
    interval = span(number(last, "f1_lo"), number(last, "f1_hi"))
    more = f"{interval} · {count(last, 'n_pairs'):,} pairs"
    before = rows[-1 - _TREND_WEEKS : -1]
    n = sum(count(row, "n_pairs") for row in before)
    if n:
        mean = sum((number(row, "f1") or 0.0) * count(row, "n_pairs") for row in before) / n
        change = (number(last, "f1") or 0.0) - mean
        weeks = f"{len(before)} weeks" if len(before) > 1 else "week"
        more += f"<br>{'+' if change >= 0 else '-'}{abs(change):.2f} on the {weeks} before"
    means = f"{MEANS['F1']}; the weeks before by their pairs"
    return card(f"Week {escaped(last['week'])}", figure(number(last, "f1")), more, means)


def _disagreements(values: Quality) -> str:
    rows = values.rows("disputes")
    n = sum(count(row, "n") for row in rows)
    waiting = sum(row.get("verdict") is None for row in rows)
    more = f"between {len(rows)} pairs of classes<br>{waiting} of them without a verdict"
    means = (
        "objects on which two opinions differ; an object stands in each pair of values that it has"
    )
    return card("Open disagreements", f"{n:,}", more, means)


def _alarms(values: Quality) -> str:
    if values.drift is None:
        return card("Alarms", "-", "<code>lineage drift</code> gives them", "drift")
    rows = rows_of(values.drift, "alarms")
    standing = sum(bool(row.get("is_standing")) for row in rows)
    more = f"{len(rows)} in all<br>{count(values.drift, 'n_streams')} streams watched"
    chance = number(values.drift, "false_alarm_fraction") or 0.0
    weeks = count(values.drift, "horizon_weeks")
    means = f"streams that passed their threshold; {chance:.0%} chance of any in {weeks} weeks without drift"
    return card("Alarms that stand", f"{standing}", more, means)


def _labels(values: Quality) -> str:
    n = sum(values.stages.values())
    stages = "<br>".join(
        f"{escaped(stage)} {amount:,}" for stage, amount in sorted(values.stages.items())
    )
    return card("Live labels", f"{n:,}", stages or "none", "labels that hold, by stage of review")


def _batches(values: Quality) -> str:
    states = Counter(str(row["state"]) for row in values.batches)
    told = "<br>".join(f"{escaped(state)} {n}" for state, n in sorted(states.items()))
    return card("Batches", f"{len(values.batches)}", told or "none", "by state")


def _schemas(values: Quality) -> str:
    told = ", ".join(escaped(row["schema"]) for row in values.schemas[-3:])
    return card("Schema versions", f"{len(values.schemas)}", told or "none", "the newest three")


def _versions(values: Quality) -> str:
    told = "<br>".join(
        f"{escaped(row['tags'] or row['version'])}: {count(row, 'n_labels'):,} labels"
        for row in values.versions[-2:]
    )
    title = "Dataset versions"
    return card(title, f"{len(values.versions)}", told or "none: lineage build", "the newest two")


def _newest_alarms(values: Quality) -> str:
    rows = [row for row in rows_of(values.drift, "alarms") if row.get("is_standing")]
    if not rows:
        return ""
    told = "".join(f"<li>{escaped(alarm_words(row, values))}</li>" for row in _newest(rows))
    return f'<h3>Last alarms</h3><ul class="alarms">{told}</ul>'


def _newest(rows: Sequence[Row]) -> Sequence[Row]:
    # rows come with the weightiest first, and the sort keeps that order within a week
    return sorted(rows, key=lambda row: str(row["week"]), reverse=True)[:_MOST_ALARMS]


def alarm_words(row: Row, values: Quality) -> str:
    """Return an alarm as a sentence."""
    since = f"since {row['change_week']}, alarm in {row['week']}, n = {count(row, 'n_units'):,}"
    ratio = number(row, "rate_ratio")
    times = "" if ratio is None else f"{ratio:.1f} times as often as expected, "
    who = "" if row.get("annotator") is None else values.name(row["annotator"])
    if row.get("measure") is not None:
        return f"{who} draws otherwise ({row['measure']}), {since}"
    name, own = named_class(row.get("class")), named_class(row.get("as_class"))
    against = " (against gold)" if "gold" in str(row["family"]) else ""
    if who:
        return f"{who}: {own} where others say {name}{against}, {times}{since}"
    return f"{name} is disagreed upon{against} {times}{since}"
