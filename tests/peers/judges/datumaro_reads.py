"""Runs in datumaro's environment: what it reads in a folder, as JSON.

python datumaro_reads.py FOLDER FORMAT
"""

from __future__ import annotations

import json
import sys


def main(folder: str, format_name: str) -> None:
    """Print every annotation: image, size, type, label, points, rotation."""
    from datumaro.components.annotation import AnnotationType
    from datumaro.components.dataset import Dataset

    found = Dataset.import_from(folder, format_name)
    names = [label.name for label in found.categories()[AnnotationType.label].items]
    images, rows = [], []
    for item in found:
        images.append([item.id, item.subset, list(item.media.size)])
        for one in item.annotations:
            row = {
                "image": item.id,
                "type": one.type.name,
                "class": None if one.label is None else names[one.label],
                "attributes": {name: str(value) for name, value in one.attributes.items()},
            }
            if one.type.name == "mask":
                row["pixels"] = [
                    [int(x), int(y)] for y, x in zip(*one.image.nonzero(), strict=True)
                ]
            elif hasattr(one, "points"):
                row["points"] = [float(number) for number in one.points]
            if one.type.name == "rotated_bbox":
                row["points"] = [float(n) for n in (one.cx, one.cy, one.w, one.h, one.r)]
            rows.append(row)
    print(json.dumps({"images": images, "rows": rows}))


if __name__ == "__main__":
    main(*sys.argv[1:])
