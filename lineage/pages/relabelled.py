"""A label before and after it changed, each over the image: two frames of one SVG."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.pages.crops import Frame, frame_of, picture_of
from lineage.pages.suspect_values import Relabelled, Said, Suspicion
from lineage.pages.text import escaped

BEFORE, AFTER = "#56b4e9", "#e69f00"
_GAP_FRACTION = 0.04
_FEW_PIXELS = 96
"""An image no wider is shown pixel by pixel."""


def relabelled(one: Relabelled, values: Suspicion, name: str) -> str:
    """Return a changed label as a figure: before and after, and who said what.

    Parameters
    ----------
    one
        The label.
    values
        Of the page.
    name
        Of the picture, once a page.
    """
    sides = (one.before, one.after)
    rings = [ring for said in sides if said is not None for ring in said.rings]
    found = picture_of(one.picture, rings) if one.picture is not None else None
    frame, address = found or (frame_of(rings), "")
    gap = max(_GAP_FRACTION * frame.width, 0.5)
    kind = ' style="image-rendering:pixelated"' if frame.width <= _FEW_PIXELS else ""
    under = f'<rect class="empty" {_place(frame)}/>'
    again = under
    if address:
        under = f'<image id="{name}"{kind} {_place(frame)} preserveAspectRatio="none" href="{address}"/>'
        again = f'<use href="#{name}"/>'
    # what is drawn beyond the image does not run into the other frame
    clip = f'<clipPath id="{name}-frame"><rect {_place(frame)}/></clipPath>'
    within = f'clip-path="url(#{name}-frame)"'
    before, after = _outlines(one.before, BEFORE), _outlines(one.after, AFTER)
    past = _outlines(one.before, BEFORE, is_past=True)
    drawn = (
        f"{clip}<g {within}>{under}{before}</g>"
        f'<g {within} transform="translate({frame.width + gap:g} 0)">{again}{past}{after}</g>'
    )
    view = f"{frame.x_min} {frame.y_min} {frame.width * 2 + gap:g} {frame.height}"
    picture = (
        f'<svg role="img" aria-label="{escaped(one.asset)}" viewBox="{view}">{drawn}</svg>'
        if address or rings
        else ""
    )
    note = "" if address else '<p class="note">no image file: geometry only</p>'
    if not picture:
        note = '<p class="note">no image file, and the class is of the whole image</p>'
    legend = _said(one.before, BEFORE, "before", values) + _said(one.after, AFTER, "after", values)
    return (
        f'<figure class="crop">{picture}\n<figcaption>{note}<ul>{legend}</ul>'
        f"{escaped(one.asset)}<br><code>lineage show {one.annotation}</code></figcaption></figure>"
    )


def _place(frame: Frame) -> str:
    return f'x="{frame.x_min}" y="{frame.y_min}" width="{frame.width}" height="{frame.height}"'


def _outlines(said: Said | None, colour: str, *, is_past: bool = False) -> str:
    if said is None:
        return ""
    kind = ' class="past"' if is_past else ""
    return "".join(
        f'<polygon{kind} points="{_points(ring)}" stroke="{colour}"/>' for ring in said.rings
    )


def _points(ring: Sequence[float]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in zip(ring[0::2], ring[1::2], strict=True))


def _said(said: Said | None, colour: str, when: str, values: Suspicion) -> str:
    if said is None:
        told = "not labelled" if when == "before" else "no longer labelled"
        return f'<li class="none"><i style="background:{colour}"></i>{when}: {told}</li>'
    told = escaped(f"{when}: {said.class_}, by {values.name(said.annotator)}")
    return f'<li><i style="background:{colour}"></i>{told}</li>'
