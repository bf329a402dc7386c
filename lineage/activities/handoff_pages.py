"""What a vendor reads: the guideline, the examples, and what is asked and checked, as Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from lineage.activities.handoff_examples import Cell, Example
from lineage.formats import forms
from lineage.formats.forms import Field, Gap, Input
from lineage.labelschema import LabelSchema
from lineage.store.read import BatchRow

# an underscore within a word is no markup
_SPECIAL = re.compile(r"([\\`*{}\[\]<>#|]|(?<!\w)_|_(?!\w))")
_INPUTS: Mapping[Input, str] = {
    Input.ONE: "one of",
    Input.SEVERAL: "any of",
    Input.YES_NO: "yes or no",
    Input.NUMBER: "a number",
    Input.TEXT: "text",
}
_DRAWN_AS: Mapping[str, str] = {
    "class": "said of the whole image",
    "box": "drawn as a box",
    "rotated_box": "drawn as a turned box",
    "polygon": "drawn as a polygon",
    "polyline": "drawn as a line",
    "mask": "painted as a mask",
    "keypoints": "marked by points",
}


@dataclass(frozen=True, slots=True)
class Tool:
    """How a tool takes its configuration, and in which form labels come back."""

    title: str
    setup: str
    export: str
    empty: str


TOOLS: Mapping[str, Tool] = {
    "label-studio": Tool(
        "Label Studio",
        "Settings, Labeling Interface, Code: paste the file's text",
        "Export, JSON (not JSON-MIN)",
        "submit it without regions; Skip is for an image that cannot be judged",
    ),
    "cvat": Tool(
        "CVAT",
        "the project's label constructor, Raw: paste the file's text",
        "Export job dataset or Export task dataset, CVAT for images 1.1",
        "finish its job with nothing drawn on it",
    ),
}


def guidelines(schema: LabelSchema, copied: str | None, *, is_lost: bool = False) -> str:
    """Return the guideline as a page: every class, what it is, and how its edge cases are read.

    Parameters
    ----------
    schema
        The label schema.
    copied
        Path of the longer guideline within the hand-off, where the schema names a file.
    is_lost
        The schema names a file that is not in the hand-off: nobody is sent to look for it.
    """
    form = forms.form_of(schema.document)
    lines = [
        f"# {_text(form.title)}",
        "",
        f"Label schema `{schema.ref}`, digest `{schema.digest}`.",
    ]
    if copied is not None:
        lines += ["", f"The longer guideline: [{_text(copied)}](<{copied}>)."]
    elif form.guidelines and not is_lost:
        lines += ["", _text(form.guidelines)]
    for one in form.classes:
        rules = schema.classes[one.name]
        rare = "Rare: look for it on every image." if rules.get("rare") else ""
        drawn = ", or ".join(_DRAWN_AS[kind] for kind in one.kinds)
        least = rules.get("min_side_px")
        small = (
            f" Objects with a side under {float(str(least)):g} px are left out." if least else ""
        )
        lines += ["", f"## {_text(one.name)}", ""]
        lines += [_sentence(one.definition), ""] if one.definition else []
        lines += [f"{drawn[:1].upper()}{drawn[1:]}.{small}"]
        lines += ["", rare] if rare else []
        if one.edge_cases:
            lines += ["", "| edge case | what to do |", "|---|---|"]
            lines += [f"| {_text(name)} | {_text(told)} |" for name, told in one.edge_cases.items()]
        if one.fields:
            lines += ["", "| attribute | value | |", "|---|---|---|"]
            lines += [_asked(each) for each in one.fields]
    return "\n".join(lines) + "\n"


def examples(shown: Sequence[Example], pictures: Mapping[int, str], without: Sequence[Cell]) -> str:
    """Return the page of examples: pictures where there are any, else image and place.

    Parameters
    ----------
    shown
        The examples.
    pictures
        Per revision, the picture's path within the hand-off.
    without
        Classes and edge cases that have none.
    """
    lines = [
        "# Examples",
        "",
        "Labels as they should be. These images are shown to everybody, so nobody is tested on them.",
    ]
    heading: Cell | None = None
    for each in shown:
        cell = (each.class_, each.edge_case)
        if cell != heading:
            lines += ["", f"## {_cell(cell)}"]
            heading = cell
        place = "the whole image" if each.box is None else _place(each.box)
        told = [f"`{_code(each.image)}`", f"{each.kind}, {place}"]
        if each.attributes != "{}":
            told.append(", ".join(_attributes(each.attributes)))
        lines += ["", "; ".join(told)]
        if each.revision in pictures:
            lines += ["", f"![{_cell(cell)}](<{pictures[each.revision]}>)"]
    if without:
        lines += ["", "## Not shown", "", "There is no example of: "]
        lines[-1] += ", ".join(_cell(cell) for cell in without) + "."
    return "\n".join(lines) + "\n"


def readme(
    row: BatchRow,
    schema: LabelSchema,
    policy: Mapping[str, float],
    tool: str,
    config: str,
    gaps: Sequence[Gap],
) -> str:
    """Return the page to begin with: what to label, with what, what is checked, what comes back.

    Parameters
    ----------
    row
        The batch.
    schema
        Its label schema.
    policy
        Of the batch.
    tool
        A name of `TOOLS`.
    config
        Name of the tool's configuration within the hand-off.
    gaps
        What the tool does not hold to.
    """
    how = TOOLS[tool]
    vendor = "" if row.vendor is None else f", for {_text(row.vendor)}"
    lines = [
        f"# Batch {_text(row.tag)}: {_text(row.task)}{vendor}",
        "",
        "## What to label",
        "",
        f"Everything that `GUIDELINES.md` names: {len(schema.classes)} classes under `{schema.ref}`. "
        "`EXAMPLES.md` shows how. Where neither says what to do, ask before you go on: "
        "a question is cheaper than a batch that comes back.",
        "",
        "- Every image is answered. One with nothing on it is an answer too: "
        f"in {how.title}, {how.empty}.",
        "- Everybody works under an account of their own, and never sees another's labels of an image.",
        "- Images keep their names.",
        "",
        "## With what",
        "",
        f"{how.title}, set up by `{config}` ({how.setup}). Classes and attributes have the schema's "
        "own names; renamed ones are refused when labels come in.",
    ]
    if gaps:
        lines += ["", f"{how.title} does not hold to the following; the import does:", ""]
        lines += ["| rule | where | what becomes of it |", "|---|---|---|"]
        lines += _gap_rows(gaps)
    lines += ["", "Labels come back as the tool writes them: " + f"{how.export}."]
    lines += ["", "## What is checked", "", *_checked(schema, policy)]
    lines += ["", "## When work is returned", "", *_returned(policy)]
    lines += ["", "`policy.json` has these figures.", ""]
    return "\n".join(lines)


def _checked(schema: LabelSchema, policy: Mapping[str, float]) -> list[str]:
    lines = [
        f"- All labels are held to the rules of `{schema.ref}`: class, kind, attributes, least size."
    ]
    if policy["overlap_fraction"]:
        lines.append(
            f"- {_share(policy['overlap_fraction'])} of the images are labelled by a second person "
            "who knows nothing of the first."
        )
    if policy["gold_fraction"]:
        lines.append(
            f"- {_share(policy['gold_fraction'])} of the images have known answers. Nothing tells them "
            "from the others."
        )
    if policy["review_fraction"]:
        lines.append(
            f"- {_share(policy['review_fraction'])} of the labels are checked again by a reviewer "
            "who does not see whose they are."
        )
    return lines


def _returned(policy: Mapping[str, float]) -> list[str]:
    lines = [
        "- Labels that break a rule come back as a list that names file, label, rule and value."
    ]
    if policy["overlap_fraction"] and policy["agreement_least"]:
        lines.append(
            f"- Agreement (F1, the lower end of its 95 % interval) below {policy['agreement_least']:g}: "
            "the disagreements come back with the question that they raise."
        )
    if policy["gold_fraction"]:
        lines.append(
            "- Somebody whose answers to images with known answers are wrong too often: "
            "their part of the batch comes back."
        )
    if policy["review_fraction"]:
        lines.append(
            "- The review finds too many errors in somebody's part: that part comes back whole, "
            "the rest of the batch does not wait for it."
        )
    return lines


def _gap_rows(gaps: Sequence[Gap]) -> list[str]:
    """Return a row for each sort of gap: what holds of one class mostly holds of all."""
    where: dict[tuple[str, str], list[str]] = {}
    for gap in gaps:
        where.setdefault((gap.rule, gap.told), []).append(gap.path)
    rows = []
    for (rule, told), paths in where.items():
        more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
        rows.append(f"| {_text(rule)} | `{_code(paths[0])}`{more} | {_text(told)} |")
    return rows


def _asked(field: Field) -> str:
    words = ", ".join(f"`{_code(value)}`" for value in field.values)
    bounds = [f"from {field.minimum:g}"] if field.minimum is not None else []
    bounds += [f"to {field.maximum:g}"] if field.maximum is not None else []
    value = " ".join([_INPUTS[field.input], *bounds, *([words] if words else [])])
    required = "required" if field.is_required else "where it applies"
    return f"| {_text(field.name)} | {value} | {required} |"


def _attributes(document: str) -> list[str]:
    values = cast(Mapping[str, object], json.loads(document))
    return [f"{_text(name)} {_text(forms.text_of(value))}" for name, value in values.items()]


def _place(box: Sequence[float]) -> str:
    x_min, y_min, x_max, y_max = box
    return f"x {x_min:.1f} to {x_max:.1f} px, y {y_min:.1f} to {y_max:.1f} px"


def _share(fraction: float) -> str:
    return f"{100 * fraction:g} %"


def _cell(cell: Cell) -> str:
    class_, case = cell
    return _text(class_) if case is None else f"{_text(class_)}: {_text(case)}"


def _sentence(text: str) -> str:
    told = _text(text)
    return told[:1].upper() + told[1:] + ("" if told.endswith((".", "!", "?")) else ".")


def _text(value: str) -> str:
    """Return a text that is no markup, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(value.split()))


def _code(value: str) -> str:
    return value.replace("`", "'").replace("|", "/").replace("\n", " ")
