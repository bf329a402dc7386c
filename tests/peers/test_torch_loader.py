"""A real DataLoader with worker processes takes our loader as it is, forked and spawned."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import lineage
from lineage.activities.context import Project
from tests.activities.running import labelled
from tests.peers.environments import judged

pytestmark = [
    pytest.mark.slow,
    # the environment of the YOLO trainer, which has the small torch for CPUs
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="no small torch for this Python"),
]

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_data_loader_with_workers_loads_every_image_and_label(project: Project) -> None:
    labelled(project)
    folder, images = project.root / "data" / "dataset", project.root / "images"
    told = judged(
        "ultralytics",
        "torch_loads",
        *map(str, (folder, images, REPOSITORY, sysconfig.get_path("purelib"))),
    )
    data = lineage.dataset(folder, images=images)
    expected: dict[Any, dict[str, Any]] = {
        labels["asset"]: {
            "shape": [3, *image.shape[:2]],
            "sum": int(image.sum()),
            "annotation": labels["annotation"].tolist(),
            "boxes": labels["boxes"].tolist(),
        }
        for image, labels in data
        if image is not None
    }
    assert len(expected) == len(data)
    for turn in (0, 1):
        found = {
            row["asset"]: {name: row[name] for name in expected[row["asset"]]}
            for row in told["rows"]
            if row["turn"] == turn
        }
        assert found == expected
