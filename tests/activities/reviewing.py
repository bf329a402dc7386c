"""Small review worlds made by hand: labels in, packets out, answers back through the tools' own files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from lineage.activities import trace
from lineage.activities.context import Project
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.activities.packets import Packet
from lineage.activities.review_draw import ReviewDraw, ReviewOrder, draw
from lineage.activities.review_packets import export
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

CLASSES = ("cat", "dog", "bus", "owl")
ANN, BOB, EVE, SARA, TOM = (f"{name}@a.example" for name in ("ann", "bob", "eve", "sara", "tom"))
KEY = b"k" * 32
Thing = tuple[str, float, float, float, float]
"""Class and place, percent of 640 x 480 px."""

Says = Callable[[str, str], Sequence[Thing]]
"""What a reviewer draws on an image, by mail address and name."""

PLACES = [(2.0 + 24 * (k % 4), 2.0 + 32 * (k // 4), 16.0, 20.0) for k in range(12)]


def thing(class_: str, place: int = 0, *, right: float = 0.0) -> Thing:
    """Return an object at one of twelve places, moved to the right by a share of its width."""
    x, y, w, h = PLACES[place]
    return class_, x + right * w, y, w, h


def known(project: Project) -> Project:
    """Return a project whose random bytes are the same in every run."""
    state = {"n": 0}

    def entropy(n: int) -> bytes:
        state["n"] += 1
        return hashlib.shake_256(f"entropy {state['n']}".encode()).digest(n)

    return replace(project, entropy=entropy)


def begun(project: Project, **more: Any) -> Project:
    """Put batch ``b1`` for boxes of `CLASSES` on record, with a key that draws the same in every run."""
    (project.root / ".lineage" / "sampling.key").write_bytes(KEY)
    make_batch(project, {name: ["box"] for name in CLASSES}, **more)
    return project


class Maker:
    """Makes export files, every id once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = iter(range(1, 1_000_000))
        self._file = iter(range(1, 10_000))

    def answer(self, person: str, things: Sequence[Thing], **more: Any) -> dict[str, Any]:
        """Return one person's answer for an image."""
        boxes = [region(f"r{next(self._key)}", *one) for one in things]
        return annotation(next(self._key), {"email": person}, boxes, **more)

    def label_studio(self, images: Mapping[str, Sequence[dict[str, Any]]]) -> Path:
        """Write a Label Studio export of answers by image."""
        path = self.folder / f"export-{next(self._file)}.json"
        return label_studio(path, [(name, list(answers)) for name, answers in images.items()])

    def cvat(self, person: str, images: Mapping[str, Sequence[Thing]]) -> Path:
        """Write one person's job as CVAT exports it."""
        told = []
        for at, (name, things) in enumerate(images.items()):
            boxes = "".join(
                f'<box label="{c}" source="manual" occluded="0" xtl="{x * 6.4}" ytl="{y * 4.8}" '
                f'xbr="{(x + w) * 6.4}" ybr="{(y + h) * 4.8}" z_order="0"></box>'
                for c, x, y, w, h in things
            )
            told.append(
                f'<image id="{at}" name={quoteattr(name)} width="640" height="480">{boxes}</image>'
            )
        labels = "".join(f"<label><name>{one}</name></label>" for one in CLASSES)
        user = f"<username>{person}</username><email>{person}</email>"
        path = self.folder / f"job-{next(self._file)}.xml"
        path.write_text(
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta><job>'
            f"<id>1</id><size>{len(images)}</size><mode>annotation</mode><labels>{labels}</labels>"
            f"<assignee>{user}</assignee></job></meta>{''.join(told)}</annotations>\n"
        )
        return path

    def record(
        self,
        project: Project,
        images: Mapping[str, Mapping[str, Sequence[Thing]]],
        batch: str = "b1",
        **options: Any,
    ) -> None:
        """Import what people drew, by image and person."""
        path = self.label_studio(
            {name: [self.answer(p, t) for p, t in own.items()] for name, own in images.items()}
        )
        import_labels(project, [path], batch, options=ImportOptions(**options))


def drawn(project: Project, people: Sequence[str] = (SARA, TOM), **more: Any) -> ReviewDraw:
    """Draw of ``b1``, all of it and without floors where nothing else is said."""
    return draw(
        project,
        ReviewOrder("b1", people, **{"fraction": 1.0, "floor": 0, "floor_annotator": 0, **more}),
    )


def images_of(packet: Packet) -> list[str]:
    """Return the names of a packet's images, in its order."""
    if packet.path.suffix == ".txt":
        return packet.path.read_text().split()
    return [task["data"]["image"] for task in json.loads(packet.path.read_text())]


def packets_of(
    project: Project, found: ReviewDraw, out: Path, tool: str = "label-studio"
) -> dict[str, list[str]]:
    """Hand out a draw's packets: images by mail address."""
    names = trace.names_of(project)
    assert found.draw is not None
    return {
        names[one.annotator]: images_of(one) for one in export(project, found.draw, out, tool=tool)
    }


def answered(maker: Maker, packets: Mapping[str, Sequence[str]], says: Says) -> Path:
    """Let everybody answer their packet in Label Studio."""
    images: dict[str, list[dict[str, Any]]] = {}
    for person, names in packets.items():
        for name in names:
            images.setdefault(name, []).append(maker.answer(person, says(person, name)))
    return maker.label_studio(images)
