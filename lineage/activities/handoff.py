"""The hand-off to whoever labels a batch: one folder with all that they need, and nothing about people.

Tool configuration, guideline, gold examples and policy, written from the record, so
that the same record gives the same bytes. What is shown as an example goes on record
as shown: it is no hidden gold any more.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineage import columns, formats
from lineage.activities import batches, handoff_pages, position, schemas
from lineage.activities.context import Project
from lineage.activities.handoff_examples import Cell, Example, Examples, examples_of, pictures_of
from lineage.activities.record import Outcome, recording
from lineage.errors import BadInput, Refused
from lineage.formats.forms import Gap
from lineage.labelschema import LabelSchema
from lineage.store.read import BatchRow
from lineage.terms import ActivityKind, DrawReason

_CONFIGS: Mapping[str, str] = {"label-studio": "label-studio.xml", "cvat": "cvat-labels.json"}
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class PackOptions:
    """How a hand-off is to be made.

    Parameters
    ----------
    tool
        ``label-studio`` or ``cvat``.
    is_zipped
        A zip beside the folder as well.
    images
        A folder to look for image files in first.
    """

    tool: str = "label-studio"
    is_zipped: bool = False
    images: Path | None = None


@dataclass(frozen=True, slots=True)
class Packed:
    """A hand-off as it was written; ``activity`` is None where nothing new is shown.

    Parameters
    ----------
    batch, tool, activity
        Of what, for which tool, and the activity that recorded the examples.
    path, zip
        The folder, and the zip or None.
    files
        Paths within the folder.
    examples
        ``class edge_case annotation revision asset picture is_new``; ``picture`` is a path within
        the folder, None where the image is not at hand.
    without_example
        ``class edge_case`` of those for which there is no gold that may be shown.
    hidden
        Images with gold that were drawn as hidden gold, and so are not shown. Not in the folder.
    not_expressed
        What of the schema the tool does not ask or hold to.
    notes
        What was taken for granted.
    """

    batch: str
    tool: str
    activity: str | None
    path: Path
    zip: Path | None
    files: Sequence[str]
    examples: Sequence[Mapping[str, object]]
    without_example: Sequence[Mapping[str, object]]
    hidden: Sequence[str]
    not_expressed: Sequence[Gap]
    notes: Sequence[str]


def pack(project: Project, tag: str, out: Path, options: PackOptions | None = None) -> Packed:
    """Write the hand-off of a batch.

    Parameters
    ----------
    project
        An open project.
    tag
        Of the batch.
    out
        The folder, which must not exist.
    options
        How.

    Raises
    ------
    NotFound
        ``no-batch``.
    BadInput
        ``unknown-format``: no such tool.
    Refused
        ``file-exists``, ``schema-changed``.
    """
    how = options or PackOptions()
    row = batches.get(project, tag)
    version = schemas.get(project, row.schema)
    schemas.refuse_changed(project, version)
    schema = schemas.as_schema(version)
    if how.tool not in _CONFIGS:
        raise BadInput("unknown-format", f"no tool {how.tool!r}, expected {' or '.join(_CONFIGS)}")
    made = formats.configuration(how.tool)(schema.document)
    zipped = out.with_name(f"{out.name}.zip") if how.is_zipped else None
    for path in (out, zipped):
        if path is not None and path.exists():
            raise Refused(
                "file-exists", f"{path} exists", hint="remove it, or --out another folder"
            )
    found = examples_of(project, row, schema, position.resolve(project, None))
    content, pictures, notes = _contents(project, row, schema, found, how)
    content[_CONFIGS[how.tool]] = made.text.encode()
    content["README.md"] = handoff_pages.readme(
        row, schema, batches.policy_of(row), how.tool, _CONFIGS[how.tool], made.gaps
    ).encode()
    activity = _put(project, row, found.shown, content, out, zipped)
    return Packed(
        batch=tag,
        tool=how.tool,
        activity=activity,
        path=out,
        zip=zipped,
        files=sorted(content),
        examples=[_row(each, pictures) for each in found.shown],
        without_example=[{"class": class_, "edge_case": case} for class_, case in found.without],
        hidden=found.hidden,
        not_expressed=made.gaps,
        notes=notes,
    )


def _contents(
    project: Project, row: BatchRow, schema: LabelSchema, found: Examples, how: PackOptions
) -> tuple[dict[str, bytes], dict[int, str], list[str]]:
    """Return the files that follow from schema, policy and gold, and the picture of each revision."""
    drawn = pictures_of(project, found.shown, how.images)
    pictures = _named(found.shown, drawn)
    content = {pictures[revision]: picture for revision, picture in drawn.items()}
    copied, notes = _longer_guideline(project, schema)
    content |= copied
    content["GUIDELINES.md"] = handoff_pages.guidelines(
        schema, next(iter(copied), None), is_lost=bool(notes)
    ).encode()
    content["EXAMPLES.md"] = handoff_pages.examples(found.shown, pictures, found.without).encode()
    content["examples.csv"] = _table(found.shown, pictures)
    policy = {
        "batch": row.tag,
        "task": row.task,
        "schema": schema.ref,
        "schema_digest": schema.digest,
        "policy": batches.policy_of(row),
    }
    content["policy.json"] = (json.dumps(policy, indent=2, ensure_ascii=False) + "\n").encode()
    return content, pictures, notes


def _longer_guideline(project: Project, schema: LabelSchema) -> tuple[dict[str, bytes], list[str]]:
    """Return the file that a schema names as its guideline; of the project, and nothing hidden in it."""
    named = str(schema.document.get("guidelines") or "")
    is_word = len(named.split()) == 1 and "://" not in named
    if not is_word or not ("/" in named or Path(named).suffix):
        return {}, []
    path = (project.root / named).resolve()
    # what a dot hides is not for others: .lineage holds people's names
    is_ours = path.is_relative_to(project.root) and not any(
        part.startswith(".") for part in path.relative_to(project.root).parts
    )
    if not is_ours or not path.is_file():
        return {}, [
            f"the guideline {named!r} is no file of this project and is not in the hand-off"
        ]
    return {f"guidelines/{path.name}": path.read_bytes()}, []


def _named(shown: Sequence[Example], drawn: Mapping[int, bytes]) -> dict[int, str]:
    """Return a path for each picture: class names are somebody's text, so they are numbered."""
    order: dict[Cell, int] = {}
    seen: dict[Cell, int] = {}
    named = {}
    for each in shown:
        cell = (each.class_, each.edge_case)
        number = order.setdefault(cell, len(order) + 1)
        seen[cell] = seen.get(cell, 0) + 1
        words = "-".join(_plain(word) for word in cell if word)
        if each.revision in drawn:
            named[each.revision] = f"examples/{number:03d}-{words}-{seen[cell]}.png"
    return named


def _plain(word: str) -> str:
    return "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in word)[:40]


def _table(shown: Sequence[Example], pictures: Mapping[int, str]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["class", "edge_case", "image", "kind", "x_min", "y_min", "x_max", "y_max", "attributes",
         "picture"]
    )  # fmt: skip
    for each in shown:
        box = ["", "", "", ""] if each.box is None else [f"{value:g}" for value in each.box]
        picture = pictures.get(each.revision, "")
        writer.writerow(
            [
                each.class_,
                each.edge_case or "",
                each.image,
                each.kind,
                *box,
                each.attributes,
                picture,
            ]
        )
    return out.getvalue().encode()


def _put(
    project: Project,
    row: BatchRow,
    shown: Sequence[Example],
    content: Mapping[str, bytes],
    out: Path,
    zipped: Path | None,
) -> str | None:
    """Write the files aside, record what is newly shown, and give them their names."""
    aside = out.with_name(f".{out.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        for name, value in content.items():
            path = aside / "pack" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(value)
        if zipped is not None:
            (aside / "zip").write_bytes(_zip(content, out.name))
        # on record before anybody can see it: what is shown must never be drawn as hidden
        activity = _record(project, row, [each for each in shown if each.is_new])
        (aside / "pack").replace(out)
        if zipped is not None:
            (aside / "zip").replace(zipped)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return activity


def _zip(content: Mapping[str, bytes], folder: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(content):
            entry = zipfile.ZipInfo(f"{folder}/{name}", _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content[name])
    return out.getvalue()


def _record(project: Project, row: BatchRow, shown: Sequence[Example]) -> str | None:
    if not shown:
        return None
    done = Outcome()
    parameters = {"reason": DrawReason.EXAMPLE, "n": len(shown)}
    with recording(
        project, ActivityKind.DRAW, parameters=parameters, batch=row.tag, outcome=done
    ) as activity:
        values = {
            "seq": activity.seq,
            "draw": f"draw-{activity.seq}",
            "asset": np.array([each.asset for each in shown], np.int64),
            "revision": np.array([each.revision for each in shown], np.int64),
            "batch": row.tag,
            "annotator": None,
            "reason": DrawReason.EXAMPLE.value,
            "stratum": [f"{each.class_}|{each.edge_case or ''}" for each in shown],
            "inclusion_fraction": 1.0,
        }
        activity.append("draws", columns.batch_of(columns.SEGMENT_DRAWS, values, len(shown)))
    return done.activity


def _row(each: Example, pictures: Mapping[int, str]) -> dict[str, object]:
    return {
        "class": each.class_,
        "edge_case": each.edge_case,
        "annotation": each.annotation,
        "revision": each.revision,
        "asset": each.image,
        "picture": pictures.get(each.revision),
        "is_new": each.is_new,
    }
