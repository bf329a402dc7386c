"""The page of suspects: whole in itself, plain about what is and what is no evidence, the same each time."""

from __future__ import annotations

import csv
import io
import re

import pytest
from PIL import Image

from lineage.pages.page import Page
from lineage.pages.paths import paths
from lineage.pages.relabelled import relabelled as drawn
from lineage.pages.suspect_values import Said
from lineage.pages.suspect_words import aliases_words, sentence, slice_words
from lineage.pages.suspects import suspects_page
from tests.pages.suspicion import (
    BATCHES,
    BOX,
    SHIFTED,
    faint,
    moved,
    relabelled,
    second,
    suspected,
    suspicion,
)
from tests.pages.values import HOSTILE, Parts


@pytest.fixture(scope="module")
def page() -> Page:
    return suspects_page(suspicion(), "isolate")


def body(html: str) -> str:
    return re.sub(r"\s+", " ", Parts(html).text)


def test_the_page_refers_to_nothing_but_itself_and_its_lists(page: Page) -> None:
    parts = Parts(page.html)
    lists = {f"isolate/{name}.csv" for name in page.lists}
    for link in parts.links:
        assert link[1:] in parts.ids or link in lists or link.startswith("data:image/")
    assert "http:" not in page.html
    assert "https:" not in page.html
    assert len(parts.ids) == len(set(parts.ids))
    assert set(re.findall(r"url\(#([^)]+)\)", page.html)) <= set(parts.ids)


def test_every_table_has_its_list_with_the_same_numbers(page: Page) -> None:
    parts = Parts(page.html)
    assert parts.cells.keys() == page.lists.keys()
    for name, text in page.lists.items():
        heads, *rows = csv.reader(io.StringIO(text))
        shown = [row for row in parts.cells[name] if row]
        bare = [at for at, head in enumerate(heads) if not re.search(r"f1_(low|high)$", head)]
        assert shown == [[row[at] for at in bare] for row in rows[: len(shown)]], name
    assert all(parts.heads)
    assert "0.23456789" in page.lists["suspects"]


def test_the_evaluation_set_is_looked_at_before_labels_are_blamed(page: Page) -> None:
    assert page.html.index('id="evaluation"') < page.html.index('id="suspects"')
    assert "Yes: the ground truth moved" in body(page.html)
    still = suspects_page(suspicion(eval_moved=moved(has_moved=False)), "isolate")
    assert "No: the model scores alike against both" in body(still.html)
    unasked = suspects_page(suspicion(eval_moved=None), "isolate")
    assert "Not asked" in body(unasked.html)
    assert "--predictions-bad FILE --eval-old V --eval-new V" in body(unasked.html)
    assert "evaluation" not in unasked.lists


def test_a_suspect_is_a_sentence_with_size_bound_share_aliases_and_next_commands(
    page: Page,
) -> None:
    text = body(page.html)
    told = "Labels by a-07 in batch 2026-w31: errors on their 212 changed ones rose by 0.23 (at least 0.15)"
    assert f"{told}, 61 % of all that became worse." in text
    assert "Cannot be told apart from: labels by a-07 of week 2026-W31" in text
    assert "lineage recompute b0b1b2b3b4b5 --without 'annotator=a-07 batch=2026-w31'" in text
    assert "lineage isolate --bad r2 --good r1 --errors errors.csv --check recheck.csv" in text
    assert "lineage report --isolate r2 r1 --errors errors.csv" in text
    assert "9 of 40 wrong, of matched controls 2 of 100 (p below 0.001" in text


def test_no_evidence_is_said_plainly_and_weak_evidence_flagged() -> None:
    none = suspects_page(suspicion(evidence=False, suspects=[faint(1)]), "isolate")
    assert "No evidence: nothing sets any slice of the 4,012 changed units apart" in body(none.html)
    assert 'class="flag">' not in none.html
    assert "likeliest, without evidence" in body(none.html)
    weak = suspicion(
        evidence=False,
        is_weak=True,
        mode="gold",
        threshold=None,
        suspects=[
            suspected(is_evidence=False, effect=None, effect_lo=None, share=None, aliases=())
        ],
    )
    page = suspects_page(weak, "isolate")
    text = body(page.html)
    assert "Weak evidence only" in text
    assert "gold became worse where many of their 212 changes lie" in text
    assert '<figure class="chart"><svg role="img" aria-label="effect' not in page.html


def test_what_is_conspicuous_only_beside_a_fault_is_told_from_the_fault() -> None:
    shadow = suspected(2, slice={"annotator": "a-07"}, gain=9.0, is_evidence=False)
    text = body(suspects_page(suspicion(suspects=[suspected(), shadow]), "isolate").html)
    assert "Evidence against one slice" in text
    assert "Nothing of its own" in text


def test_nothing_changed_and_nobody_suspected_have_pages_too() -> None:
    bare = suspicion(
        n_changed=0, evidence=False, suspects=(), flows=(), changes={}, eval_moved=None, notes=()
    )
    page = suspects_page(bare, "isolate")
    assert page.lists == {}
    assert "no label is to blame" in body(page.html)
    assert "No label differs between the versions." in body(page.html)


def test_a_hostile_name_stays_text(page: Page) -> None:
    parts = Parts(page.html)
    assert parts.scripts == 1
    assert HOSTILE in parts.text
    assert "<script>alert" not in page.html


def test_people_stand_by_pseudonym_unless_names_are_given(page: Page) -> None:
    names = {"a-07": "ada@x.example", "a-03": "cyd@x.example"}
    named = suspects_page(suspicion(names=names), "isolate")
    everything = named.html + "".join(named.lists.values())
    assert "x.example" not in page.html
    assert "by ada@x.example in batch" in everything
    assert "annotator=ada@x.example" in named.lists["suspects"]
    # commands are the activity's, which says them by name itself
    assert "a-07" not in everything.replace("annotator=a-07 batch", "")
    assert "a-03" not in everything


def test_the_same_values_make_the_same_bytes(page: Page) -> None:
    assert suspects_page(suspicion(), "isolate") == page


def test_only_suspects_ways_stand_by_themselves_in_the_graph() -> None:
    svg = paths(suspicion())
    shown = [name for name in BATCHES if f">{name}</text>" in svg]
    # of the second, which is spread over all batches, only that which has a tenth of it
    assert shown == ["2026-w10", "2026-w31"]
    assert ">38 other batches</text>" in svg
    assert ">17 other annotators</text>" in svg
    assert "suspect 1: 212 changed labels" in svg
    assert "suspect 3" not in svg
    # however many there are, the picture is no higher
    height = re.search(r'viewBox="\S+ \S+ \S+ (\S+)"', svg)
    assert height is not None
    assert float(height[1]) < 500


def test_the_graph_counts_every_changed_label_once() -> None:
    values = suspicion(suspects=[second()])
    svg = paths(values)
    n = sum(int(str(row["n"])) for row in values.flows)
    assert f"{n:,} labels differ" in svg
    for column in ("batch", "annotator"):
        told = re.findall(rf"<title>{column} [^<]*: (?:[\d,]+ of )?([\d,]+) changed</title>", svg)
        assert sum(int(one.replace(",", "")) for one in told) == n


def test_a_label_stands_before_and_after_in_the_same_frame() -> None:
    html = drawn(relabelled(5), suspicion(), "label-1-0")
    corners = [" ".join(f"{x:g},{y:g}" for x, y in zip(r[0::2], r[1::2], strict=True)) for r in (BOX, BOX, SHIFTED)]  # fmt: skip
    assert re.findall(r'points="([^"]*)"', html) == corners
    assert html.count("data:image/") == 1
    assert 'href="#label-1-0"' in html
    assert "before: car, by a-03" in html
    assert "after: truck, by a-07" in html
    gone = drawn(relabelled(5, after=None, picture=None), suspicion(), "label-1-0")
    assert "no longer labelled" in gone
    assert "geometry only" in gone


def test_a_class_of_a_whole_small_image_is_shown_pixel_by_pixel_or_in_words() -> None:
    whole = {"before": Said("4", "a-03", ()), "after": Said("9", "a-07", ())}
    assert 'viewBox="0 0 408 120"' in drawn(relabelled(5, **whole), suspicion(), "x")
    assert "pixelated" not in drawn(relabelled(5, **whole), suspicion(), "x")
    out = io.BytesIO()
    Image.new("L", (8, 8)).save(out, "PNG")
    assert "pixelated" in drawn(relabelled(5, picture=out.getvalue(), **whole), suspicion(), "x")
    bare = drawn(relabelled(5, picture=None, **whole), suspicion(), "x")
    assert "<svg" not in bare
    assert "after: 9, by a-07" in bare


def test_slices_are_said_in_words() -> None:
    slice_ = {"annotator": "a-1", "batch": "b", "class": "car", "schema": "s@2.0"}
    assert (
        slice_words(slice_, {"a-1": "ada"}) == "labels of class car by ada in batch b under s@2.0"
    )
    assert slice_words({"vendor": "none"}) == "labels of no vendor"
    better = suspected(effect=-0.1, effect_lo=None, share=None)
    assert sentence(better, "linked").endswith("fell by 0.10")
    assert "contradicts 0.23 more of their 212" in sentence(suspected(), "new_labels")
    assert aliases_words(faint()) == ""
