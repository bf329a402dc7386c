"""The training code of docs/runs.md runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lineage.activities import runs
from lineage.activities.context import Project
from tests.activities.running import labelled

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_training_code_of_the_page_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled(project)
    monkeypatch.chdir(project.root)
    page = (REPOSITORY / "docs" / "runs.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    assert len(blocks) == 2
    room: dict[str, object] = {}
    for block in blocks:
        exec(block, room)
    assert room["n_boxes"] > 0  # type: ignore[operator]
    found = runs.get(project, "street-9")
    assert found["parameters"] == {"lr": 0.01}
    assert found["metrics"] == {"map.50": 0.61, "n_boxes": room["n_boxes"]}
