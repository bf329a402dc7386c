"""In the trainer's environment: a DataLoader with workers over our loader, as JSON.

python torch_loads.py FOLDER IMAGES OUR_REPOSITORY OUR_PACKAGES
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main(folder: str, images: str) -> None:
    """Print what two rounds of a shuffled loader with two workers give, forked and spawned."""
    import lineage

    data = lineage.dataset(folder, split="train", images=images)
    data[0]
    assert "torch" not in sys.modules, "our loader imports no torch"
    import torch
    from torch.utils.data import DataLoader

    rows: list[dict[str, Any]] = []
    for turn, way in enumerate(("fork", "spawn")):
        batches = DataLoader(
            data,
            batch_size=4,
            shuffle=True,
            generator=torch.Generator().manual_seed(turn),
            num_workers=2,
            collate_fn=lineage.collate,
            multiprocessing_context=way,
        )
        for pictures, labels in batches:
            for picture, label in zip(pictures, labels, strict=True):
                tensor = torch.from_numpy(picture).permute(2, 0, 1)
                rows.append(
                    {
                        "turn": turn,
                        "asset": label["asset"],
                        "shape": list(tensor.shape),
                        "sum": int(tensor.sum(dtype=torch.int64)),
                        "annotation": torch.from_numpy(label["annotation"]).tolist(),
                        "boxes": torch.from_numpy(label["boxes"]).tolist(),
                    }
                )
    print(json.dumps({"torch": torch.__version__, "rows": rows}))


_N_WORDS = 5
if len(sys.argv) == _N_WORDS:
    # spawned workers import this page too, and need the paths; whoever collects tests gives no words
    sys.path.insert(0, sys.argv[3])
    # Arrow is ours: the trainer's own environment has none
    sys.path.append(sys.argv[4])

if __name__ == "__main__":
    main(*sys.argv[1:3])
