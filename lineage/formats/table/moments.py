"""Times of a table: text, in whatever form the mapping names, becomes aware UTC or is not taken.

A time that names no zone is no moment. It becomes one by the row's own offset, in seconds west as
Zooniverse writes it, or by the zone that the mapping names; where clocks were put back, an hour
happened twice and stays untold.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.columns import MOMENT
from lineage.formats.table.mapping import TableMapping

_LOCAL = pa.timestamp("us")
_UNITS = {"unix": 1e6, "unix_ms": 1e3}
_NAMES_UTC = re.compile(r"(?:UTC|GMT|Z)\s*$")
_MAX_US = 253_402_300_799_000_000
_EPOCH = datetime(1970, 1, 1)
_US = timedelta(microseconds=1)
_ROLLED_DAYS = 3


@dataclass(frozen=True, slots=True)
class Moments:
    """What n cells tell.

    Parameters
    ----------
    at
        Times of `columns.MOMENT`, null where there is none.
    is_unreadable
        ndarray of bool, shape (n,): no time in the form that was named.
    is_naive
        ndarray of bool, shape (n,): a time without a zone, and none to take.
    is_twice
        ndarray of bool, shape (n,): an hour that its zone had twice, or not at all.
    """

    at: pa.Array
    is_unreadable: np.ndarray
    is_naive: np.ndarray
    is_twice: np.ndarray


@dataclass(frozen=True, slots=True)
class _Read:
    """Microseconds since 1970, and whether each is aware, naive or neither."""

    us: np.ndarray
    is_aware: np.ndarray
    is_naive: np.ndarray


def moments(cells: pa.Array, mapping: TableMapping, west_s: np.ndarray | None) -> Moments:
    """Read times.

    Parameters
    ----------
    cells
        Text, or times of Arrow's.
    mapping
        Their form, and the zone of those that name none.
    west_s
        ndarray of float64, shape (n,): seconds that each row's clock is behind UTC, NaN where it
        does not say; None where no row does.
    """
    n = len(cells)
    is_given = np.asarray(pc.is_valid(cells))
    read = _read(cells, mapping.time)
    us, is_naive, is_twice = read.us, read.is_naive & is_given, np.zeros(n, bool)
    if is_naive.any() and west_s is not None:
        is_told = is_naive & np.isfinite(west_s) & (np.abs(np.nan_to_num(west_s)) <= 86_400)
        us = us.copy()
        us[is_told] += np.rint(west_s[is_told] * 1e6).astype(np.int64)
        is_naive = is_naive & ~is_told
    if is_naive.any() and mapping.zone is not None:
        us, is_twice = _in_zone(us, is_naive, mapping.zone)
        is_naive = np.zeros(n, bool)
    is_unreadable = is_given & ~read.is_aware & ~read.is_naive
    is_none = ~is_given | is_unreadable | is_naive | is_twice
    return Moments(pa.array(us, MOMENT, mask=is_none), is_unreadable, is_naive, is_twice)


def _read(cells: pa.Array, form: str) -> _Read:
    n = len(cells)
    none, all_ = np.zeros(n, bool), np.ones(n, bool)
    if pa.types.is_timestamp(cells.type):
        is_aware = cells.type.tz is not None
        return _Read(_microseconds(cells), all_ if is_aware else none, none if is_aware else all_)
    if form in _UNITS:
        return _since_epoch(cells, _UNITS[form])
    if form != "iso":
        return _formatted(cells, form)
    if pc.any(pc.ends_with(cells, "UTC")).as_py():
        # ISO 8601 has a letter for it
        cells = pc.replace_substring_regex(cells, r"\s*UTC$", "Z")
    if (us := _cast(cells, MOMENT)) is not None:
        return _Read(us, all_, none)
    if (us := _cast(cells, _LOCAL)) is not None:
        return _Read(us, none, all_)
    return _one_by_one(cells, datetime.fromisoformat)


def _cast(cells: pa.Array, kind: pa.DataType) -> np.ndarray | None:
    """Return microseconds if all cells name a zone, or none does; None where they differ."""
    try:
        return _microseconds(cells.cast(kind))
    except pa.ArrowInvalid:
        return None


def _microseconds(cells: pa.Array) -> np.ndarray:
    return np.asarray(cells.cast(pa.int64()).fill_null(0))


def _since_epoch(cells: pa.Array, us_each: float) -> _Read:
    try:
        values = np.asarray(cells.cast(pa.float64()).fill_null(0.0))
    except pa.ArrowInvalid:
        values = np.array([_number(text) for text in cells.to_pylist()])
    us = values * us_each
    is_time = np.abs(np.nan_to_num(us, nan=np.inf)) <= _MAX_US
    return _Read(
        np.rint(np.where(is_time, us, 0)).astype(np.int64), is_time, np.zeros(len(us), bool)
    )


def _number(text: str | None) -> float:
    try:
        return 0.0 if text is None else float(text)
    except ValueError:
        return float("nan")


def _formatted(cells: pa.Array, form: str) -> _Read:
    def by_python(text: str) -> datetime:
        return datetime.strptime(text, form)

    names_utc = _NAMES_UTC.search(form) is not None
    if "%z" in form or "%f" in form or "%Z" in form:
        return _one_by_one(cells, by_python, is_utc=names_utc)
    found = pc.strptime(cells, format=form, unit="us", error_is_null=True)
    is_read = np.array(pc.is_valid(found))
    us = np.array(_microseconds(found))
    # Arrow rolls the 31st of a short month over into the next; Python says it is none
    is_rolled = is_read & (np.asarray(pc.day(found).fill_null(0)) <= _ROLLED_DAYS)
    at = np.flatnonzero(is_rolled)
    if len(at):
        again = _one_by_one(cells.take(pa.array(at)), by_python)
        is_read[at] = again.is_naive
        us[at] = again.us
    none = np.zeros(len(cells), bool)
    return _Read(us, is_read if names_utc else none, none if names_utc else is_read)


def _one_by_one(
    cells: pa.Array, parse: Callable[[str], datetime], *, is_utc: bool = False
) -> _Read:
    """Read the distinct texts among cells in Python."""
    encoded = cells.dictionary_encode()
    read = [_moment(text, parse, is_utc=is_utc) for text in encoded.dictionary.to_pylist()]
    code = np.asarray(encoded.indices.fill_null(len(read)))
    us = np.array([*(us for us, _ in read), 0], np.int64)
    is_aware = np.array([*(aware is True for _, aware in read), False], bool)
    is_naive = np.array([*(aware is False for _, aware in read), False], bool)
    return _Read(us[code], is_aware[code], is_naive[code])


def _moment(
    text: str, parse: Callable[[str], datetime], *, is_utc: bool
) -> tuple[int, bool | None]:
    try:
        found = parse(text)
        if found.tzinfo is None:
            return (found - _EPOCH) // _US, is_utc
        return (found.astimezone(UTC).replace(tzinfo=None) - _EPOCH) // _US, True
    except (ValueError, OverflowError):
        return 0, None


def _in_zone(us: np.ndarray, rows: np.ndarray, zone: tzinfo) -> tuple[np.ndarray, np.ndarray]:
    """Return times of a zone's clocks as UTC, and which of them it had twice or not at all."""
    us = us.copy()
    is_twice = np.zeros(len(us), bool)
    if isinstance(zone, timezone):
        us[rows] -= zone.utcoffset(None) // _US
        return us, is_twice
    local = pa.array(us[rows], _LOCAL)
    name = zone.key if isinstance(zone, ZoneInfo) else "UTC"
    early, late = (
        _microseconds(pc.assume_timezone(local, name, ambiguous=word, nonexistent=word))
        for word in ("earliest", "latest")
    )
    us[rows] = early
    is_twice[rows] = early != late
    return us, is_twice


def seconds_between(start: pa.Array, stop: pa.Array) -> np.ndarray:
    """Return the seconds from one time to the other, NaN where either is none."""
    is_none = np.asarray(pc.or_(pc.is_null(start), pc.is_null(stop)))
    return np.where(is_none, np.nan, (_microseconds(stop) - _microseconds(start)) / 1e6)
