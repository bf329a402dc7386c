"""Label Studio's brush strokes: a bit-packed run-length stream of an RGBA image.

The stream begins with the number of values (32 bits), the word size less one (5
bits) and four run sizes less one (4 bits each). Then follow blocks: one bit
(repeat or not), two bits (which run size), the length less one, and one word if
it repeats, or as many words as the length says.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MAX_PIXELS = 1 << 28
_HEADER_BITS = 53
_CHANNELS = 4


def decoded_mask(stream: Sequence[int], height: int, width: int) -> np.ndarray:
    """Return which pixels a stroke covers.

    Parameters
    ----------
    stream
        Bytes.
    height, width
        Of the image, px.

    Returns
    -------
    ndarray of bool, shape (height, width)
        Where the alpha channel is not zero.

    Raises
    ------
    ValueError
        The stream is truncated, or does not hold ``height * width`` pixels.
    """
    if not 0 < height * width <= MAX_PIXELS:
        raise ValueError(f"no image of {height} x {width} px")
    bits = np.unpackbits(np.asarray(stream, dtype=np.uint8))
    text = bits.tobytes()
    n_values = _number(text, 0, 32)
    if n_values != height * width * _CHANNELS:
        raise ValueError(
            f"the stream holds {n_values} values, {height} x {width} px have {height * width * 4}"
        )
    word = _number(text, 32, 5) + 1
    sizes = [_number(text, 37 + 4 * i, 4) + 1 for i in range(4)]
    out = np.empty(n_values, np.uint8)
    _unpack(bits, text, out, word, sizes)
    return np.asarray(out.reshape(height, width, _CHANNELS)[:, :, 3] > 0)


def encoded_mask(mask: np.ndarray) -> list[int]:
    """Return a mask as Label Studio's stream: opaque where it is true, clear elsewhere."""
    values = np.repeat(np.where(mask.reshape(-1), 255, 0).astype(np.uint8), _CHANNELS)
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(values)) + 1, [len(values)]])
    sizes = (3, 4, 8, 16)
    bits = [f"{len(values):032b}", f"{7:05b}", *(f"{size - 1:04b}" for size in sizes)]
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        left = stop - start
        while left:
            length = min(left, 1 << 16)
            size = next(i for i, n in enumerate(sizes) if length <= 1 << n)
            bits.append(f"1{size:02b}{length - 1:0{sizes[size]}b}{values[start]:08b}")
            left -= length
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return np.packbits(np.frombuffer(text.encode(), np.uint8) - 48).tolist()


def _unpack(bits: np.ndarray, text: bytes, out: np.ndarray, word: int, sizes: list[int]) -> None:
    """Fill ``out``; a loop over blocks, of which a stroke has a few thousand, not over pixels."""
    at, done = _HEADER_BITS, 0
    weights = 1 << np.arange(word - 1, -1, -1)
    while done < len(out):
        if at + 3 > len(text):
            raise ValueError(f"the stream ends after {done} of {len(out)} values")
        repeats, size = text[at], sizes[_number(text, at + 1, 2)]
        length = min(_number(text, at + 3, size) + 1, len(out) - done)
        at += 3 + size
        n_words = 1 if repeats else length
        found = bits[at : at + word * n_words]
        if len(found) < word * n_words:
            raise ValueError(f"the stream ends after {done} of {len(out)} values")
        out[done : done + length] = (found.reshape(-1, word) @ weights).astype(np.uint8)
        at += word * n_words
        done += length


def _number(text: bytes, start: int, n_bits: int) -> int:
    found = 0
    for bit in text[start : start + n_bits]:
        found = found << 1 | bit
    return found
