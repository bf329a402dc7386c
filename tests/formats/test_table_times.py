"""Times of tables: aware as they are told, naive never guessed at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.tables import CLASSES, Found, found_in, with_


def timed(
    folder: Path, cells: list[str], offsets: list[str] | None = None, **more: object
) -> Found:
    """Read a table with these times, one label each."""
    told = offsets or [""] * len(cells)
    rows = "image,label,at,west\n" + "".join(
        f'a,cat,"{cell}",{offset}\n' for cell, offset in zip(cells, told, strict=True)
    )
    mapping = with_(CLASSES, columns={"labelled_at": "at"}, **more)
    if offsets:
        mapping["columns"]["utc_offset"] = "west"
    return found_in(folder, rows, mapping)


def at(found: Found) -> list[str | None]:
    moments = [row["labelled_at"] for row in found.labels]
    return [None if moment is None else moment.isoformat()[:-6] for moment in moments]


def test_times_that_name_their_zone_are_taken_as_they_are(tmp_path: Path) -> None:
    cells = [
        "2026-03-01T10:00:00Z",
        "2026-03-01 10:00:00.123456+02:00",
        "",
        "2026-03-01T10:00-0530",
    ]
    found = timed(tmp_path, cells)
    assert at(found) == [
        "2026-03-01T10:00:00",
        "2026-03-01T08:00:00.123456",
        None,
        "2026-03-01T15:30:00",
    ]
    assert not found.losses.keys() & {"naive-time"}


def test_a_time_that_ends_in_utc_is_utc(tmp_path: Path) -> None:
    found = timed(tmp_path, ["2017-01-06 20:36:55 UTC", "2017-01-06T20:36:55.5Z", "2017-01-06 UTC"])
    assert at(found) == ["2017-01-06T20:36:55", "2017-01-06T20:36:55.500000"]
    assert found.wrong == [(4, "not-a-time", "at", "2017-01-06 UTC")]


def test_naive_times_are_counted_and_kept_as_text(tmp_path: Path) -> None:
    found = timed(tmp_path, ["2026-03-01T10:00:00", "2026-03-02"])
    assert at(found) == [None, None]
    assert found.losses["naive-time"] == 2
    assert [found.extra(row) for row in (0, 1)] == [
        {"labelled_at": "2026-03-01T10:00:00"},
        {"labelled_at": "2026-03-02"},
    ]


def test_naive_and_aware_times_stand_side_by_side(tmp_path: Path) -> None:
    cells = ["2026-03-01T10:00:00", "2026-03-01T10:00:00.123456789Z", "soon"]
    found = timed(tmp_path, cells)
    assert at(found) == [None, "2026-03-01T10:00:00.123456"]
    assert found.losses["naive-time"] == 1
    assert found.wrong == [(4, "not-a-time", "at", "soon")]
    assert at(timed(tmp_path, cells, zone="+01:00"))[0] == "2026-03-01T09:00:00"


def test_a_zone_is_taken_with_its_summer_and_its_doubled_hour_is_left_untold(
    tmp_path: Path,
) -> None:
    cells = [
        "2021-01-01T12:00:00", "2021-07-01T12:00:00", "2021-10-31T02:30:00", "2021-03-28T02:30:00",
    ]  # fmt: skip
    found = timed(tmp_path, cells, zone="Europe/Berlin")
    assert at(found) == ["2021-01-01T11:00:00", "2021-07-01T10:00:00", None, None]
    assert found.losses["ambiguous-time"] == 2
    assert found.extra(2) == {"labelled_at": "2021-10-31T02:30:00"}


def test_an_offset_west_in_the_row_makes_its_clock_known(tmp_path: Path) -> None:
    cells = ["2017-01-06 15:36:55", "2017-01-06 15:36:55", "2017-01-06T20:36:55Z"]
    found = timed(tmp_path, cells, ["18000", "", "18000"])
    # five hours west; a time that names its zone is not moved again
    assert at(found) == ["2017-01-06T20:36:55", None, "2017-01-06T20:36:55"]
    assert found.losses["naive-time"] == 1
    east = timed(tmp_path, cells[:2], ["-3600", "999999"], zone="UTC")
    assert at(east) == ["2017-01-06T14:36:55", "2017-01-06T15:36:55"]


def test_a_format_is_read_to_the_letter(tmp_path: Path) -> None:
    cells = ["2017-01-06 20:36:55 UTC", "2017-02-31 20:36:55 UTC", "2017-03-03 00:00:00 UTC", "x"]
    found = timed(tmp_path, cells, time="%Y-%m-%d %H:%M:%S UTC")
    assert at(found) == ["2017-01-06T20:36:55", "2017-03-03T00:00:00"]
    assert [(line, value) for line, _, _, value in found.wrong] == [(3, cells[1]), (5, "x")]
    assert "%Y-%m-%d" in found.violations[0]["expected"]


@pytest.mark.parametrize(
    ("form", "cell", "moment"),
    [
        ("%d.%m.%Y %H:%M", "06.01.2017 20:36", "2017-01-06T19:36:00"),
        ("%d.%m.%Y %H:%M:%S.%f", "06.01.2017 20:36:55.25", "2017-01-06T19:36:55.250000"),
        ("%Y%m%dT%H%M%S%z", "20170106T203655-0500", "2017-01-07T01:36:55"),
        ("unix", "1483734995.5", "2017-01-06T20:36:35.500000"),
        ("unix_ms", "1483734995500", "2017-01-06T20:36:35.500000"),
    ],
)
def test_other_forms_are_named(tmp_path: Path, form: str, cell: str, moment: str) -> None:
    found = timed(tmp_path, [cell, "?"], time=form, zone="Europe/Berlin")
    assert at(found) == [moment]
    assert found.wrong == [(3, "not-a-time", "at", "?")]


def test_seconds_beyond_all_calendars_are_no_time(tmp_path: Path) -> None:
    found = timed(tmp_path, ["1e300", "inf", "nan", "0"], time="unix")
    assert at(found) == ["1970-01-01T00:00:00"]
    assert len(found.violations) == 3


def test_what_lies_between_start_and_end_is_the_time_it_took(tmp_path: Path) -> None:
    rows = (
        "image,label,from,to,took\na,cat,2026-01-01T00:00:00Z,2026-01-01T00:00:02.5Z,\n"
        "b,cat,2026-01-01T00:00:09Z,2026-01-01T00:00:02Z,\nc,cat,,2026-01-01T00:00:02Z,\n"
        "d,cat,2026-01-01T00:00:00Z,2026-01-01T00:00:02Z,7\n"
    )
    columns = {"started_at": "from", "labelled_at": "to", "lead_time_s": "took"}
    found = found_in(tmp_path, rows, with_(CLASSES, columns=columns))
    assert [row["lead_time_s"] for row in found.labels] == [2.5, None, None, 7]
    assert found.losses["negative-lead-time"] == 1


def test_one_time_may_hold_for_rows_that_tell_none(tmp_path: Path) -> None:
    found = timed(
        tmp_path, ["2026-01-02T00:00:00Z", ""], constants={"labelled_at": "2026-01-01T00:00:00Z"}
    )
    assert at(found) == ["2026-01-02T00:00:00", "2026-01-01T00:00:00"]
