"""Labelbox files bent out of shape: a clean refusal, or whole tables; never anything else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import BadInput
from lineage.formats import Chunk, ReadOptions
from lineage.formats.labelbox.read import read
from tests.formats.test_labelbox_read import label, older, row, shape

ASKED = [
    {"name": "o", "radio_answer": {"name": "y", "classifications": [{"name": "z", "text_answer": {"content": "t"}}]}},
    {"name": "c", "checklist_answers": [{"name": "a"}]},
]  # fmt: skip
RING = [{"x": 1, "y": 2}, {"x": 3, "y": 2}, {"x": 3, "y": 9}]
RUNS = {"r": {"name": "v3", "predictions": [label("p1", [shape("q")])], "labels": [label("l1")]}}
NEWER = [
    row([label("l1", [shape(classifications=ASKED), shape("p", polygon=RING)], classifications=ASKED)]),
    row([label("l2", [shape("m", mask={"url": "u"})])], experiments={"m": {"name": "n", "runs": RUNS}}),
]  # fmt: skip
OLDER = [
    older(
        objects=[{"featureId": "f", "title": "a", "bbox": {"top": 1, "left": 1, "height": 2, "width": 3},
                  "classifications": [[{"title": "q", "answer": [{"title": "x"}]}]]}],
        classifications=[{"title": "q", "answer": {"title": "x"}}],
        Reviews=[{"createdBy": "z"}],
    )
]  # fmt: skip
STRANGE: list[Any] = [
    None, True, 0, -1, 1 << 63, 1e308, float("nan"), float("inf"), "", "x", "\ud800", "../b", [], {}, [[]],
    {"a": 1}, [None], ["x"], {"@person": "x"}, "0001-01-01T00:00:00+23:59",
]  # fmt: skip


def places(document: Any) -> list[tuple[Any, Any]]:
    """Return every container with every key of it."""
    keys = document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()  # fmt: skip
    found = [(document, key) for key in keys]
    return found + [deeper for key in keys for deeper in places(document[key])]


def bent(document: Any, random: Random) -> Any:
    document = copy.deepcopy(document)
    for _ in range(random.choice([1, 1, 2, 4])):
        container, key = random.choice(places(document) or [([0], 0)])
        if isinstance(container, dict) and random.random() < 0.2:
            del container[key]
        else:
            container[key] = copy.deepcopy(random.choice(STRANGE))
    return document


@given(st.integers(0, 1 << 32), st.sampled_from([NEWER, OLDER]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_bent_file_is_read_whole_or_refused(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rows: Any, is_lines: bool
) -> None:
    path: Path = tmp_path_factory.mktemp("bent") / "x.ndjson"
    document = bent(rows, Random(seed))
    path.write_text("\n".join(map(json.dumps, document)) if is_lines else json.dumps(document))
    chunks: list[Chunk] = []
    refusal = None
    try:
        chunks += read(path, ReadOptions())
    except BadInput as exc:
        refusal = exc.slug
    assert refusal in (None, "wrong-shape", "unreadable-json")
    for chunk in chunks:
        for batch in (chunk.labels, chunk.assets, chunk.roster, chunk.violations, chunk.completeness):  # fmt: skip
            batch.validate(full=True)
        for text in [*chunk.labels["extra"].to_pylist(), *chunk.labels["attributes"].to_pylist()]:
            assert text is None or isinstance(json.loads(text), dict)
