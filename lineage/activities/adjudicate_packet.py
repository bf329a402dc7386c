"""Packets for seniors: each object with its two candidates as A and B, for the tool or as a sheet with pictures."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lineage import columns
from lineage.activities import packets, precision
from lineage.activities.adjudicate_senior import Decision, Question
from lineage.activities.context import Project
from lineage.activities.report_objects import content_of, files_of
from lineage.calc import sampling
from lineage.formats.label_studio import percent
from lineage.pages import candidates
from lineage.store import read
from lineage.terms import Kind

NOTHING = "nothing there"
_TAGS = {
    Kind.BOX: ("RectangleLabels", "box"),
    Kind.ROTATED_BOX: ("RectangleLabels", "box"),
    Kind.POLYGON: ("PolygonLabels", "polygon"),
    Kind.POLYLINE: ("VectorLabels", "polyline"),
    Kind.KEYPOINTS: ("KeyPointLabels", "keypoints"),
    Kind.MASK: ("BrushLabels", "mask"),
}
_WANTED = ("class", "kind", "attributes", *columns.BOX, "geometry")

Label = Mapping[str, object]


def write(
    project: Project, asked: Sequence[Question], out: Path, tool: str, *, key: bytes
) -> list[Path]:
    """Write a packet of questions, the same bytes whenever it is asked for.

    Parameters
    ----------
    project
        An open project.
    asked
        What is put before the senior.
    out
        Folder of this packet.
    tool
        ``label-studio``: tasks with both candidates as regions, and their configuration; ``cvat``: a sheet,
        and a picture of every object whose image file is found.
    key
        Deals out the order.

    Raises
    ------
    Refused
        ``packet-exists``.
    """
    packets.refuse_unknown_tool(tool)
    numbers = np.array([int(one.name, 16) for one in asked], np.int64)
    order = np.argsort(sampling.fractions(numbers, key), kind="stable")
    dealt = [asked[at] for at in order.tolist()]
    labels = _labels(project, dealt)
    with project.store.reading() as connection:
        keys = [one.asset for one in dealt]
        names, facts = read.asset_names(connection, keys), read.asset_facts(connection, keys)
    if tool == "label-studio":
        kinds = sorted({str(label["kind"]) for label in labels.values()})
        files = {
            out / "decisions.json": _tasks(dealt, labels, names, facts),
            out / "config.xml": _configuration(kinds),
        }
    else:
        files = {out / "decisions.csv": _sheet(dealt, labels, names)}
        files |= _pictures(project, dealt, labels, (names, facts), out)
    for path, text in files.items():
        packets.put(path, text)
    return list(files)


def _labels(project: Project, asked: Sequence[Question]) -> dict[int, Label]:
    wanted = sorted({one for each in asked for one in (each.a, each.b) if one is not None})
    table = precision.of_ledger(project.ledger, np.array(wanted, np.int64), _WANTED)
    return dict(zip(wanted, table.to_pylist(), strict=True))


def _told(label: Label | None) -> str:
    """Return what a candidate says, its place left out."""
    if label is None:
        return NOTHING
    attributes = json.loads(str(label["attributes"]))
    told = ", ".join(
        f"{name}: {json.dumps(v, ensure_ascii=False)}" for name, v in attributes.items()
    )
    return f"{label['class']} ({told})" if told else str(label["class"])


def _sides(one: Question, labels: Mapping[int, Label]) -> dict[str, Label | None]:
    sides = {"A": one.a, "B": one.b}
    return {name: None if key is None else labels[key] for name, key in sides.items()}


def _tasks(
    asked: Sequence[Question],
    labels: Mapping[int, Label],
    names: Mapping[int, str],
    facts: Mapping[int, Mapping[str, object]],
) -> str:
    rows = []
    for one in asked:
        sides = _sides(one, labels)
        known = facts.get(one.asset, {})
        task = {
            "data": {
                "image": str(known.get("uri") or names[one.asset]),
                "object": one.name,
                "told": "; ".join(f"{name}: {_told(label)}" for name, label in sides.items()),
            },
            "predictions": [{"model_version": "candidates", "result": _regions(sides, known)}],
        }
        rows.append(json.dumps(task, ensure_ascii=False))
    return "[\n" + ",\n".join(rows) + "\n]\n"


def _regions(
    sides: Mapping[str, Label | None], known: Mapping[str, object]
) -> list[dict[str, object]]:
    width, height = known.get("width"), known.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        return []
    found: list[dict[str, object]] = []
    for name, label in sides.items():
        if label is None or label["kind"] == Kind.CLASS:
            continue
        kind = str(label["kind"])
        for at, value in enumerate(percent.values(label, width, height, Counter())):
            value[percent.TYPES[kind]] = [name]
            common = {"to_name": "image", "original_width": width, "original_height": height}
            control = {
                "from_name": f"candidate-{_TAGS[Kind(kind)][1]}",
                "type": percent.TYPES[kind],
            }
            found.append({"id": f"{name}{at or ''}", **common, **control, "value": value})
    return found


def _configuration(kinds: Sequence[str]) -> str:
    controls = dict.fromkeys(_TAGS[Kind(kind)] for kind in kinds if kind != Kind.CLASS)
    lines = [
        '  <Header value="$told" size="4"/>',
        '  <Image name="image" value="$image" zoom="true"/>',
    ]
    for tag, name in controls:
        lines += [
            f'  <{tag} name="candidate-{name}" toName="image">',
            f'    <Label value="A" background="{candidates.COLOURS["A"]}"/>',
            f'    <Label value="B" background="{candidates.COLOURS["B"]}"/>',
            f"  </{tag}>",
        ]
    lines.append('  <Choices name="decision" toName="image" choice="single" required="true">')
    lines += [f'    <Choice value="{one.value}"/>' for one in Decision]
    lines += ["  </Choices>", '  <TextArea name="comment" toName="image" rows="2"/>']
    return "\n".join(["<View>", *lines, "</View>", ""])


def _sheet(asked: Sequence[Question], labels: Mapping[int, Label], names: Mapping[int, str]) -> str:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(("object", "image", "A", "B", "decision", "comment"))
    for one in asked:
        told = [_placed(label) for label in _sides(one, labels).values()]
        writer.writerow((one.name, names[one.asset], *told, "", ""))
    return sink.getvalue()


def _placed(label: Label | None) -> str:
    told = _told(label)
    if label is None or label["x_min"] is None:
        return told
    x0, y0, x1, y1 = (float(str(label[side])) for side in columns.BOX)
    return f"{told} at {x0:.0f},{y0:.0f} to {x1:.0f},{y1:.0f}"


def _pictures(
    project: Project,
    asked: Sequence[Question],
    labels: Mapping[int, Label],
    known: tuple[Mapping[int, str], Mapping[int, Mapping[str, object]]],
    out: Path,
) -> dict[Path, str]:
    names, facts = known
    files = files_of(project.root, None, sorted(set(names.values())))
    found = {}
    for one in asked:
        name = names[one.asset]
        content = content_of(files.get(name), facts.get(one.asset, {}).get("digest"))
        sides = {
            side: candidates.Candidate(_told(label), [] if label is None else _rings(label))
            for side, label in _sides(one, labels).items()
        }
        found[out / "pictures" / f"{one.name}.svg"] = candidates.side_by_side(sides, content)
    return found


def _rings(label: Label) -> list[list[float]]:
    """Return a label's outlines as ``[x0, y0, ...]``, px; of all but polygons, the hull."""
    if label["x_min"] is None:
        return []
    geometry = label["geometry"]
    if label["kind"] == Kind.POLYGON and isinstance(geometry, list):
        return [list(part) for part in geometry]
    x0, y0, x1, y1 = (float(str(label[side])) for side in columns.BOX)
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]
