"""A project whose labels changed between two pinned runs, and files that say what became of them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lineage.activities import batches, runs, trace, version
from lineage.activities.context import Project
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.settings import Recipe
from lineage.terms import BatchKind
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

PEOPLE = ("ann", "bob", "eve", "tom")
BATCHES = ("b1", "b2")
CLASSES = ("cat", "dog", "bus")
N_IMAGES, N_LABELS = 36, 3
Slip = Callable[[str, str, str, float], str | None]
"""From annotator, batch, class and a random number to the class in the second version; None takes it away."""


def mail(person: str) -> str:
    """Return a person's address."""
    return f"{person}@a.example"


def kept(person: str, batch: str, class_: str, luck: float) -> str | None:
    """Leave every label what it is."""
    return class_


def eve_slips(person: str, batch: str, class_: str, luck: float) -> str | None:
    """Let one person call half of her cats and dogs in one batch the other."""
    if (person, batch) == ("eve", "b2") and luck < 0.5:
        return {"cat": "dog", "dog": "cat"}.get(class_, class_)
    return class_


@dataclass
class Made:
    """A project with the runs ``good`` and ``bad``, and which annotations are wrong in the second."""

    project: Project
    wrong: set[int] = field(default_factory=set)
    labels: pa.Table = field(default_factory=lambda: pa.table({}))
    before: pa.Table = field(default_factory=lambda: pa.table({}))

    def pseudonym(self, person: str) -> str:
        """Return who somebody is inside."""
        names = trace.names_of(self.project)
        return next(key for key, name in names.items() if name == mail(person))


def make(project: Project, slip: Slip = eve_slips, *, seed: int = 1, moved: float = 0.4) -> Made:
    """Label images twice, a third of the labels drawn anew the second time, and pin a run to each version."""
    make_batch(project, {name: ["box"] for name in CLASSES})
    for tag in BATCHES[1:]:
        order = batches.BatchOrder(tag, "detection", "things@1.0", BatchKind("archive"))
        batches.create(project, order)
    recipe = Recipe(splits={"train": 1.0})
    _record(project, seed, None, moved)
    version.build(project, recipe, tag="v1")
    runs.pin(project, "good", version="v1", is_checked=False)
    _record(project, seed, slip, moved)
    version.build(project, recipe, tag="v2")
    runs.pin(project, "bad", version="v2", is_checked=False)
    made = Made(project)
    made.before, made.labels = (version.labels_of(project, tag).labels for tag in ("v1", "v2"))
    was = dict(zip(*(made.before[n].to_pylist() for n in ("annotation", "class")), strict=True))
    now = zip(*(made.labels[n].to_pylist() for n in ("annotation", "class")), strict=True)
    made.wrong = {number for number, class_ in now if was[number] != class_}
    return made


def _record(project: Project, seed: int, slip: Slip | None, moved: float) -> None:
    rng = np.random.default_rng(seed)
    for b, tag in enumerate(BATCHES):
        tasks: list[tuple[str, list[dict[str, Any]]]] = []
        for p, person in enumerate(PEOPLE):
            for i in range(N_IMAGES):
                key = f"{b}{p}{i:02d}"
                boxes = []
                for k in range(N_LABELS):
                    class_: str | None = CLASSES[(i + k) % 3]
                    is_moved, luck = rng.random() < moved, rng.random()
                    x = 5.0 + 30 * k
                    if slip is not None:
                        class_ = slip(person, tag, str(class_), luck)
                        x += 2.0 * is_moved
                    if class_ is not None:
                        boxes.append(region(f"r{key}{k}", class_, x, 10, 20, 30))
                tasks.append(
                    (f"{tag}/{key}.png", [annotation(int(key), {"email": mail(person)}, boxes)])
                )
        export = label_studio(project.root / "e.json", tasks)
        import_labels(project, [export], tag, options=ImportOptions(is_whole=True))


def outcomes(made: Made, seed: int = 2, *, noise: float = 0.06) -> list[dict[str, object]]:
    """Return what a good model makes of the labels of the second version: wrong ones it mostly contradicts."""
    rng = np.random.default_rng(seed)
    rows = []
    names = ("annotation", "asset", "class")
    for number, asset, class_ in zip(*(made.labels[n].to_pylist() for n in names), strict=True):
        chance = 0.9 if number in made.wrong else noise
        rows.append(
            {
                "annotation": number,
                "asset": asset,
                "class": class_,
                "disagrees": int(rng.random() < chance),
            }
        )
    return rows


def table(path: Path, rows: Sequence[Mapping[str, object]], *names: str) -> Path:
    """Write some columns of rows as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path
