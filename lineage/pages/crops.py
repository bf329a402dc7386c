"""What people drew on one object, over the image that they saw: one SVG in the image's own pixels."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lineage.pages.text import escaped, named_class
from lineage.pages.values import Disputed, Quality

COLOURS = (
    "#e69f00",
    "#56b4e9",
    "#cc79a7",
    "#f0e442",
    "#2fbf8f",
    "#d55e00",
    "#4f7fe0",
    "#ff6b6b",
)
MARGIN_FRACTION = 0.5
LEAST_SIDE_PX = 48
_NO_PLACE = (160, 120)
MOST_PIXELS = 360
"""Longer side of an embedded picture."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of an image that is shown, px; the right and lower edges are not in it."""

    x_min: int
    y_min: int
    x_max: int
    y_max: int

    @property
    def width(self) -> int:
        """In px of the image."""
        return self.x_max - self.x_min

    @property
    def height(self) -> int:
        """In px of the image."""
        return self.y_max - self.y_min


def frame_of(rings: Sequence[Sequence[float]], size: tuple[int, int] | None = None) -> Frame:
    """Return the frame around outlines, with room at every side.

    Parameters
    ----------
    rings
        Outlines as ``[x0, y0, ...]``, px; none for a class of the whole image.
    size
        Width and height of the image, where they are known: the frame stays within.

    Examples
    --------
    >>> frame_of([[10.0, 10.0, 110.0, 60.0]], (200, 100))
    Frame(x_min=0, y_min=0, x_max=160, y_max=100)
    """
    if not any(rings):
        return Frame(0, 0, *(size or _NO_PLACE))
    xs = [x for ring in rings for x in ring[0::2]]
    ys = [y for ring in rings for y in ring[1::2]]
    pad = MARGIN_FRACTION * max(max(xs) - min(xs), max(ys) - min(ys), LEAST_SIDE_PX / 2)
    x_min, y_min = int(min(xs) - pad), int(min(ys) - pad)
    x_max, y_max = int(max(xs) + pad), int(max(ys) + pad)
    if size is not None:
        x_min, y_min = max(x_min, 0), max(y_min, 0)
        x_max, y_max = min(x_max, size[0]), min(y_max, size[1])
    return Frame(x_min, y_min, max(x_max, x_min + 1), max(y_max, y_min + 1))


def colours_of(people: Sequence[str]) -> dict[str, str]:
    """Return a colour for each annotator; beyond eight they repeat."""
    return {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(sorted(people))}


def picture_of(content: bytes, rings: Sequence[Sequence[float]]) -> tuple[Frame, str] | None:
    """Return the frame within an image and its pixels as a ``data:`` address; None where it is no image."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as whole:
            frame = frame_of(rings, whole.size)
            if frame.x_min >= whole.size[0] or frame.y_min >= whole.size[1]:
                return None
            box = (frame.x_min, frame.y_min, frame.x_max, frame.y_max)
            part = whole.convert("RGB").crop(box)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None
    part.thumbnail((MOST_PIXELS, MOST_PIXELS))
    out = io.BytesIO()
    part.save(out, "PNG", optimize=True)
    if out.tell() > _PNG_MOST:
        out = io.BytesIO()
        part.save(out, "JPEG", quality=82)
        return frame, "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
    return frame, "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


_PNG_MOST = 30_000


def crop(disputed: Disputed, colours: Mapping[str, str], values: Quality) -> str:
    """Return a disputed object as a figure: the picture, every outline, and who said what."""
    rings = [ring for opinion in disputed.opinions for ring in opinion.rings]
    found = picture_of(disputed.picture, rings) if disputed.picture is not None else None
    frame, address = found or (frame_of(rings), "")
    place = f'x="{frame.x_min}" y="{frame.y_min}" width="{frame.width}" height="{frame.height}"'
    under = (
        f'<image {place} preserveAspectRatio="none" href="{address}"/>'
        if address
        else f'<rect class="empty" {place}/>'
    )
    outlines = []
    legend = []
    for opinion in sorted(disputed.opinions, key=lambda each: values.name(each.annotator)):
        colour = colours.get(opinion.annotator, COLOURS[0])
        told = escaped(f"{values.name(opinion.annotator)}: {named_class(opinion.class_)}")
        for ring in opinion.rings:
            points = " ".join(f"{x:g},{y:g}" for x, y in zip(ring[0::2], ring[1::2], strict=True))
            outlines.append(
                f'<polygon points="{points}" stroke="{colour}"><title>{told}</title></polygon>'
            )
        kind = ' class="none"' if opinion.class_ is None else ""
        legend.append(f'<li{kind}><i style="background:{colour}"></i>{told}</li>')
    note = "" if address else '<p class="note">no image file: geometry only</p>'
    name = escaped(disputed.asset)
    return (
        f'<figure class="crop"><svg role="img" aria-label="{name}" '
        f'viewBox="{frame.x_min} {frame.y_min} {frame.width} {frame.height}">'
        f"{under}{''.join(outlines)}</svg>\n<figcaption>{note}<ul>{''.join(legend)}</ul>"
        f"<code>lineage blame {name}</code></figcaption></figure>"
    )
