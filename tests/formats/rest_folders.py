"""A folder of CVAT's REST answers, made by hand: two jobs at work, one ground truth, remarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LABELS = [
    {"id": 1, "name": "car", "attributes": [{"id": 5, "name": "parked", "input_type": "checkbox"}]},
    {"id": 2, "name": "pose", "sublabels": [{"id": 3, "name": "head"}, {"id": 4, "name": "foot"}]},
]


def shape(key: int, frame: int, points: list[float], **more: Any) -> dict[str, Any]:
    """Return a shape as CVAT's server answers it, a rectangle of a car unless told otherwise."""
    return {"id": key, "frame": frame, "label_id": 1, "type": "rectangle", "points": points, **more}


def job(key: int, stage: str, state: str, frames: tuple[int, int], **more: Any) -> dict[str, Any]:
    """Return a job of task 9, assigned to wanda unless told otherwise."""
    start, stop = frames
    return {
        "id": key,
        "task_id": 9,
        "stage": stage,
        "state": state,
        "start_frame": start,
        "stop_frame": stop,
        "assignee": {"username": "wanda"},
        "updated_date": "2024-03-21T20:50:39.585000Z",
        **more,
    }


def issue(key: int, of: int, frame: int, position: list[float], **more: Any) -> dict[str, Any]:
    """Return an issue that rita raised."""
    return {
        "id": key,
        "job": of,
        "frame": frame,
        "position": position,
        "owner": {"username": "rita"},
        **more,
    }


def comment(key: int, of: int, message: str, by: str = "rita") -> dict[str, Any]:
    """Return what somebody wrote under an issue."""
    return {"id": key, "issue": of, "message": message, "owner": {"username": by}}


def rest_folder(
    root: Path,
    jobs: list[dict[str, Any]],
    annotations: dict[int, dict[str, Any]],
    *,
    issues: list[dict[str, Any]] | None = None,
    comments: list[dict[str, Any]] | None = None,
    frames: dict[str, Any] | None = None,
) -> Path:
    """Write the folder, with one task of oscar's."""
    root.mkdir(exist_ok=True)
    task = {"id": 9, "owner": {"username": "oscar"}, "assignee": None}
    pages = {"jobs": jobs, "tasks": [task], "labels": LABELS}
    pages |= {"issues": issues or [], "comments": comments or []}
    for name, rows in pages.items():
        page = {"count": len(rows), "next": None, "previous": None, "results": rows}
        (root / f"{name}.json").write_text(json.dumps(page))
    by_job = {str(key): value for key, value in annotations.items()}
    # what stands under the task repeats its jobs, and is not to be counted twice
    both = {"job": by_job, "task": {"9": next(iter(annotations.values()))}}
    (root / "annotations.json").write_text(json.dumps(both))
    if frames is not None:
        (root / "frames.json").write_text(json.dumps(frames))
    return root
