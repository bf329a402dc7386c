"""Requirements: what has to hold of the labels' quality, by name, each on top of another if it says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

from lineage.terms import Kind


class Metric(StrEnum):
    """What a requirement may be about; ``docs/settings.md`` says what each is."""

    F1 = "f1"
    F1_LO = "f1_lo"
    MISSING_FRACTION = "missing_fraction"
    ALPHA = "alpha"
    IOU_MEAN = "iou_mean"
    IOU_LT75_FRACTION = "iou_lt75_fraction"
    GOLD_ERROR = "gold_error"
    GOLD_ERROR_HI = "gold_error_hi"
    N_FLAGGED = "n_flagged"
    N_ALARMS = "n_alarms"


class Size(StrEnum):
    """Objects by the area of their box: below 32 x 32 px, below 96 x 96 px, and above (COCO's)."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement with all that it inherits.

    Parameters
    ----------
    name
        Its own.
    metric
        What is held against the bounds.
    least, most
        The bounds; None for none. One of the two is there.
    classes, kinds, sizes, attributes, batches, annotators
        Which labels it is about, attributes as ``name=value``; an empty field does not restrict.
    least_n
        Mentions, or judgements on gold, below which it is not applicable.
    """

    name: str
    metric: Metric
    least: float | None = None
    most: float | None = None
    classes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    batches: tuple[str, ...] = ()
    annotators: tuple[str, ...] = ()
    least_n: int = 5


@dataclass(frozen=True, slots=True)
class MeasureSettings:
    """How quality is measured.

    Parameters
    ----------
    iou, small_iou
        Least overlap of two labels of one object, and of one under 32 x 32 px (None: the same).
    horizon_weeks, false_alarm_fraction
        What is promised of drift alarms.
    requirements
        What has to hold.
    """

    iou: float = 0.5
    small_iou: float | None = None
    horizon_weeks: int = 16
    false_alarm_fraction: float = 0.05
    requirements: tuple[Requirement, ...] = field(default=())


_WORDS = ("classes", "kinds", "sizes", "attributes", "batches", "annotators")
_NUMBERS = ("least", "most")
_KNOWN = {"base", "abstract", "metric", "least_n", *_WORDS, *_NUMBERS}
_ALLOWED: Mapping[str, frozenset[str]] = {
    "kinds": frozenset(kind.value for kind in Kind),
    "sizes": frozenset(size.value for size in Size),
}
_OF_OPINIONS = {Metric.F1, Metric.F1_LO, Metric.MISSING_FRACTION, Metric.ALPHA, Metric.IOU_MEAN,
                Metric.IOU_LT75_FRACTION}  # fmt: skip
_FILTERS: Mapping[Metric, set[str]] = {
    **{metric: set(_WORDS) for metric in _OF_OPINIONS},
    # of a class alone it would be conditioned on its own outcome (METHODS 1.3)
    Metric.ALPHA: set(_WORDS) - {"classes"},
    Metric.GOLD_ERROR: {"classes", "batches", "annotators"},
    Metric.GOLD_ERROR_HI: {"classes", "batches", "annotators"},
    Metric.N_FLAGGED: {"annotators"},
    Metric.N_ALARMS: {"classes", "annotators"},
}


def requirements_of(document: Mapping[str, object], problems: list[str]) -> tuple[Requirement, ...]:
    """Resolve requirements by name; ``abstract`` ones are there to be inherited from.

    Parameters
    ----------
    document
        Requirements by name, as ``measure.requirements`` of params.yaml gives them.
    problems
        Everything that is wrong is added here.
    """
    given: dict[str, Mapping[str, object]] = {}
    for name, entry in document.items():
        if isinstance(entry, Mapping):
            given[str(name)] = entry
        else:
            problems.append(f"{_path(str(name))}: {entry!r}, expected a mapping")
    found = []
    for name, entry in given.items():
        problems += [f"{_path(name)}.{key}: unknown" for key in entry if key not in _KNOWN]
        whole = _inherited(name, given, problems)
        if whole is not None and entry.get("abstract") is not True:
            requirement = _resolved(name, whole, problems)
            found += [] if requirement is None else [requirement]
    return tuple(found)


def _path(name: str) -> str:
    return f"measure.requirements.{name}"


def _inherited(
    name: str, given: Mapping[str, Mapping[str, object]], problems: list[str]
) -> dict[str, object] | None:
    chain = [name]
    while (base := given[chain[-1]].get("base")) is not None:
        if base not in given:
            problems.append(f"{_path(name)}.base: no requirement {base!r}")
            return None
        if base in chain:
            problems.append(
                f"{_path(name)}.base: {' > '.join([*chain, str(base)])} goes in a circle"
            )
            return None
        chain.append(str(base))
    whole: dict[str, object] = {}
    for link in reversed(chain):
        whole |= given[link]
    return whole


def _resolved(name: str, whole: Mapping[str, object], problems: list[str]) -> Requirement | None:
    n_before, path = len(problems), _path(name)
    metric = whole.get("metric")
    if metric not in set(Metric):
        problems.append(f"{path}.metric: {metric!r}, expected one of {', '.join(Metric)}")
        return None
    values: dict[str, object] = {"name": name, "metric": Metric(str(metric))}
    for key in _WORDS:
        if key in whole:
            values[key] = _words(key, whole[key], path, problems)
            if values[key] and key not in _FILTERS[Metric(str(metric))]:
                problems.append(f"{path}.{key}: {metric} is not told apart by {key}")
    for key in _NUMBERS:
        if whole.get(key) is not None:
            values[key] = _number(whole[key], f"{path}.{key}", problems)
    if values.get("least") is None and values.get("most") is None:
        problems.append(f"{path}: expected least or most")
    least_n = whole.get("least_n", 5)
    if not isinstance(least_n, int) or isinstance(least_n, bool) or least_n < 1:
        problems.append(f"{path}.least_n: {least_n!r}, expected a number of at least 1")
    values["least_n"] = least_n
    known = {f.name for f in fields(Requirement)}
    if len(problems) > n_before:
        return None
    return Requirement(**{k: v for k, v in values.items() if k in known})  # type: ignore[arg-type]


def _words(key: str, value: object, path: str, problems: list[str]) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        problems.append(f"{path}.{key}: {value!r}, expected a list of words")
        return ()
    allowed = _ALLOWED.get(key)
    problems += [
        f"{path}.{key}: {word!r}, expected some of {', '.join(sorted(allowed))}"
        for word in words
        if allowed is not None and word not in allowed
    ]
    if key == "attributes":
        problems += [f"{path}.{key}: {w!r}, expected name=value" for w in words if "=" not in w]
    return tuple(words)


def _number(value: object, path: str, problems: list[str]) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    problems.append(f"{path}: {value!r}, expected a number")
    return None
