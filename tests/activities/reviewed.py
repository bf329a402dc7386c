"""A world with planted errors that is labelled, drawn, reviewed and settled through real files."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lineage.activities import draws, review_draw, review_import, trace
from lineage.activities.context import Project, open_project
from lineage.activities.ingest import import_labels
from lineage.activities.review_draw import ReviewOrder
from lineage.activities.review_log import answers_tag
from lineage.store import read
from lineage.terms import DrawReason
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

CLASSES = ("cat", "dog", "bus")
Said = Sequence[tuple[str, float, float]]
"""Objects of an image: class and place, in percent."""

Says = Callable[[str, Said], Said]


def mail(person: str) -> str:
    return f"{person}@a.example"


def truly(_: str, objects: Said) -> Said:
    """Say what is there."""
    return objects


def opened(template: Path, folder: Path) -> Project:
    """Return a project of one's own, from a template."""
    root = folder / "template"
    shutil.copytree(template, root)
    return open_project(root, agent="tess@team.example")


def flipped(objects: Said, at: int = 0) -> Said:
    """Return objects of which one is called something else."""
    said = list(objects)
    class_, x, y = said[at]
    said[at] = (CLASSES[(CLASSES.index(class_) + 1) % 2], x, y)
    return said


class World:
    """Images of cats and dogs in batch ``b1``, and what is on them.

    Parameters
    ----------
    project, folder
        Where it stands, and where exports go.
    n_images, n_each
        Size.
    **more
        As `make_batch`.

    Attributes
    ----------
    hidden
        Who says of all objects of which image that they are hidden.
    """

    def __init__(
        self, project: Project, folder: Path, n_images: int, n_each: int = 5, **more: Any
    ) -> None:
        self.rng = np.random.default_rng(7)
        # pseudonyms, and what hangs on them, are the same every time
        self.project, self.folder = replace(project, entropy=self.rng.bytes), folder
        self.truth: dict[str, Said] = {
            f"i{n:04d}.png": [
                (str(self.rng.choice(CLASSES[:2])), 2.0 + 19 * (k % 5), 5.0 + 30 * (k // 5))
                for k in range(n_each)
            ]
            for n in range(n_images)
        }
        self.key = iter(range(1, 1_000_000))
        self.files = iter(range(1, 1_000))
        self.wrong: dict[str, set[str]] = {}
        # the same draw every time
        (project.root / ".lineage" / "sampling.key").write_bytes(bytes(range(32)))
        self.hidden: dict[str, str] = {}
        views = {"view": {"type": "string", "enum": ["seen", "hidden"]}}
        rules: dict[str, object] = {"type": "object", "properties": views}
        make_batch(project, {name: ["box"] for name in CLASSES}, attributes=rules, **more)

    def copied(self, folder: Path) -> World:
        """Return the world as it stands, in a folder of its own."""
        root = folder / "world"
        shutil.copytree(self.project.root, root)
        found = copy.copy(self)
        found.rng = copy.deepcopy(self.rng)
        opened = open_project(root, agent="tess@team.example")
        found.project, found.folder = replace(opened, entropy=found.rng.bytes), folder
        found.truth = dict(self.truth)
        return found

    def label(self, shares: Mapping[str, float], batch: str = "b1") -> None:
        """Let people label disjoint images, a share of each one's labels called something else."""
        people, names = list(shares), list(self.truth)
        tasks = []
        for at, name in enumerate(names):
            person = people[at % len(people)]
            said = list(self.truth[name])
            for k in np.flatnonzero(self.rng.random(len(said)) < shares[person]).tolist():
                said = list(flipped(said, k))
                self.wrong.setdefault(person, set()).add(f"{name} {k}")
            tasks.append((name, [self._answer(person, said)]))
        import_labels(self.project, [self._file(tasks)], batch)

    def draw(self, people: Sequence[str], fraction: float = 1.0, **more: Any) -> Any:
        """Draw for review."""
        order = ReviewOrder(
            "b1", tuple(map(mail, people)), fraction, floor=0, floor_annotator=0, **more
        )
        return review_draw.draw(self.project, order)

    def pending(self) -> dict[str, list[str]]:
        """Return the images that people were asked about and have not answered for, by person."""
        rows = draws.drawn(self.project.ledger, (DrawReason.REVIEW, DrawReason.DECOY), 10**9)
        names = trace.names_of(self.project)
        with self.project.store.reading() as connection:
            images = read.asset_names(connection, rows["asset"].to_pylist())
        done = {
            (row["asset"], row["annotator"])
            for part in self.project.ledger.scan("roster")
            for row in part.to_pylist()
            if row["batch"] == answers_tag("b1")
        }
        found: dict[str, list[str]] = {}
        for row in rows.to_pylist():
            if (row["asset"], row["annotator"]) not in done:
                own = found.setdefault(names[row["annotator"]].split("@")[0], [])
                if images[row["asset"]] not in own:
                    own.append(images[row["asset"]])
        return found

    def answer(self, says: Says = truly, images: Collection[str] | None = None) -> Any:
        """Let everybody who was asked answer, for some images or all, through the tool's file."""
        merged: dict[str, list[dict[str, Any]]] = {}
        for person, own in self.pending().items():
            for name in own:
                if images is None or name in images:
                    said = says(person, self.truth[name])
                    merged.setdefault(name, []).append(
                        self._answer(person, said, is_hidden=self.hidden.get(person) == name)
                    )
        return review_import.import_answers(self.project, [self._file(list(merged.items()))], "b1")

    def introduce(self, people: Sequence[str]) -> None:
        """Put people on record, by an image of their own in another batch."""
        from lineage.activities import batches

        batches.create(self.project, batches.BatchOrder("trial", "trial", "things@1.0"))
        said = [("bus", 1.0, 1.0)]
        tasks = [(f"trial-{p}.png", [self._answer(p, said)]) for p in people]
        import_labels(self.project, [self._file(tasks)], "trial")

    def stages(self) -> dict[str, int]:
        """Return the live labels of the batch by stage."""
        return dict(trace.status(self.project, trace.Choice(batch=("b1",))).stages)

    def _answer(self, person: str, said: Said, *, is_hidden: bool = False) -> dict[str, Any]:
        rows = [region(f"o{next(self.key)}", c, x, y, 12.0, 18.0) for c, x, y in said]
        view = {"from_name": "view", "type": "choices", "value": {"choices": ["hidden"]}}
        rows += [{**row, **view} for row in rows if is_hidden]
        return annotation(next(self.key), {"email": mail(person)}, rows)

    def _file(self, tasks: list[tuple[str, list[dict[str, Any]]]]) -> Path:
        return label_studio(self.folder / f"export-{next(self.files)}.json", tasks)
