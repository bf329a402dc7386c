"""A project with a version of 60 labels on 21 images, its files written, for the tests of runs and loaders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lineage.activities import assets, version
from lineage.activities.context import Project
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.settings import Recipe
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

SIZE = (640, 480)


def label(project: Project) -> None:
    """Put cars and dogs of three people on record, and an image that is empty."""
    make_batch(project, {"car": ["box"], "dog": ["box"]})
    tasks: list[tuple[str, list[dict[str, Any]]]] = []
    for i in range(20):
        regions = [
            region(f"r{i}-{k}", "car" if k else "dog", 5.0 + k * 20, 10, 15, 20) for k in range(3)
        ]
        tasks.append((f"scene-{i // 4}/{i:02d}.png", [annotation(i, {"id": i % 3}, regions)]))
    tasks.append(("scene-9/empty.png", [annotation(99, {"id": 1}, [])]))
    export = label_studio(project.root / "e.json", tasks)
    import_labels(project, [export], "b1", options=ImportOptions(is_whole=True))


def draw(folder: Path) -> None:
    """Draw the images, each in a colour of its own."""
    rng = np.random.default_rng(3)
    names = [f"scene-{i // 4}/{i:02d}.png" for i in range(20)]
    for name in (*names, "scene-9/empty.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE, tuple(rng.integers(0, 255, 3).tolist())).save(path)


def build(project: Project, tag: str = "v1", **recipe: Any) -> dict[str, Any]:
    """Build a version of two splits in data/dataset, and return its manifest."""
    chosen = Recipe(**{"splits": {"train": 0.7, "val": 0.3}, **recipe})
    return dict(version.build(project, chosen, tag=tag))


def labelled(project: Project) -> dict[str, Any]:
    """Label, draw and build."""
    label(project)
    draw(project.root / "images")
    assets.add(project, project.root / "images")
    return build(project)


def person(manifest: dict[str, Any], at: int = 0) -> str:
    """Return the pseudonym of one of the people, by name."""
    return sorted(manifest["counts"]["annotator"])[at]
