"""Two candidates side by side: the same frame, each with its own outline, text that cannot break out."""

from __future__ import annotations

import io
from xml.etree import ElementTree

from PIL import Image

from lineage.pages.candidates import Candidate, side_by_side

SVG = "{http://www.w3.org/2000/svg}"
BOX = [10.0, 10.0, 60.0, 10.0, 60.0, 40.0, 10.0, 40.0]


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (100, 80), "green").save(out, "PNG")
    return out.getvalue()


def test_both_are_shown_in_one_frame_over_the_image() -> None:
    text = side_by_side(
        {"A": Candidate("cat", [BOX]), "B": Candidate("nothing there", [])}, picture()
    )
    groups = ElementTree.fromstring(text).findall(f"{SVG}g")
    assert len(groups) == 2
    images = [group.find(f"{SVG}image") for group in groups]
    places = [
        [image.get(k) for k in ("x", "y", "width", "height")]
        for image in images
        if image is not None
    ]
    assert len(places) == 2
    assert places[0] == places[1]
    assert [len(group.findall(f"{SVG}polygon")) for group in groups] == [1, 0]
    assert [group.findtext(f"{SVG}text") for group in groups] == ["A: cat", "B: nothing there"]


def test_without_the_image_there_are_outlines_and_text_is_text() -> None:
    text = side_by_side({"A": Candidate("<script>", [BOX]), "B": Candidate("dog", [BOX])}, None)
    assert "<script>" not in text
    root = ElementTree.fromstring(text)
    assert not root.findall(f".//{SVG}image")
    assert len(root.findall(f".//{SVG}polygon")) == 2
