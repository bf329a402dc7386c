"""Crops: the right part of the image, every outline where it was drawn."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lineage.pages.crops import COLOURS, colours_of, crop, frame_of, picture_of
from lineage.pages.values import Disputed, Opinion
from tests.pages.values import HOSTILE, quality

RING = [100.0, 50.0, 130.0, 50.0, 130.0, 90.0, 100.0, 90.0]
rings = st.lists(st.floats(0, 200), min_size=6, max_size=8).map(lambda r: r[: len(r) // 2 * 2])


def image() -> tuple[np.ndarray, bytes]:
    """Return an image in which every pixel tells its place, and its PNG."""
    y, x = np.mgrid[0:120, 0:200]
    pixels = np.stack([x, y, (x + y) % 256], axis=2).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return pixels, out.getvalue()


def disputed(picture: bytes | None, name: str = "images/a.png") -> Disputed:
    opinions = [Opinion("a-two", None, (), None), Opinion("a-one", "car", [RING], 5)]
    return Disputed("car", None, name, opinions, picture)


@given(rings, st.tuples(st.integers(200, 400), st.integers(200, 400)))
def test_a_frame_holds_every_outline_and_stays_within_the_image(
    ring: list[float], size: tuple[int, int]
) -> None:
    frame = frame_of([ring], size)
    assert 0 <= frame.x_min <= min(ring[0::2])
    assert 0 <= frame.y_min <= min(ring[1::2])
    assert int(max(ring[0::2])) <= frame.x_max <= size[0]
    assert int(max(ring[1::2])) <= frame.y_max <= size[1]


def test_the_pixels_are_those_within_the_frame() -> None:
    pixels, content = image()
    found = picture_of(content, [RING])
    assert found is not None
    frame, address = found
    media, _, text = address.partition(",")
    assert media == "data:image/png;base64"
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))
    assert np.array_equal(shown, pixels[frame.y_min : frame.y_max, frame.x_min : frame.x_max])


def test_outlines_stand_in_the_images_own_pixels_each_in_its_colour() -> None:
    _, content = image()
    colours = colours_of(["a-one", "a-two"])
    html = crop(disputed(content), colours, quality())
    points = re.findall(r'<polygon points="([^"]*)" stroke="([^"]*)"', html)
    assert points == [("100,50 130,50 130,90 100,90", COLOURS[0])]
    box = re.search(r'viewBox="(\d+) (\d+) (\d+) (\d+)"', html)
    place = re.search(r'<image x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', html)
    assert box is not None
    assert place is not None
    assert box.groups() == place.groups()
    assert "a-two: nothing drawn" in html


def test_without_an_image_the_frame_is_empty_and_says_so() -> None:
    for content in (None, b"no image at all"):
        html = crop(disputed(content), {}, quality())
        assert "<image" not in html
        assert "geometry only" in html
        assert '<polygon points="100,50 130,50 130,90 100,90"' in html


def test_a_class_of_the_whole_image_shows_the_whole_image() -> None:
    pixels, content = image()
    opinions = [Opinion("a-one", "day", (), 1), Opinion("a-two", "night", (), 2)]
    html = crop(Disputed("day", "night", "a.png", opinions, content), {}, quality())
    assert f'viewBox="0 0 {pixels.shape[1]} {pixels.shape[0]}"' in html


def test_a_hostile_image_name_stays_text() -> None:
    assert "<script" not in crop(disputed(None, HOSTILE), {}, quality())
