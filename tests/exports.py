"""Small exports in the tools' own forms, made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def coco(path: Path, boxes: list[tuple[int, str, str, list[float]]], **more: Any) -> Path:
    """Write a COCO file of (id, image, class, [x, y, w, h]) on images of 640 x 480 px."""
    images = sorted({image for _, image, _, _ in boxes})
    classes = sorted({class_ for _, _, class_, _ in boxes})
    document = {
        "images": [
            {"id": i, "file_name": name, "width": 640, "height": 480}
            for i, name in enumerate(images)
        ],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(classes)],
        "annotations": [
            {
                "id": key,
                "image_id": images.index(image),
                "category_id": classes.index(class_) + 1,
                "bbox": box,
                "iscrowd": 0,
                **more,
            }
            for key, image, class_, box in boxes
        ],
    }
    path.write_text(json.dumps(document))
    return path


def region(
    key: str, class_: str, x: float, y: float, w: float, h: float, **more: Any
) -> dict[str, Any]:
    """Return a rectangle's result row, percent of 640 x 480 px."""
    return {
        "id": key,
        "from_name": "label",
        "to_name": "image",
        "type": "rectanglelabels",
        "origin": "manual",
        "original_width": 640,
        "original_height": 480,
        "value": {
            "x": x,
            "y": y,
            "width": w,
            "height": h,
            "rotation": 0,
            "rectanglelabels": [class_],
        },
        **more,
    }


def annotation(
    key: int, person: object, result: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    """Return an annotation."""
    return {
        "id": key,
        "completed_by": person,
        "result": result,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-03-02T10:00:00.000000Z",
        "updated_at": "2026-03-02T10:05:00.000000Z",
        "lead_time": 12.5,
        **more,
    }


def label_studio(path: Path, tasks: list[tuple[str, list[dict[str, Any]]]], **more: Any) -> Path:
    """Write a Label Studio export of (image, annotations)."""
    document = [
        {
            "id": i + 1,
            "data": {"image": image},
            "annotations": annotations,
            "predictions": [],
            **more,
        }
        for i, (image, annotations) in enumerate(tasks)
    ]
    path.write_text(json.dumps(document))
    return path
