"""A project in which a person left words in every place that can hold some."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pyarrow as pa

from lineage import columns
from lineage.activities import gold, ingest
from lineage.activities.context import Project
from lineage.activities.gold import GoldOrder
from lineage.activities.record import recording
from lineage.activities.trace import Choice
from lineage.store import read
from lineage.terms import ActivityKind
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

EVE = "evelina.quux@crew.example"
LOCAL = "evelina.quux"
BOB = "bob@crew.example"
WORDS = ("THE-FOG-HID-IT", "ASK-MY-COUSIN", "SEEN-FROM-MY-FLAT", "GOLD-AS-I-SAID")
"""What Eve wrote; Bob wrote of her in one place, and of the weather in another."""


def planted(project: Project) -> Project:
    """Import labels of two people, one of them refused, and plant comments in every table that has any."""
    make_batch(project, {"car": ["box"]})
    hers = annotation(1, EVE, [region("r1", "car", 1, 1, 10, 10), region("r2", "ufo", 1, 1, 9, 9)])
    his = annotation(2, BOB, [region("r3", "car", 2, 2, 10, 10)])
    path = label_studio(project.root / "one.json", [("a.png", [hers, his])])
    ingest.import_labels(project, [path], "b1")
    path.unlink()
    eve, bob = pseudonyms(project)
    with recording(project, ActivityKind.REVIEW, parameters={}) as activity:
        at = activity.seq
        verdicts = {
            "revision": [1, 2, 2],
            "seq": at,
            "draw": "d",
            "asset": 1,
            "by": [eve, bob, bob],
            "verdict": "agree",
            "comment": [WORDS[0], f"as {EVE.upper()} said", "it rains"],
        }
        activity.append("verdicts", columns.batch_of(columns.SEGMENT_VERDICTS, verdicts, 3))
        stages = {
            "revision": [1, 2],
            "seq": at,
            "stage": "in_review",
            "by": [eve, bob],
            "basis": "drawn",
            "comment": [WORDS[1], "it rains"],
        }
        activity.append("stages", columns.batch_of(columns.STAGES, stages, 2))
        head = activity.head
        label = {
            "seq": at, "operation": "add", "identity": "new", "asset": 1, "class": "car", "kind": "box",
            "x_min": 1.0, "y_min": 1.0, "x_max": 9.0, "y_max": 9.0, "attributes": "{}", "stage": "submitted",
            "schema": "things@1.0", "batch": "b1", "origin": "human", "annotator": [eve, bob],
            "revision": [head.revision + 1, head.revision + 2],
            "annotation": [head.annotation + 1, head.annotation + 2],
            "extra": [
                json.dumps({"job": 3, "note": WORDS[2], "reviewer": bob}, sort_keys=True, separators=(",", ":")),
                '{"job":4,"note":"it rains"}',
            ],
        }  # fmt: skip
        activity.append("revisions", columns.batch_of(columns.REVISIONS, label, 2))
    hers_now = dataclasses.replace(project, agent=EVE)
    gold.add(hers_now, Choice(annotator=(BOB,)), GoldOrder(comment=WORDS[3]))
    return project


def pseudonyms(project: Project) -> tuple[str, str]:
    """Return Eve's and Bob's pseudonyms."""
    with project.store.reading() as connection:
        found = {row.handle: row.pseudonym for row in read.annotators(connection)}
    return found[EVE], found[BOB]


def spoken(project: Project) -> str:
    """Return all free text of the ledger, read as Parquet: its bytes are compressed."""
    found: list[str] = []
    for name in ("verdicts", "stages", "gold", "completeness", "revisions", "quarantine"):
        for batch in project.ledger.scan(name):
            columns_of_text = [c for c in batch.columns if pa.types.is_string(c.type)]
            found += [str(v) for c in columns_of_text for v in c.to_pylist() if v is not None]
    return "\n".join(found)


def bytes_of(root: Path) -> bytes:
    """Return every byte that a project keeps of its own."""
    places = (root / ".lineage", root / "ledger", root / "reports")
    return b"".join(p.read_bytes() for place in places for p in place.rglob("*") if p.is_file())
