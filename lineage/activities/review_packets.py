"""What reviewers are handed: the images of a draw, and nothing about their labels.

A draw may say that its reviewers are shown the labels. Then packets for Label Studio
hold them as predictions of nobody: shape, class and attributes, no person, time, batch
or number of the ledger.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns, formats
from lineage.activities import batches, draws, packets, position, schemas, trace
from lineage.activities.context import Project
from lineage.activities.packets import Packet
from lineage.activities.review_log import FRESH, answers_tag, codes, texts_of
from lineage.activities.select import Selector, is_word
from lineage.calc import sampling, state
from lineage.errors import BadInput, NotFound, Refused
from lineage.store import read
from lineage.terms import ActivityKind, DrawReason, Origin

_SHOWN = "label"


def packet_key(project: Project, batch: str) -> bytes:
    """Return the key that deals out the order of a batch's packets; it chooses nobody and nothing."""
    return sampling.derived(packets.secret(project), f"packets of review {batch}")


def export(project: Project, draw: str, out: Path, *, tool: str) -> tuple[Packet, ...]:
    """Write the packets of a draw, the same bytes whenever they are asked for.

    Parameters
    ----------
    project
        An open project.
    draw
        Its name.
    out
        Folder below which the draw's own goes.
    tool
        One of `packets.TOOLS`.

    Raises
    ------
    BadInput
        ``packet-tool``: no packets for that tool, or none that could show labels.
    NotFound
        ``no-draw``.
    Refused
        ``packet-exists``; ``draw-key``: the key of the draw is not here.
    """
    packets.refuse_unknown_tool(tool)
    seq = position.resolve(project, None)
    with project.store.reading() as connection:
        entries = {
            f"draw-{entry.seq}": entry.parameters
            for entry in read.activities(connection)
            if entry.kind == ActivityKind.DRAW
            and entry.parameters.get("reason") == DrawReason.REVIEW
            and "is_again" in entry.parameters
        }
    if draw not in entries:
        known = ", ".join(entries) or "none"
        raise NotFound(
            "no-draw", f"no draw {draw!r} for review; there are: {known}", hint="lineage log"
        )
    told = entries[draw]
    batch = str(told["batch"])
    is_shown = bool(told.get("shows_labels"))
    if is_shown and tool != "label-studio":
        raise BadInput(
            "packet-tool",
            f"{draw} shows labels, which packets for {tool} cannot",
            hint="--to label-studio",
        )
    key = packet_key(project, batch)
    if sampling.key_name(key) != told["packet_key"]:
        raise Refused(
            "draw-key",
            f"{draw} was dealt out by another key than the one here: the same packets cannot be made",
            hint="bring .lineage/sampling.key from where the draw was made, or a backup",
        )
    people = _people(project, batch, draw, seq)
    folder = out / draw
    if not is_shown:
        return packets.write(project, folder, tool, people, answers_tag(batch), key=key)
    with tempfile.TemporaryDirectory() as aside:
        plain = packets.write(project, Path(aside), tool, people, answers_tag(batch), key=key)
        shown = _predictions(project, batch, people, Path(aside), seq)
        files = {path.name: path.read_text("utf-8") for path in Path(aside).glob("config.*")}
        files |= {one.path.name: _joined(one.path.read_text("utf-8"), shown) for one in plain}
    for name, text in files.items():
        packets.put(folder / name, text)
    return tuple(Packet(one.annotator, folder / one.path.name, one.n_images) for one in plain)


def _people(project: Project, batch: str, draw: str, seq: int) -> dict[str, list[int]]:
    """Return the images of everybody who is asked by a draw and was not asked for them before."""
    rows = draws.drawn(project.ledger, (DrawReason.REVIEW,), seq)
    rows = rows.filter(pa.array(is_word(rows["batch"].combine_chunks(), [answers_tag(batch)])))
    stratum = texts_of(rows["stratum"].combine_chunks())
    rows = rows.filter(pa.array(stratum != FRESH))
    person, name = (texts_of(rows[n].combine_chunks()) for n in ("annotator", "draw"))
    asset = np.asarray(rows["asset"])
    _, first, pair = np.unique(
        state.composed(asset, codes(person)), return_index=True, return_inverse=True
    )
    chosen = np.flatnonzero((name == draw) & (name[first[pair]] == draw))
    found: dict[str, list[int]] = {}
    for at in chosen.tolist():
        found.setdefault(str(person[at]), []).append(int(asset[at]))
    return {one: found[one] for one in sorted(found)}


def _predictions(
    project: Project, batch: str, people: Mapping[str, list[int]], folder: Path, seq: int
) -> dict[str, list[object]]:
    """Return the labels of images as the tool's own regions, by the image's address in its tasks."""
    every = sorted({asset for own in people.values() for asset in own})
    table = trace.labels(project, Selector(batches=(batch,), assets=tuple(every)), seq)
    n = table.num_rows
    plain = {
        "annotator": _SHOWN,
        "batch": "",
        "stage": "",
        "origin": Origin.MODEL.value,
        "labelled_at": None,
        # numbers that begin anew tell nothing of who was first
        "annotation": np.arange(1, n + 1),
        "revision": np.arange(1, n + 1),
    }
    order = pa.array(
        np.lexsort((_numbers(table, "y_min"), _numbers(table, "x_min"), _assets(table)))
    )
    table = table.take(order)
    values = {name: plain.get(name, table[name]) for name in columns.DATASET.names}
    labels = pa.Table.from_batches([columns.batch_of(columns.DATASET, values, n)])
    with project.store.reading() as connection:
        names = read.asset_names(connection, every)
        facts = read.asset_facts(connection, every)
    known = sorted(every, key=lambda one: names[one])
    assets = columns.batch_of(
        columns.DATASET_ASSETS,
        {
            "asset": [names[one] for one in known],
            "split": "",
            "n_annotations": 0,
            **{
                side: [facts.get(one, {}).get(side) for one in known]
                for side in ("width", "height")
            },
        },
        len(known),
    )
    row = batches.get(project, batch)
    document = schemas.get(project, row.schema).document
    path = folder / "labels"
    options = formats.WriteOptions(schemas=(document,), is_prelabels=True)
    formats.writer("label-studio")(path, labels, pa.Table.from_batches([assets]), options)
    tasks = json.loads(path.read_text("utf-8"))
    path.unlink()
    found: dict[str, list[object]] = {}
    for task, asset in zip(tasks, known, strict=True):
        uri = str(facts.get(asset, {}).get("uri") or names[asset])
        regions = [region for one in task["predictions"] for region in one["result"]]
        found[uri] = [{k: v for k, v in region.items() if k != "meta"} for region in regions]
    return found


def _joined(tasks: str, shown: Mapping[str, list[object]]) -> str:
    rows = []
    for task in json.loads(tasks):
        results = shown.get(task["data"]["image"], [])
        told = {**task, "predictions": [{"model_version": _SHOWN, "result": results}]}
        rows.append(json.dumps(told, ensure_ascii=False, sort_keys=True))
    return "[\n" + ",\n".join(rows) + "\n]\n"


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(pc.fill_null(table[name], -1.0))


def _assets(table: pa.Table) -> np.ndarray:
    return np.asarray(table["asset"].to_numpy(zero_copy_only=False)).astype(str)
