"""Disputed objects to look at: a few of each dispute, what everybody drew on them, and the image."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineage.activities.context import Project
from lineage.activities.gather import Block
from lineage.activities.opinions import Labels, Opinions
from lineage.pages.values import Disputed, Opinion
from lineage.store import read
from lineage.terms import Kind

MOST_DISPUTES = 6
MOST_OBJECTS = 4
_NOT_LOOKED_IN = {"ledger", "node_modules", "__pycache__"}
_ALGORITHMS = ("sha256", "md5")


@dataclass(frozen=True, slots=True)
class Example:
    """A disputed object.

    Parameters
    ----------
    pair
        Codes of the two values; one above all classes is "drew nothing".
    image
        Of the object, as `Labels`.
    opinions
        Of everybody who was asked.
    """

    pair: tuple[int, int]
    image: int
    opinions: Sequence[Opinion]


def examples_of(
    opinions: Opinions, block: Block, pairs: Sequence[tuple[int, int]]
) -> list[Example]:
    """Return a block's best examples of each pair of values: said of it is little else, by many people.

    Of an image at most one object is taken for each pair.
    """
    said, words = block.said, opinions.words
    width = np.int64(len(words.classes) + 1)
    cells = np.unique(said.unit * width + said.value)
    unit, value = cells // width, cells % width
    n_asked, n_values = np.bincount(said.unit), np.bincount(unit)
    image_of = np.zeros(len(n_asked), np.int64)
    image_of[block.unit] = block.labels.image
    found = []
    for pair in pairs:
        both = np.intersect1d(unit[value == pair[0]], unit[value == pair[1]])
        both = both[np.lexsort((both, -n_asked[both], n_values[both]))]
        _, first = np.unique(image_of[both], return_index=True)
        for own in both[np.sort(first)[:MOST_OBJECTS]].tolist():
            rows = range(*np.searchsorted(said.unit, [own, own + 1]).tolist())
            told = [_opinion(block, opinions, row) for row in rows]
            found.append(Example(pair, int(image_of[own]), told))
    return found


def best_of(examples: Sequence[Example], pairs: Sequence[tuple[int, int]]) -> list[Example]:
    """Return the best examples of all blocks, in the order of ``pairs``."""
    best = []
    for pair in pairs:
        own = [each for each in examples if each.pair == pair]
        best += sorted(own, key=_rank)[:MOST_OBJECTS]
    return best


def _rank(example: Example) -> tuple[int, int, int]:
    values = {opinion.class_ for opinion in example.opinions}
    return len(values), -len(example.opinions), example.image


def drawn_of(
    project: Project, opinions: Opinions, examples: Sequence[Example], images: Path | None
) -> list[Disputed]:
    """Return examples with their image's name and, where its file is found, its bytes.

    Parameters
    ----------
    project
        An open project.
    opinions
        From which the examples are.
    examples
        What to draw.
    images
        A folder to look in first.
    """
    keys = opinions.asset_of(np.array([each.image for each in examples], np.int64)).tolist()
    with project.store.reading() as connection:
        names = read.asset_names(connection, set(keys))
        facts = read.asset_facts(connection, set(keys))
    digests = {names[key]: facts.get(key, {}).get("digest") for key in names}
    files = files_of(project.root, images, sorted(digests))
    pictures = {name: content_of(files.get(name), digest) for name, digest in digests.items()}
    values = [*opinions.words.classes, None]
    return [
        Disputed(
            values[each.pair[0]],
            values[each.pair[1]],
            names[key],
            each.opinions,
            pictures[names[key]],
        )
        for each, key in zip(examples, keys, strict=True)
    ]


def _opinion(block: Block, opinions: Opinions, row: int) -> Opinion:
    said, labels, words = block.said, block.labels, opinions.words
    person, label = words.annotators[said.annotator[row]], int(said.label[row])
    if label < 0:
        return Opinion(person, None, (), None)
    name = words.classes[said.value[row]]
    kind = words.kinds[labels.kind[label]]
    return Opinion(person, name, rings_of(labels, label, kind), int(labels.annotation[label]))


def rings_of(labels: Labels, row: int, kind: str) -> list[list[float]]:
    """Return a label's outlines as ``[x0, y0, ...]``, px: of a mask or a skeleton, its hull."""
    if np.isnan(labels.box[row, 0]):
        return []
    if kind == Kind.POLYGON:
        return [list(part) for part in labels.geometry[row].as_py()]
    if kind == Kind.ROTATED_BOX:
        cx, cy, width, height, rotation_deg = labels.geometry[row].as_py()[0]
        turn = np.deg2rad(rotation_deg)
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
        turned = corners @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        return [(turned + np.array([cx, cy])).ravel().tolist()]
    x_min, y_min, x_max, y_max = labels.box[row].tolist()
    return [[x_min, y_min, x_max, y_min, x_max, y_max, x_min, y_max]]


def files_of(root: Path, images: Path | None, names: Sequence[str]) -> dict[str, Path]:
    """Return where the file of each image stands: the path that ends as its name does."""
    found: dict[str, Path] = {}
    for folder in [root] if images is None else [images, root]:
        left = [name for name in names if name not in found]
        found |= {name: folder / name for name in left if _is_file(folder, name)}
        left = [name for name in left if name not in found]
        found |= _searched(folder, left) if left else {}
    return found


def _is_file(folder: Path, name: str) -> bool:
    # a name is somebody else's text: what points out of the folder is not followed
    path = folder / name
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())


def _searched(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    by_file: dict[str, list[str]] = {}
    for name in names:
        by_file.setdefault(name.rsplit("/", 1)[-1], []).append(name)
    found: dict[str, Path] = {}
    for at, folders, files in os.walk(folder):
        folders[:] = sorted(
            each for each in folders if not each.startswith(".") and each not in _NOT_LOOKED_IN
        )
        for file in files:
            for name in by_file.get(file, ()):
                path = Path(at) / file
                if name not in found and f"/{path.as_posix()}".endswith(f"/{name}"):
                    found[name] = path
        if len(found) == len(names):
            break
    return found


def content_of(path: Path | None, digest: object) -> bytes | None:
    """Return a file's bytes; None where they are not those of the image on record."""
    if path is None:
        return None
    content = path.read_bytes()
    algorithm, _, told = str(digest or "").partition(":")
    if algorithm in _ALGORITHMS:
        is_it = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest() == told
        return content if is_it else None
    return content


def codes_of(rows: Sequence[Mapping[str, object]], classes: Sequence[str]) -> list[tuple[int, int]]:
    """Return the codes of disputes' values, the first `MOST_DISPUTES`."""
    code: dict[object, int] = {name: at for at, name in enumerate([*classes, None])}
    pairs = [(code[row["class"]], code[row["as_class"]]) for row in rows[:MOST_DISPUTES]]
    return [(min(pair), max(pair)) for pair in pairs]
