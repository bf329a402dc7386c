"""Which tool wrote a file of predictions: told from its first bytes, as `formats.sniffing` does for labels."""

from __future__ import annotations

import re
from pathlib import Path

from lineage.errors import BadInput

_FIRST_BYTES = 1 << 16
_TORCH_NAMES = (".pt", ".pth")
_TORCH = (
    "a torch file is read by torch alone, which lineage does without: save "
    "[{'image': name, 'boxes': p['boxes'].tolist(), 'labels': p['labels'].tolist(), "
    "'scores': p['scores'].tolist()} for name, p in zip(names, outputs)] with json.dump"
)
_COCO = re.compile(r'"(?:bbox|segmentation|category_id)"\s*:')
_TORCHVISION = re.compile(r'"(?:boxes|labels|scores)"\s*:')
_TRUTH = re.compile(r'"(?:annotations|licenses|categories)"\s*:')


def sniff(path: Path) -> str:
    """Return the format of predictions: ``coco``, ``torchvision``, ``yolo`` or ``table``.

    Raises
    ------
    BadInput
        ``predictions-format``.
    """
    if path.is_dir():
        return "yolo"
    with path.open("rb") as file:
        head = file.read(_FIRST_BYTES)
    if path.suffix.lower() in _TORCH_NAMES or head.startswith((b"PK\x03\x04", b"\x80\x02")):
        raise _refusal(path, "a torch file or another archive", _TORCH)
    if head.startswith(b"PAR1"):
        return "table"
    text = head.decode("utf-8-sig", "replace").lstrip()
    if not text.startswith(("{", "[")):
        return "table"
    if _TORCHVISION.search(text):
        return "torchvision"
    if text.startswith("[") and (_COCO.search(text) or text[1:].lstrip().startswith("]")):
        return "coco"
    if re.fullmatch(r"\{\s*\}\s*", text):
        return "torchvision"
    if _TRUTH.search(text):
        hint = "these are labels: predictions are a list of {image_id, category_id, bbox, score}"
        raise _refusal(path, "a COCO file of labels", hint)
    raise _refusal(
        path, "JSON of another form", "docs/predictions.md shows the forms that are read"
    )


def _refusal(path: Path, found: str, hint: str) -> BadInput:
    return BadInput(
        "predictions-format", f"found {found}, expected predictions", hint=hint, where=str(path)
    )
