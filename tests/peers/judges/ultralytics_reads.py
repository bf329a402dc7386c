"""Runs in the trainer's environment: what its own loader makes of a folder, as JSON.

python ultralytics_reads.py FOLDER TASK
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(folder: str, task: str) -> None:
    """Print, per image, the boxes, segments and key points of the loader's own data set."""
    import torch
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    torch.set_num_threads(1)
    os.chdir(folder)
    data = check_det_dataset(str(Path(folder) / "data.yaml"), autodownload=False)
    rows = []
    for split in ("train", "val"):
        found = YOLODataset(img_path=data[split], data=data, task=task, augment=False, imgsz=64)
        rows += [
            {
                "image": str(Path(label["im_file"]).relative_to(Path(folder) / "images" / split)),
                "split": split,
                "class": [data["names"][int(code)] for code in label["cls"].reshape(-1)],
                "box": label["bboxes"].tolist(),
                "segments": [segment.reshape(-1).tolist() for segment in label["segments"]],
                "keypoints": [] if label["keypoints"] is None else label["keypoints"].tolist(),
            }
            for label in found.labels
        ]
    print(json.dumps({"names": data["names"], "rows": rows}))


if __name__ == "__main__":
    main(*sys.argv[1:])
