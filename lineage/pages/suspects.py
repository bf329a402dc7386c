"""The page of suspects: a model became worse, and these labels are, or are not, to blame."""

from __future__ import annotations

import shlex

from lineage.pages.drawing import drawn
from lineage.pages.effects import effects
from lineage.pages.evaluation import evaluation
from lineage.pages.page import Page, page_of
from lineage.pages.paths import colour_of, drawn_suspects, paths
from lineage.pages.relabelled import relabelled
from lineage.pages.section import FOLDER, Section, card
from lineage.pages.suspect_tables import (
    MEANS,
    change_tables,
    flow_table,
    label_table,
    suspect_table,
)
from lineage.pages.suspect_values import Suspected, Suspicion
from lineage.pages.suspect_words import aliases_words, percent, sentence, slice_words
from lineage.pages.tables import html_of
from lineage.pages.text import command_line, escaped, joined, paragraph

_MODES = {
    "new_labels": (
        "new labels",
        "which of the changed labels the good run's model contradicts",
    ),
    "linked": ("both runs", "errors of both runs on units whose provenance is known"),
    "gold": ("gold, weak", "errors of both runs on a gold set that says nothing of provenance"),
}


def suspects_page(values: Suspicion, folder: str) -> Page:
    """Return the page.

    Parameters
    ----------
    values
        What is on it.
    folder
        Name of the folder beside the page in which its lists will stand.

    Raises
    ------
    NotFound
        ``extra-missing``: vl-convert is not installed.
    """
    sections = [
        section(values) for section in (evaluation, suspects, origins, labels, proof, changes)
    ]
    runs = shlex.join([values.bad, values.good])
    return page_of(
        sections,
        folder,
        title=f"Which labels are to blame: {values.bad} against {values.good}",
        told=(
            f"{values.project}, {values.as_of}",
            f"lineage report --isolate {runs}{values.options}",
        ),
        means=MEANS,
    )


def verdict(values: Suspicion) -> str:
    """Return the answer in a sentence or two."""
    n_sure = sum(one.is_evidence for one in values.suspects)
    changed = f"{values.n_changed:,} changed units"
    if values.n_changed == 0:
        return "Nothing that was evaluated changed between the two versions: no label is to blame."
    if n_sure:
        slices = "one slice" if n_sure == 1 else f"{n_sure} slices"
        return f"Evidence against {slices} of the {changed}."
    if values.is_weak:
        return (
            "Weak evidence only: the gold set does not say whose labels it stands for. The slices below "
            "have their changed labels where gold became worse, and no more is known of them."
        )
    return (
        f"No evidence: nothing sets any slice of the {changed} apart beyond chance and its classes. What "
        "stands below is the likeliest, no finding; look for the cause elsewhere first."
    )


def suspects(values: Suspicion) -> Section:
    """Return the answer, a sentence for each suspect, their effects as bars, and the table."""
    word, means = _MODES.get(values.mode, (values.mode, ""))
    of = percent(values.n_changed / values.n_units) if values.n_units else "0 %"
    behind = f"{of} of {values.n_units:,} with an outcome"
    least = "no evidence at any height"
    if values.is_weak:
        behind = f"labels; {values.n_units:,} outcomes of gold"
    elif values.threshold is not None:
        least = f"evidence from {values.threshold:.1f} on"
    best = max((one.gain for one in values.suspects), default=None)
    cards = [
        card("Changed", f"{values.n_changed:,}", behind, MEANS["unit"]),
        card("Greatest gain", "-" if best is None else f"{best:.1f}", least, MEANS["gain"]),
        card("Asked of", escaped(word), escaped(means), "the way in which outcomes of units came about"),
        card("Labels that differ", f"{values.n_labels_changed:,}", f"between {escaped(values.good_version)}<br>and {escaped(values.bad_version)}", "of the versions that the two runs are pinned to"),
    ]  # fmt: skip
    kind = "answer" if values.evidence and not values.is_weak else "answer none"
    parts = [
        paragraph(verdict(values), kind),
        *(paragraph(f"{note[:1].upper()}{note[1:]}.", "note") for note in values.notes),
        f'<div class="cards">{joined(cards)}</div>',
    ]
    title = "Suspects"
    if not values.suspects:
        return Section("suspects", title, joined(parts))
    table = suspect_table(values)
    told = "\n".join(_suspect(one, values) for one in values.suspects)
    parts += [f'<ol class="suspects">{told}</ol>', _bars(values), html_of(table, FOLDER)]
    return Section("suspects", title, joined(parts), (table,))


def _suspect(one: Suspected, values: Suspicion) -> str:
    words = sentence(one, values.mode, values.names)
    flag = ' <span class="flag">evidence</span>' if one.is_evidence else ""
    if not one.is_evidence:
        flag = f' <span class="flag none">{"weak" if values.is_weak else "no evidence"}</span>'
    more = [aliases_words(one, values.names)]
    bar = values.threshold
    if not one.is_evidence and values.evidence and bar is not None and one.gain >= bar:
        more.append(
            "Nothing of its own: it is conspicuous only for what the suspects above explain."
        )
    if one.step > 1 and one.is_evidence:
        more.append(f"Found when those before it were taken out (step {one.step}).")
    if one.recheck is not None:
        more.append(_rechecked(one))
    told = "".join(f'<br><span class="fine">{escaped(words)}</span>' for words in more if words)
    shown = escaped(words[:1].upper() + words[1:])
    return f"<li>{f'<b>{shown}.</b>' if one.is_evidence else f'{shown}.'}{flag}{told}</li>"


def _rechecked(one: Suspected) -> str:
    told = one.recheck or {}
    chance = float(str(told["p_value"]))
    shown = "below 0.001" if chance < 0.001 else f"{chance:.3f}"
    return (
        f"Looked at again, blind: {told['n_wrong']} of {told['n']} wrong, of matched controls "
        f"{told['n_wrong_controls']} of {told['n_controls']} (p {shown}, Fisher's exact test)."
    )


def _bars(values: Suspicion) -> str:
    rows = []
    for one in values.suspects:
        value, lo = one.effect, one.effect_lo
        if value is None:
            continue
        hi = None if lo is None else 2 * value - lo
        name = f"{one.rank}: {slice_words(one.slice, values.names)}"
        interval = "" if hi is None else f", {lo:+.3f} to {hi:+.3f}"
        told = f"{name}: {value:+.3f}{interval}, {one.n_changed:,} changed"
        kind = "evidence" if one.is_evidence else "none"
        rows.append({"label": name, "value": value, "lo": lo, "hi": hi, "kind": kind, "told": told})  # fmt: skip
    if not rows:
        return ""
    title = "rise of the error beyond what its classes show"
    svg = drawn(effects(rows, title=title), "effects", "effect of each suspect with its interval")
    note = (
        "Red: evidence; grey: none. Whiskers are 90 % intervals: their lower end is the bound that holds "
        "with 95 %. A slice was picked for being extreme, so its effect is told somewhat too high."
    )
    return f'<figure class="chart">{svg}<figcaption>{escaped(note)}</figcaption></figure>'


def origins(values: Suspicion) -> Section:
    """Return the graph from runs to annotators."""
    title = "Where they come from"
    graph = paths(values)
    if not graph:
        return Section(
            "origins", title, paragraph("No label differs between the versions.", "note")
        )
    shown = drawn_suspects(values)
    legend = "".join(
        f'<li><i style="background:{colour_of(one)}"></i>{one.rank}: '
        f"{escaped(slice_words(one.slice, values.names))}</li>"
        for one in shown
    )
    word = "suspects" if values.evidence else "the likeliest, without evidence:"
    note = (
        "Lines are the labels that changed, by their number; grey is all of them, colour a suspect's. Batches "
        "and annotators of which no suspect has much are folded into one box; the list has all."
    )
    table = flow_table(values)
    body = (
        f'<figure class="chart">{graph}<figcaption>{escaped(word)}<ul class="legend">{legend}</ul>'
        f"{escaped(note)}</figcaption></figure>\n{html_of(table, FOLDER)}"
    )
    return Section("origins", title, body, (table,))


def labels(values: Suspicion) -> Section:
    """Return changed labels of suspects before and after."""
    title = "Changed labels, before and after"
    shown = [one for one in values.suspects if one.shown]
    if not shown:
        return Section("labels", title, paragraph("There is none to show.", "note"))
    parts = []
    every = [each for one in shown for each in one.shown]
    n_bare = sum(each.picture is None for each in every)
    if n_bare:
        parts.append(
            paragraph(
                f"No image file was found of {n_bare} of {len(every)} labels: --images DIR says where they are.",
                "note",
            )
        )
    for one in shown:
        words = slice_words(one.slice, values.names)
        crops = "\n".join(
            relabelled(each, values, f"label-{one.rank}-{at}") for at, each in enumerate(one.shown)
        )
        warned = (
            paragraph(
                "Some of these are among the labels to look at again: whoever does that blind should not "
                "see them here first.",
                "note",
            )
            if one.is_check_shown
            else ""
        )
        parts.append(
            f'<section class="dispute"><h4>{one.rank}: {escaped(words)}</h4>{warned}'
            f'<div class="crops pairs">{crops}</div></section>'
        )
    table = label_table(values)
    return Section("labels", title, joined([*parts, html_of(table, FOLDER)]), (table,))


def proof(values: Suspicion) -> Section:
    """Return the commands by which suspicion becomes proof."""
    title = "From suspicion to proof"
    n = sum(one.n_check for one in values.suspects)
    parts = []
    if n:
        parts += [
            paragraph(
                "Have labels of each suspect looked at again, shuffled among matched controls of the same "
                "classes, by somebody who does not know which is which; the verdicts then stand here."
            ),
            command_line(f"{values.command} --check recheck.csv"),
            paragraph("It says which lineage review draw --only recheck.csv comes next.", "fine"),
        ]
    sayable = [one for one in drawn_suspects(values) if one.predicate]
    if sayable:
        parts.append(
            paragraph("Train once more on the version as it would be without them, and compare:")
        )
    for one in sayable:
        without = shlex.quote(one.predicate or "")
        parts.append(
            paragraph(f"{one.rank}: {slice_words(one.slice, values.names)}", "fine")
            + command_line(f"lineage recompute {values.bad_version} --without {without}")
        )
    if not parts:
        parts.append(paragraph("There is nothing to look at again.", "note"))
    return Section("proof", title, joined(parts))


def changes(values: Suspicion) -> Section:
    """Return all that changed, by annotator, batch, class and schema version."""
    tables = change_tables(values)
    if not tables:
        return Section("changes", "All that changed", paragraph("No label differs.", "note"))
    return Section(
        "changes", "All that changed", joined(html_of(t, FOLDER) for t in tables), tables
    )
