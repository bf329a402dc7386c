"""Back into Label Studio: tasks with annotations, or with pre-labels, percent again.

Every region says in ``meta.lineage`` where it comes from. One Label Studio
annotation stands for one annotator's labels on one image, so several people's
work is never folded into one; what a model made is a prediction. Controls have
the names that `config` gives them, so that a file opens in a project made from
the schema.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import cast
from urllib.parse import quote

import msgspec
import pyarrow as pa

from lineage.formats import WriteOptions, WriteReport, by_image
from lineage.formats.by_image import Row
from lineage.formats.forms import inputs_of
from lineage.formats.label_studio import percent
from lineage.formats.label_studio.asked import Asked
from lineage.formats.label_studio.config import CONTROLS, IMAGE
from lineage.terms import Completeness, Kind, Origin

Json = dict[str, object]
Person = tuple[str, str]
_CARRIED = ("annotation", "revision", "annotator", "batch", "schema", "stage", "origin")
_DONE = (Completeness.COMPLETE, Completeness.COMPLETE_EMPTY)


def write(
    path: Path, labels: pa.Table, assets: pa.Table, options: WriteOptions | None = None
) -> WriteReport:
    """Write tasks with annotations; see `lineage.formats`.

    Parameters
    ----------
    path
        The file.
    labels, assets
        `columns.DATASET`, `columns.DATASET_ASSETS`, in any order.
    options
        With ``is_prelabels`` all labels are ``predictions``, for annotators to begin from.

    Returns
    -------
    WriteReport
        Its losses: ``image-size-unknown`` and ``geometry`` (labels left out: percent of what, or no point
        of it is there); ``polygon-part``, ``polyline-part`` (parts after the first, which are
        regions of their own); ``keypoint-apart`` (labels whose points are regions of their own),
        ``keypoint-visibility`` (labels with a point that is not plainly seen); ``attribute-type`` (labels with
        a value that comes back as text), ``class-attributes`` (whole-image labels, which have
        none), ``reserved-attribute`` (named like a control), ``repeated-choice``; ``asset_digest``.

    Notes
    -----
    Images stand in order of their names; the same rows give the same bytes. Nobody's account is
    named: the tool refuses a file with people it does not know. An image without labels is an
    empty answer if it is on record as complete, a skipped one if it was skipped, else no answer.
    """
    how = options or WriteOptions()
    tasks = _Tasks(how)
    images = by_image.images(labels, assets, ("width", "height", "split"))
    rows, states = by_image.of_labels(labels), by_image.of_completeness(how.completeness)
    with path.open("wb") as file:
        opening = b"["
        for number, image in enumerate(by_image.rows(images), start=1):
            name = str(image["asset"])
            task = tasks.task(number, image, rows.take(name), states.take(name))
            file.write(opening + b"\n" + msgspec.json.encode(task))
            opening = b","
        file.write(b"\n]\n" if images.num_rows else b"[\n]\n")
    losses = tasks.losses
    losses["asset_digest"] = assets.num_rows - assets["asset_digest"].null_count
    return WriteReport(
        tasks.n_labels, images.num_rows, {name: n for name, n in sorted(losses.items()) if n}
    )


class _Tasks:
    """Images to tasks, and what that loses."""

    def __init__(self, how: WriteOptions) -> None:
        self.losses: Counter[str] = Counter()
        self.n_labels = 0
        self._how = how
        self._asked = Asked(inputs_of(how.schemas))

    def task(self, number: int, image: Row, rows: list[Row], states: list[Row]) -> Json:
        """Return the task of an image."""
        people: dict[Person, list[Row]] = {}
        for row in rows:
            people.setdefault(self._answer_of(row), []).append(row)
        annotations, predictions = [], []
        for (annotator, section), theirs in people.items():
            results = self._results(theirs, image)
            if section == Origin.MODEL:
                predictions.append({"model_version": annotator, "result": results})
            else:
                is_truth = section == Origin.GROUND_TRUTH
                annotations.append(_annotation(annotator, theirs, results, is_truth=is_truth))
        if not rows and not self._how.is_prelabels:
            annotations += _empty_answer(states)
        name = str(image["asset"])
        return {
            "id": number,
            "data": {IMAGE: name if "://" in name else f"/data/local-files/?d={quote(name)}"},
            "meta": {"lineage": _of_image(image, states)},
            "annotations": annotations,
            "predictions": predictions,
        }

    def _answer_of(self, row: Row) -> Person:
        annotator, origin = str(row["annotator"]), str(row["origin"])
        if self._how.is_prelabels:
            return annotator, Origin.MODEL
        is_apart = origin in (Origin.MODEL, Origin.GROUND_TRUTH)
        return annotator, origin if is_apart else Origin.HUMAN

    def _results(self, rows: list[Row], image: Row) -> list[Json]:
        found: list[Json] = []
        for row in rows:
            if row["kind"] != Kind.CLASS:
                found += self._regions(row, image)
        # the tool's VOC export skips an image whose first row has no size, as these have none
        return found + self._choices([row for row in rows if row["kind"] == Kind.CLASS])

    def _choices(self, rows: list[Row]) -> list[Json]:
        """Return the one row that says all classes of an image, for the tool reads no second."""
        if not rows:
            return []
        by_class: dict[str, Row] = {}
        for row in rows:
            self.losses["repeated-choice"] += str(row["class"]) in by_class
            self.losses["class-attributes"] += row["attributes"] != "{}"
            by_class.setdefault(str(row["class"]), row)
        self.n_labels += len(by_class)
        told = {class_: _lineage(row) for class_, row in by_class.items()}
        first = rows[0]
        return [
            {
                "id": f"L{first['annotation']}",
                "from_name": CONTROLS[Kind.CLASS],
                "to_name": IMAGE,
                "type": "choices",
                "value": {"choices": list(by_class)},
                "meta": {"lineage": _lineage(first) if len(told) == 1 else {"classes": told}},
            }
        ]

    def _regions(self, row: Row, image: Row) -> list[Json]:
        width, height = (cast(int | None, image[side]) for side in ("width", "height"))
        if not width or not height:
            self.losses["image-size-unknown"] += 1
            return []
        values = percent.values(row, width, height, self.losses)
        if not values:
            self.losses["geometry"] += 1
            return []
        self.n_labels += 1
        kind, key, carried = str(row["kind"]), f"L{row['annotation']}", _lineage(row)
        common: Json = {
            "to_name": IMAGE,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "origin": "prediction-changed" if row["origin"] == Origin.ASSISTED else "manual",
        }
        asked = self._asked.rows(str(row["attributes"]), self.losses)
        found: list[Json] = []
        for at, value in enumerate(values):
            named = {**common, "id": f"{key}.{at}" if at else key}
            type_ = percent.TYPES[kind]
            meta = {"lineage": _part(carried, at) if at else carried}
            value[type_] = [str(row["class"])]
            found.append(
                {**named, "from_name": CONTROLS[kind], "type": type_, "value": value, "meta": meta}
            )
            found += [{**named, **entry} for entry in asked]
        return found


def _annotation(annotator: str, rows: list[Row], results: list[Json], *, is_truth: bool) -> Json:
    times = [row["labelled_at"] for row in rows if isinstance(row["labelled_at"], datetime)]
    found: Json = {
        "result": results,
        "was_cancelled": False,
        "ground_truth": is_truth,
        "lineage": {"annotator": annotator},
    }
    if rows and len(times) == len(rows):
        # one time stands for all: it would date the undated
        found["created_at"] = found["updated_at"] = by_image.moment_text(max(times))
    return found


def _empty_answer(states: list[Row]) -> list[Json]:
    told = {str(row["state"]) for row in states if row["class"] is None}
    is_done = not told.isdisjoint(_DONE)
    if not is_done and Completeness.SKIPPED not in told:
        return []
    return [{"result": [], "was_cancelled": not is_done, "ground_truth": False}]


def _of_image(image: Row, states: list[Row]) -> Json:
    names = ("class", "state", "reason", "batch")
    told = [{name: row[name] for name in names if row[name] is not None} for row in states]
    found: Json = {"completeness": told} if told else {}
    return found | ({"split": image["split"]} if image["split"] else {})


def _lineage(row: Row) -> Json:
    told: Json = {name: row[name] for name in _CARRIED}
    at = by_image.moment_text(row["labelled_at"])
    return told if at is None else told | {"labelled_at": at}


def _part(carried: Json, at: int) -> Json:
    rest = {
        name: value for name, value in carried.items() if name not in ("annotation", "revision")
    }
    return {"part_of": carried["annotation"], "part": at, **rest}
