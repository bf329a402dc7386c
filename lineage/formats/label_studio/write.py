"""Back into Label Studio: tasks with annotations, or with pre-labels, percent again.

Every region carries where it comes from in ``meta.lineage``: annotation, revision,
annotator, batch, schema, stage. One Label Studio annotation stands for one
annotator's labels on one image, so several people's work is never folded into
one.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa

from lineage.formats import WriteOptions, WriteReport
from lineage.formats.label_studio import brush
from lineage.formats.runs import mask_of
from lineage.terms import Kind

Row = Mapping[str, object]
_SLICE_ROWS = 50_000
_TYPES: Mapping[str, str] = {
    Kind.BOX: "rectanglelabels",
    Kind.ROTATED_BOX: "rectanglelabels",
    Kind.POLYGON: "polygonlabels",
    Kind.KEYPOINTS: "keypointlabels",
    Kind.MASK: "brushlabels",
}
_CARRIED = ("annotation", "revision", "annotator", "batch", "schema", "stage")


def write(
    path: Path, labels: pa.Table, assets: pa.Table, options: WriteOptions | None = None
) -> WriteReport:
    """Write tasks with annotations; see `lineage.formats`."""
    how = options or WriteOptions()
    return write_tasks(path, labels, assets, is_prelabels=how.is_prelabels)


def write_tasks(
    path: Path, labels: pa.Table, assets: pa.Table, *, is_prelabels: bool = False
) -> WriteReport:
    """Write tasks, images in order of their names, the same bytes every time.

    Parameters
    ----------
    path
        The file.
    labels, assets
        Rows of `columns.DATASET` and `columns.DATASET_ASSETS`.
    is_prelabels
        Write ``predictions``, for annotators to begin from, in place of ``annotations``.

    Returns
    -------
    WriteReport
        What could not be carried: labels on images of unknown size, polylines, the parts of a polygon
        after the first as regions of their own, the visibility of key points.
    """
    losses: Counter[str] = Counter()
    sizes = {
        row["asset"]: (row["width"], row["height"])
        for row in assets.select(["asset", "width", "height"]).to_pylist()
    }
    ordered = labels.sort_by([("asset", "ascending"), ("annotation", "ascending")])
    groups = _by_asset(ordered)
    waiting = next(groups, None)
    n_labels = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("[")
        for at, name in enumerate(sorted(sizes)):
            rows: list[Row] = []
            if waiting is not None and waiting[0] == name:
                rows = waiting[1]
                waiting = next(groups, None)
            task, n = _task(at + 1, name, rows, sizes[name], losses, is_prelabels=is_prelabels)
            n_labels += n
            text = json.dumps(task, ensure_ascii=False, separators=(",", ":"))
            file.write(("," if at else "") + "\n" + text)
        file.write("\n]\n")
    return WriteReport(n_labels, len(sizes), dict(sorted(losses.items())))


def _by_asset(ordered: pa.Table) -> Iterator[tuple[str, list[Row]]]:
    name, held = "", cast(list[Row], [])
    for start in range(0, ordered.num_rows, _SLICE_ROWS):
        for row in ordered.slice(start, _SLICE_ROWS).to_pylist():
            if held and row["asset"] != name:
                yield name, held
                held = []
            name = row["asset"]
            held.append(row)
    if held:
        yield name, held


def _task(
    key: int,
    name: str,
    rows: list[Row],
    size: tuple[int | None, int | None],
    losses: Counter[str],
    *,
    is_prelabels: bool,
) -> tuple[dict[str, object], int]:
    people: dict[str, list[Row]] = {}
    for row in rows:
        people.setdefault(str(row["annotator"]), []).append(row)
    answers = []
    n_labels = 0
    for annotator, theirs in people.items():
        results = []
        for row in theirs:
            regions = _regions(row, size, losses)
            n_labels += bool(regions)
            results += regions
        answers.append(_answer(annotator, theirs, results, is_prelabels=is_prelabels))
    found = {
        "id": key,
        "data": {"image": name if "://" in name else f"/data/local-files/?d={name}"},
        "annotations": [] if is_prelabels else answers,
        "predictions": answers if is_prelabels else [],
    }
    return found, n_labels


def _answer(
    annotator: str, rows: list[Row], results: list[dict[str, object]], *, is_prelabels: bool
) -> dict[str, object]:
    if is_prelabels:
        return {"model_version": "lineage", "result": results}
    times = [row["labelled_at"] for row in rows if isinstance(row["labelled_at"], datetime)]
    found: dict[str, object] = {
        "result": results,
        "was_cancelled": False,
        "ground_truth": False,
        # the tool's own people are numbers of its database; the pseudonym travels as a name
        "completed_by": {"username": annotator},
    }
    if times:
        found["created_at"] = found["updated_at"] = _text(max(times))
    return found


def _regions(
    row: Row, size: tuple[int | None, int | None], losses: Counter[str]
) -> list[dict[str, object]]:
    kind, class_ = str(row["kind"]), str(row["class"])
    meta = {"lineage": {name: row[name] for name in _CARRIED}}
    key = f"L{row['annotation']}"
    if kind == Kind.CLASS:
        value: dict[str, object] = {"choices": [class_]}
        return [
            {
                "id": key,
                "from_name": "class",
                "to_name": "image",
                "type": "choices",
                "value": value,
                "meta": meta,
            }
        ]
    if kind not in _TYPES:
        losses[kind] += 1
        return []
    width, height = size
    if not width or not height:
        losses["image-size-unknown"] += 1
        return []
    type_ = _TYPES[kind]
    shapes = _shapes(row, kind, width, height, losses)
    common: dict[str, object] = {
        "from_name": "label",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
    }
    regions: list[dict[str, object]] = [
        {
            **common,
            "id": key if at == 0 else f"{key}.{at}",
            "type": type_,
            "value": {**shape, type_: [class_]},
            "meta": meta,
        }
        for at, shape in enumerate(shapes)
    ]
    attributes = json.loads(str(row["attributes"]))
    for name, found in attributes.items():
        regions.append({**common, "id": key, "from_name": name, **_attribute(found), "meta": meta})
    return regions


def _attribute(value: object) -> dict[str, object]:
    if isinstance(value, bool) or value is None or isinstance(value, dict):
        return {"type": "textarea", "value": {"text": [json.dumps(value)]}}
    if isinstance(value, (int, float)):
        return {"type": "number", "value": {"number": value}}
    words = value if isinstance(value, list) else [value]
    return {"type": "choices", "value": {"choices": [str(word) for word in words]}}


def _shapes(
    row: Row, kind: str, width: int, height: int, losses: Counter[str]
) -> list[dict[str, object]]:
    geometry = cast(list[list[float]], row["geometry"])
    across, down = 100 / width, 100 / height
    if kind == Kind.BOX:
        x0, y0, x1, y1 = (cast(float, row[side]) for side in ("x_min", "y_min", "x_max", "y_max"))
        box = {
            "x": x0 * across,
            "y": y0 * down,
            "width": (x1 - x0) * across,
            "height": (y1 - y0) * down,
        }
        return [{**box, "rotation": 0}]
    if kind == Kind.ROTATED_BOX:
        return [_turned(geometry[0], across, down)]
    if kind == Kind.POLYGON:
        losses["polygon-part"] += len(geometry) - 1
        return [
            {
                "points": [
                    [x * across, y * down] for x, y in zip(ring[0::2], ring[1::2], strict=True)
                ],
                "closed": True,
            }
            for ring in geometry
        ]
    if kind == Kind.KEYPOINTS:
        points = [
            p
            for p in zip(geometry[0][0::3], geometry[0][1::3], geometry[0][2::3], strict=True)
            if p[2]
        ]
        losses["keypoint-visibility"] += sum(v == 1 for _, _, v in points)
        return [{"x": x * across, "y": y * down, "width": 0.5} for x, y, _ in points]
    rows, columns = (int(side) for side in geometry[0])
    mask = mask_of(np.array(geometry[1]), rows, columns)
    return [{"format": "rle", "rle": brush.encoded_mask(mask)}]


def _turned(numbers: list[float], across: float, down: float) -> dict[str, object]:
    cx, cy, width, height, rotation = numbers
    angle = math.radians(rotation)
    # the tool turns about the top-left corner, in px
    x = cx - width / 2 * math.cos(angle) + height / 2 * math.sin(angle)
    y = cy - width / 2 * math.sin(angle) - height / 2 * math.cos(angle)
    return {
        "x": x * across,
        "y": y * down,
        "width": width * across,
        "height": height * down,
        "rotation": rotation,
    }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
