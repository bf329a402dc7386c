"""Pictures of the scenes: small, plain, and the same bytes every time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lineage.simulate.scenes import NOT, Objects, asset_name
from lineage.simulate.settings import CLASSES, WorldSettings

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

Box = tuple[float, float, float, float]
_COATS = (
    (178, 34, 52),
    (34, 92, 160),
    (236, 190, 60),
    (70, 120, 70),
    (200, 200, 205),
    (40, 40, 48),
)


def draw(out: Path, settings: WorldSettings, found: Objects) -> int:
    """Draw the images of a block below ``out`` and return how many."""
    from PIL import Image, ImageDraw

    numbers = np.unique(found.image)
    first = int(found.image[0]) if len(found.image) else 0
    last = int(found.image[-1]) if len(found.image) else -1
    by_image = {int(n): np.flatnonzero(found.image == n) for n in numbers}
    for number in range(first, last + 1):
        picture = Image.new("RGB", (settings.width, settings.height))
        canvas = ImageDraw.Draw(picture)
        _street(canvas, settings, number // settings.images_per_scene, number)
        rows = by_image.get(number, np.empty(0, int))
        # what stands lower is nearer and covers the rest
        for row in rows[np.argsort(found.full[rows, 3], kind="stable")].tolist():
            coat = _COATS[(number * 7 + row) % len(_COATS)]
            box: Box = tuple(found.full[row].tolist())
            _PAINTERS[CLASSES[found.class_code[row]]](canvas, box, coat)
            if found.occlusion[row] != NOT:
                _cover(canvas, box, tuple(found.visible[row].tolist()))
        path = out / asset_name(settings, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.quantize(64).save(path, compress_level=6)
    return last - first + 1


def _street(canvas: ImageDraw, settings: WorldSettings, scene: int, number: int) -> None:
    width, height = settings.width, settings.height
    rng = np.random.default_rng(np.random.SeedSequence([settings.seed, 2, scene]))
    shift = (number % settings.images_per_scene) * 2
    horizon = int(height * 0.52)
    for y in range(0, horizon, 4):
        tone = int(190 + 40 * y / horizon)
        canvas.rectangle((0, y, width, y + 3), fill=(tone - 40, tone - 12, min(tone + 20, 255)))
    x = -20 - shift
    while x < width:
        wide, tall = int(rng.integers(24, 60)), int(rng.integers(30, int(height * 0.45)))
        tone = int(rng.integers(95, 165))
        canvas.rectangle((x, horizon - tall, x + wide, horizon), fill=(tone, tone - 8, tone - 18))
        for wy in range(horizon - tall + 6, horizon - 8, 11):
            for wx in range(x + 5, x + wide - 6, 10):
                canvas.rectangle(
                    (wx, wy, wx + 4, wy + 5),
                    fill=(70, 80, 96) if (wx + wy) % 3 else (235, 214, 140),
                )
        x += wide + int(rng.integers(2, 10))
    canvas.rectangle((0, horizon, width, height), fill=(128, 128, 126))
    canvas.polygon(
        [(0, height), (width * 0.32, horizon + 6), (width * 0.68, horizon + 6), (width, height)],
        fill=(74, 75, 80),
    )
    for step in range(6):
        y = horizon + 12 + step * step * 3
        canvas.rectangle(
            (width / 2 - 1 - step, y, width / 2 + 1 + step, y + 3 + step), fill=(226, 222, 200)
        )


def _vehicle(canvas: ImageDraw, box: Box, coat: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    canvas.rectangle((x0, y0 + h * 0.38, x1, y1 - h * 0.16), fill=coat, outline=(20, 20, 22))
    canvas.polygon(
        [
            (x0 + w * 0.2, y0 + h * 0.4),
            (x0 + w * 0.32, y0),
            (x0 + w * 0.7, y0),
            (x0 + w * 0.84, y0 + h * 0.4),
        ],
        fill=(150, 190, 210),
        outline=(20, 20, 22),
    )
    _wheels(canvas, box)


def _van(canvas: ImageDraw, box: Box, coat: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    canvas.rectangle((x0, y0, x1, y1 - h * 0.14), fill=coat, outline=(20, 20, 22))
    for at in (0.08, 0.3, 0.52, 0.74):
        canvas.rectangle(
            (x0 + w * at, y0 + h * 0.15, x0 + w * (at + 0.16), y0 + h * 0.42), fill=(160, 196, 214)
        )
    _wheels(canvas, box)


def _wheels(canvas: ImageDraw, box: Box) -> None:
    x0, y0, x1, y1 = box
    radius = (y1 - y0) * 0.15
    for at in (0.22, 0.78):
        cx = x0 + (x1 - x0) * at
        canvas.ellipse((cx - radius, y1 - 2 * radius, cx + radius, y1), fill=(22, 22, 24))


def _person(canvas: ImageDraw, box: Box, coat: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    canvas.rectangle((x0 + w * 0.15, y0 + h * 0.22, x1 - w * 0.15, y0 + h * 0.62), fill=coat)
    canvas.rectangle((x0 + w * 0.2, y0 + h * 0.6, x0 + w * 0.44, y1), fill=(44, 46, 70))
    canvas.rectangle((x0 + w * 0.56, y0 + h * 0.6, x0 + w * 0.8, y1), fill=(44, 46, 70))
    canvas.rectangle((x0, y0 + h * 0.26, x0 + w * 0.13, y0 + h * 0.55), fill=coat)
    canvas.rectangle((x1 - w * 0.13, y0 + h * 0.26, x1, y0 + h * 0.55), fill=coat)
    canvas.ellipse((x0 + w * 0.28, y0, x1 - w * 0.28, y0 + h * 0.21), fill=(224, 180, 150))


def _rider(canvas: ImageDraw, box: Box, coat: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    for cx in (x0 + w * 0.22, x1 - w * 0.22):
        canvas.ellipse(
            (cx - w * 0.22, y1 - w * 0.44, cx + w * 0.22, y1), outline=(18, 18, 20), width=2
        )
    _person(canvas, (x0 + w * 0.25, y0, x1 - w * 0.25, y0 + h * 0.8), coat)


def _light(canvas: ImageDraw, box: Box, _: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = box
    canvas.rectangle(box, fill=(26, 28, 28))
    for at, colour in ((0.18, (220, 50, 40)), (0.5, (230, 180, 40)), (0.82, (50, 190, 90))):
        cy, radius = y0 + (y1 - y0) * at, (x1 - x0) * 0.3
        cx = (x0 + x1) / 2
        canvas.ellipse((cx - radius, cy - radius, cx + radius, cy + radius), fill=colour)


def _dog(canvas: ImageDraw, box: Box, _: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    canvas.rectangle((x0, y0 + h * 0.3, x1 - w * 0.2, y0 + h * 0.7), fill=(120, 84, 52))
    canvas.ellipse((x1 - w * 0.34, y0, x1, y0 + h * 0.5), fill=(134, 96, 60))
    for at in (0.06, 0.6):
        canvas.rectangle((x0 + w * at, y0 + h * 0.65, x0 + w * (at + 0.1), y1), fill=(104, 72, 44))


def _wheelchair(canvas: ImageDraw, box: Box, coat: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    _person(canvas, (x0 + w * 0.2, y0, x1 - w * 0.25, y0 + h * 0.75), coat)
    canvas.ellipse((x0, y1 - h * 0.5, x0 + h * 0.5, y1), outline=(18, 18, 20), width=2)


def _cover(canvas: ImageDraw, full: Box, visible: Box) -> None:
    hidden_left = visible[0] > full[0]
    x0, x1 = (full[0], visible[0]) if hidden_left else (visible[2], full[2])
    canvas.rectangle((x0, full[1] - 4, x1, full[3] + 2), fill=(96, 82, 66), outline=(60, 50, 40))


_PAINTERS = {
    "car": _vehicle,
    "pedestrian": _person,
    "cyclist": _rider,
    "truck": _van,
    "bus": _van,
    "traffic_light": _light,
    "dog": _dog,
    "wheelchair_user": _wheelchair,
}
