"""Runs in the Label Studio SDK's environment: whether tasks fit a configuration, and its conversions.

python label_studio_reads.py TASKS.json CONFIG.xml SCRATCH
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(tasks_path: str, config_path: str, scratch: str) -> None:
    """Print what the SDK finds wrong, its COCO, its VOC files and its masks."""
    from label_studio_sdk.converter import Converter, brush
    from label_studio_sdk.label_interface import LabelInterface

    config = Path(config_path).read_text("utf-8")
    interface = LabelInterface(config)
    interface.validate()
    tasks = json.loads(Path(tasks_path).read_text("utf-8"))
    wrong = []
    for task in tasks:
        for answer in task["annotations"]:
            if answer["result"] and not interface.validate_annotation(answer):
                wrong.append(answer)
            for region in answer["result"]:
                wrong += interface.validate_region(region, return_errors=True)
        for prediction in task["predictions"]:
            wrong += interface.validate_prediction(prediction, return_errors=True)
    masks = {
        region["id"]: brush.decode_rle(region["value"]["rle"])[3::4].nonzero()[0].tolist()
        for task in tasks
        for answer in task["annotations"]
        for region in answer["result"]
        if region["type"] == "brushlabels"
    }
    converter = Converter(config, scratch, download_resources=False)
    coco = Path(scratch) / "coco"
    converter.convert_to_coco(
        tasks_path, str(coco), output_image_dir=str(coco / "images"), is_dir=False
    )
    voc = Path(scratch) / "voc"
    converter.convert_to_voc(
        tasks_path, str(voc), output_image_dir=str(voc / "images"), is_dir=False
    )
    files = {path.name: path.read_text("utf-8") for path in voc.rglob("*.xml")}
    found = json.loads((coco / "result.json").read_text("utf-8"))
    print(
        json.dumps(
            {"wrong": [str(one) for one in wrong], "coco": found, "voc": files, "masks": masks}
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
