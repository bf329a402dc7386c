"""What torchvision's detectors return, as JSON: ``boxes`` (corners, px), ``labels``, ``scores`` per image.

Three ways to say which image: ``{name: {...}}``, ``[{"image": name, ...}]`` (or one such a line), and
``{"images": [names], "predictions": [{...}]}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import msgspec
import numpy as np

from lineage.errors import BadInput
from lineage.formats import json_lines
from lineage.formats.json_stream import Odd, Span, decode_group, iter_groups, top_level
from lineage.formats.predictions.draft import CHUNK_ROWS, Draft, Found, Rows
from lineage.formats.predictions.known import Key, Known

_PATH = {"image": "/image", "class": "/labels", "box": "/boxes", "score": "/scores"}
_LISTS = ("predictions", "outputs", "results")
_IDS = ("images", "image_ids", "ids")


class Output(msgspec.Struct):
    """What a model returned for an image."""

    boxes: list[list[float]] = []
    labels: list[int | str] = []
    scores: list[float | None] = []
    image: int | str | None = None
    image_id: int | str | None = None
    file_name: str | None = None

    @property
    def key(self) -> Key:
        """Return what names the image."""
        told = (self.file_name, self.image, self.image_id)
        return next((one for one in told if one is not None), None)


def read(path: Path, known: Known) -> Iterator[Found]:
    """Read torchvision's outputs; see `lineage.formats.predictions`.

    Raises
    ------
    BadInput
        ``predictions-format``, ``class-numbers``, ``unreadable-json``, ``not-utf8``.
    """
    numbers = [
        label
        for _, _, one in _outputs(path)
        if isinstance(one, Output)
        for label in (
            min(one.labels, key=_number, default=None),
            max(one.labels, key=_number, default=None),
        )
        if isinstance(label, int)
    ]
    first = None
    if not known.class_ids:
        first = known.first_number(
            min(numbers, default=None), max(numbers, default=None), str(path)
        )
    draft = Draft(str(path), known, first)
    seen: set[str] = set()
    held: list[tuple[int, Key, Output]] = []
    n_held = 0
    for position, key, one in _outputs(path):
        problem = one.problem if isinstance(one, Odd) else _problem(one)
        if problem is not None:
            text = one.text if isinstance(one, Odd) else msgspec.json.encode(one).decode()
            expected = "boxes of four numbers, labels and scores, equally many"
            draft.refuse("element", position, f"/{position}", problem, expected, text)
            continue
        asset = draft.asset_of(key)
        if asset in seen:
            expected = "one output an image"
            draft.refuse("duplicate", position, "/image", key, expected, f"{key}: again")
            continue
        seen |= set() if asset is None else {asset}
        held.append((position, key, cast(Output, one)))
        n_held += len(held[-1][2].boxes) + 1
        if n_held >= CHUNK_ROWS:
            yield _found(draft, held)
            held, n_held = [], 0
    yield _found(draft, held)


def _number(label: int | str) -> int:
    return label if isinstance(label, int) else 0


def _problem(one: Output) -> str | None:
    if not len(one.boxes) == len(one.labels) == len(one.scores):
        return f"{len(one.boxes)} boxes, {len(one.labels)} labels, {len(one.scores)} scores"
    if any(len(box) != 4 for box in one.boxes):
        return f"a box of {next(len(box) for box in one.boxes if len(box) != 4)} numbers"
    return None


def _found(draft: Draft, held: Sequence[tuple[int, Key, Output]]) -> Found:
    images: list[str] = []
    for position, key, one in held:
        name = draft.asset_of(key)
        if name is not None:
            images.append(name)
        elif not one.boxes:
            expected = "the name, the unambiguous stem or the id of one image"
            draft.refuse("unknown-image", position, "/image", key, expected, f"{key}: nothing")
    n_boxes = np.array([len(one.boxes) for _, _, one in held], np.int64)
    boxes = [box for _, _, one in held for box in one.boxes]
    return draft.found(
        Rows(
            [key for _, key, one in held for _ in one.boxes],
            [label for _, _, one in held for label in one.labels],
            np.array(boxes, np.float64).reshape(-1, 4),
            np.array([score for _, _, one in held for score in one.scores], np.float64),
            np.repeat(np.array([position for position, _, _ in held], np.int64), n_boxes),
            _PATH,
        ),
        images,
    )


def _outputs(path: Path) -> Iterator[tuple[int, Key, Output | Odd]]:
    """Yield the outputs of a file with what names each one's image."""
    if _is_lines(path):
        for at, line in json_lines.elements(path, dict[str, msgspec.Raw]):
            if isinstance(line, Odd):
                yield at, None, line
            else:
                yield from _of_line(at, line)
        return
    spans = top_level(path)
    if "" in spans:
        for at, one in _listed(path, spans[""]):
            yield at, one.key if isinstance(one, Output) else None, one
    elif (listed := next((key for key in _LISTS if key in spans), None)) is not None:
        ids = _ids(path, spans)
        for at, one in _listed(path, spans[listed]):
            own = one.key if isinstance(one, Output) else None
            yield at, ids[at] if at < len(ids) else own, one
    else:
        with path.open("rb") as file:
            for at, (key, span) in enumerate(spans.items()):
                file.seek(span.start)
                found = decode_group(
                    b"[" + file.read(span.stop - span.start) + b"]", Output, path, at
                )
                yield at, key, found[0]


def _is_lines(path: Path) -> bool:
    """Tell one document a line from one document."""
    with path.open("rb") as file:
        line = file.readline(1 << 20)
        try:
            document = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        is_more = bool(file.read(1 << 10).strip())
    return isinstance(document, dict) and (is_more or "boxes" in document)


def _of_line(at: int, line: dict[str, msgspec.Raw]) -> Iterator[tuple[int, Key, Output | Odd]]:
    is_output = "boxes" in line
    values = {None: msgspec.json.encode(line)} if is_output else dict(line)
    for key, value in values.items():
        text = bytes(value)
        try:
            one = msgspec.json.decode(text, type=Output)
        except msgspec.ValidationError as exc:
            yield at, key, Odd(text.decode(), str(exc))
        else:
            yield at, one.key if is_output else key, one


def _listed(path: Path, span: Span) -> Iterator[tuple[int, Output | Odd]]:
    for index, group in iter_groups(path, span):
        yield from enumerate(decode_group(group, Output, path, index), index)


def _ids(path: Path, spans: dict[str, Span]) -> list[Key]:
    span = next((spans[key] for key in _IDS if key in spans), None)
    if span is None:
        return []
    found: list[Key] = []
    for index, group in iter_groups(path, span):
        try:
            found += msgspec.json.decode(group, type=list[int | str])
        except msgspec.ValidationError as exc:
            raise BadInput(
                "predictions-format",
                f"the list of images holds something else than names or ids: {exc}",
                hint="one name or id for each prediction, in their order",
                where=f"{path}: from {index} on",
            ) from exc
    return found
