"""The page as a document: whole in itself, equal to its lists, safe, and the same each time."""

from __future__ import annotations

import csv
import io
import re

import pytest

from lineage.pages.page import Page, quality_page
from tests.pages.values import HOSTILE, Parts, quality


@pytest.fixture(scope="module")
def page() -> Page:
    return quality_page(quality(), "quality")


def test_a_page_refers_to_nothing_but_itself_and_its_lists(page: Page) -> None:
    parts = Parts(page.html)
    lists = {f"quality/{name}.csv" for name in page.lists}
    for link in parts.links:
        assert link[1:] in parts.ids or link in lists or link.startswith("data:image/")
    assert "http:" not in page.html
    assert "https:" not in page.html
    assert "@import" not in page.html
    assert re.findall(r"url\((?!#)", page.html) == []


def test_every_id_stands_once_and_every_reference_within_has_its_place(page: Page) -> None:
    parts = Parts(page.html)
    assert len(parts.ids) == len(set(parts.ids))
    assert set(re.findall(r"url\(#([^)]+)\)", page.html)) <= set(parts.ids)


def test_every_table_has_its_list_with_the_same_numbers(page: Page) -> None:
    parts = Parts(page.html)
    assert parts.cells.keys() == page.lists.keys()
    for name, text in page.lists.items():
        heads, *rows = csv.reader(io.StringIO(text))
        shown = [row for row in parts.cells[name] if row]
        assert len(shown) == len(rows)
        # intervals stand beside their value on the page, in columns of their own in the list
        bare = [at for at, head in enumerate(heads) if not re.search(r"_(lo|hi)$", head)]
        assert shown == [[row[at] for at in bare] for row in rows], name


def test_every_head_says_what_its_numbers_mean(page: Page) -> None:
    assert all(Parts(page.html).heads)


def test_lists_keep_every_digit(page: Page) -> None:
    assert "0.6123456789" in page.lists["by_class"]


def test_a_hostile_name_stays_text(page: Page) -> None:
    parts = Parts(page.html)
    assert parts.scripts == 1
    assert HOSTILE in parts.text
    assert "<script>alert" not in page.html


def test_too_few_is_said_in_words(page: Page) -> None:
    assert "n too small" in Parts(page.html).text


def test_people_stand_by_pseudonym_unless_names_are_given(page: Page) -> None:
    named = quality_page(quality(names={"a-one": "ada@x.example"}), "quality")
    assert "ada@x.example" not in page.html
    assert "a-one" not in named.html + "".join(named.lists.values())
    assert "ada@x.example" in named.lists["by_pair"]


def test_the_same_values_make_the_same_bytes(page: Page) -> None:
    assert quality_page(quality(), "quality") == page


def test_what_is_not_there_is_named_with_the_command_that_gives_it(page: Page) -> None:
    text = Parts(page.html).text
    for command in ("lineage drift", "lineage gold score", "lineage build"):
        assert command in text


def test_drift_and_gold_stand_where_they_are_given() -> None:
    alarm = {
        "family": "annotator",
        "annotator": "a-two",
        "class": "car",
        "as_class": None,
        "measure": None,
        "week": "2026-W12",
        "change_week": "2026-W11",
        "is_standing": True,
        "statistic": 12.0,
        "threshold": 9.0,
        "rate_ratio": 4.0,
        "n_units": 31,
        "evidence": [5, 6, 7, 8, 9],
    }
    drift = {"alarms": [alarm], "n_streams": 4, "false_alarm_fraction": 0.05, "horizon_weeks": 16}
    gold = {
        "annotators": [
            {
                "annotator": "a-one",
                "n": 40,
                "n_wrong": 4,
                "error_mean": 0.11,
                "error_lo": 0.05,
                "error_hi": 0.2,
                "decision": "continue",
            }
        ]
    }
    page = quality_page(quality(drift=drift, gold=gold), "quality")
    text = Parts(page.html).text
    assert "a-two: nothing drawn where others say car, 4.0 times as often as expected" in text
    assert "5;6;7;8;9" in page.lists["alarms"]
    assert "0.05 to 0.20, n 40" in text
    assert "lineage gold add" not in text


def test_how_definitions_are_read_is_told_camp_by_camp() -> None:
    values = quality()
    camps = [
        {"annotators": ["a-one"], "n": 9, "ways": {"nothing": 0.75, "alike": 0.25}},
        {"annotators": ["a-two", "a-three"], "n": 8, "ways": {"alike": 1.0}},
    ]
    split = {"class": "car", "tag": "occluded=partially", "n_units": 9, "n": 4, "camps": camps}
    sides = {"left": 0.1, "top": 0.0, "right": -0.02, "bottom": 0.0}
    drawn = {"class": "car", "n_units": 9, "share": 0.2, "f": 4.0, "p": 0.0, "is_convention": True}
    drawn["camps"] = [{"annotators": ["a-one"], "n": 9, **sides}]
    agreement = {**values.agreement, "splits": [split], "conventions": [drawn]}
    page = quality_page(quality(agreement=agreement), "quality")
    assert "a-two;a-three,8,alike 100%" in page.lists["camps"]
    assert "a-one: left +10.0, top +0.0, right -2.0" in page.lists["conventions"]


def test_a_project_without_anything_has_a_page_that_says_so() -> None:
    nothing = {"batches": (), "schemas": (), "stages": {}, "volumes": (), "disputed": ()}
    cuts = {"by_pair_class": (), "by_week_class": (), "by_annotator_class": (), "begins": ()}
    page = quality_page(quality(agreement={"overall": {}}, **nothing, **cuts), "quality")
    text = Parts(page.html).text
    assert page.lists == {}
    for words in ("nothing to compare", "Nobody has labelled", "No batch yet"):
        assert words in text
