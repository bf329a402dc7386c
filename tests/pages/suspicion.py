"""Values of a page of suspects, made by hand: 20 annotators, 40 batches, two faults, one alias."""

from __future__ import annotations

import io

from PIL import Image

from lineage.pages.suspect_values import Relabelled, Said, Suspected, Suspicion
from tests.pages.values import HOSTILE

PEOPLE = [f"a-{at:02}" for at in range(20)]
BATCHES = [f"2026-w{at:02}" for at in range(40)]
BOX = [100.0, 50.0, 130.0, 50.0, 130.0, 90.0, 100.0, 90.0]
SHIFTED = [108.0, 50.0, 138.0, 50.0, 138.0, 90.0, 108.0, 90.0]


def picture() -> bytes:
    """Return a PNG of 200 x 120 px."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize((200, 120)).save(out, "PNG")
    return out.getvalue()


def relabelled(annotation: int, **more: object) -> Relabelled:
    """Return a label that was a car by a-03 and is a truck by a-07."""
    found: dict[str, object] = {
        "annotation": annotation,
        "asset": f"images/{annotation}.png",
        "change": "reclassed",
        "before": Said("car", "a-03", [BOX]),
        "after": Said("truck", "a-07", [SHIFTED]),
        "picture": picture(),
    }
    return Relabelled(**{**found, **more})  # type: ignore[arg-type]


def suspected(rank: int = 1, **more: object) -> Suspected:
    """Return a suspect: one annotator in one batch."""
    slice_ = {"annotator": "a-07", "batch": "2026-w31"}
    found: dict[str, object] = {
        "rank": rank,
        "slice": slice_,
        "n_changed": 212,
        "gain": 31.25,
        "effect": 0.23456789,
        "effect_lo": 0.15,
        "share": 0.61,
        "aliases": [{"annotator": "a-07", "week": "2026-W31"}],
        "step": 1,
        "is_evidence": True,
        "n_check": 40,
        "n_controls": 100,
        "predicate": "annotator=a-07 batch=2026-w31",
        "flows": [{"batch": "2026-w31", "annotator": "a-07", "n": 212}],
        "shown": [relabelled(5), relabelled(6, before=None), relabelled(7, after=None)],
    }
    return Suspected(**{**found, **more})  # type: ignore[arg-type]


def second() -> Suspected:
    """Return a suspect of a class under a schema version, in many batches and by many people."""
    flows = [
        {"batch": batch, "annotator": PEOPLE[(at * 7 + step) % 20], "n": 3 + (at * step) % 11}
        for at, batch in enumerate(BATCHES)
        for step in range(3)
    ]
    flows += [{"batch": "2026-w10", "annotator": PEOPLE[at], "n": 60} for at in (11, 12)]
    return suspected(
        2,
        slice={"schema": "street@2.0", "class": HOSTILE},
        n_changed=540,
        gain=9.5,
        effect=0.08,
        effect_lo=0.04,
        share=0.22,
        aliases=(),
        step=2,
        predicate=None,
        recheck={
            "n_wrong": 9,
            "n": 40,
            "n_wrong_controls": 2,
            "n_controls": 100,
            "p_value": 0.0002,
        },
        flows=flows,
        shown=[relabelled(8, picture=None), relabelled(9, picture=b"no image")],
    )


def faint(rank: int = 3) -> Suspected:
    """Return a slice without evidence."""
    return suspected(
        rank,
        slice={"reviewer": "none", "class": "car"},
        gain=1.5,
        effect=0.03,
        effect_lo=-0.02,
        share=None,
        aliases=(),
        is_evidence=False,
        flows=[{"batch": "2026-w02", "annotator": "a-01", "n": 12}],
        shown=(),
    )


def moved(**more: object) -> dict[str, object]:
    """Return figures of an evaluation set, one class and all."""
    row = {
        "n_old": 400,
        "n_new": 410,
        "ap50_old": 0.81,
        "ap50_new": 0.74,
        "recall_old": 0.8,
        "recall_new": 0.75,
        "f1_old": 0.8,
        "f1_new": 0.74,
        "f1_difference": -0.06,
        "f1_low": -0.08,
        "f1_high": -0.03,
    }
    classes = [{**row, "class": "car"}, {**row, "class": None}]
    told = {"old": "v1", "new": "v2", "n_images": 120, "threshold": 0.4, "has_moved": True}
    return {**told, "classes": classes, **more}


def suspicion(**more: object) -> Suspicion:
    """Return a page's values."""
    everything = [
        {"batch": batch, "annotator": PEOPLE[(at * 7 + step) % 20], "n": 20 + (at * step) % 50}
        for at, batch in enumerate(BATCHES)
        for step in range(6)
    ]
    everything.append({"batch": "2026-w31", "annotator": "a-07", "n": 212})
    everything += [{"batch": "2026-w10", "annotator": PEOPLE[at], "n": 60} for at in (11, 12)]
    counts = {"n_added": 10, "n_retracted": 3, "n_reclassed": 120, "n_moved": 40, "n_attributes": 0}
    found: dict[str, object] = {
        "project": "demo",
        "as_of": "ledger at place 30",
        "options": " --errors errors.csv",
        "bad": "r2",
        "good": "r1",
        "bad_version": "b0b1b2b3b4b5",
        "good_version": "a0a1a2a3a4a5",
        "mode": "linked",
        "is_weak": False,
        "n_changed": 4012,
        "n_units": 20000,
        "threshold": 6.0,
        "evidence": True,
        "suspects": [suspected(), second(), faint()],
        "eval_moved": moved(),
        "notes": ["3 labels went away between the versions"],
        "flows": everything,
        "changes": {
            "annotator": [{"annotator": person, **counts} for person in PEOPLE],
            "batch": [{"batch": batch, **counts} for batch in BATCHES],
            "class": [{"class": HOSTILE, **counts}, {"class": "car", **counts}],
            "schema": [{"schema": "street@2.0", **counts}],
        },
    }
    return Suspicion(**{**found, **more})  # type: ignore[arg-type]
