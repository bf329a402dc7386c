"""Two candidates for one object side by side, A and B, each over the image: one SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lineage.pages.crops import frame_of, picture_of
from lineage.pages.text import escaped

COLOURS: Mapping[str, str] = {"A": "#e69f00", "B": "#56b4e9"}
_GAP_FRACTION, _TEXT_FRACTION = 0.05, 0.08


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one candidate says, and its outlines as ``[x0, y0, ...]``, px; none for "nothing"."""

    told: str
    rings: Sequence[Sequence[float]]


def side_by_side(sides: Mapping[str, Candidate], picture: bytes | None) -> str:
    """Return both candidates in the same frame, next to each other.

    Parameters
    ----------
    sides
        By name: A and B.
    picture
        The image's bytes; None where no file was found: outlines only.
    """
    rings = [ring for side in sides.values() for ring in side.rings]
    found = picture_of(picture, rings) if picture is not None else None
    frame, address = found or (frame_of(rings), "")
    gap, text = _GAP_FRACTION * frame.width, max(_TEXT_FRACTION * frame.width, 1.0)
    parts = []
    for at, (name, side) in enumerate(sides.items()):
        shift = at * (frame.width + gap) - frame.x_min
        place = f'x="{frame.x_min}" y="{frame.y_min}" width="{frame.width}" height="{frame.height}"'
        under = (
            f'<image {place} preserveAspectRatio="none" href="{address}"/>'
            if address
            else f'<rect {place} fill="#eee"/>'
        )
        drawn = "".join(_outline(ring, COLOURS[name]) for ring in side.rings)
        told = escaped(f"{name}: {side.told}")
        parts.append(
            f'<g transform="translate({shift:g} {-frame.y_min})">{under}{drawn}'
            f'<text x="{frame.x_min}" y="{frame.y_max + 1.4 * text:g}" font-size="{text:g}">{told}</text></g>'
        )
    width, height = 2 * frame.width + gap, frame.height + 2 * text
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" '
        f'viewBox="0 0 {width:g} {height:g}">\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _outline(ring: Sequence[float], colour: str) -> str:
    points = " ".join(f"{x:g},{y:g}" for x, y in zip(ring[0::2], ring[1::2], strict=True))
    return (
        f'<polygon points="{points}" fill="none" stroke="{colour}" stroke-width="2" '
        'vector-effect="non-scaling-stroke"/>'
    )
