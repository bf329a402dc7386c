"""Texts: the one JSON text of an object, as ``attributes`` and ``extra`` have it, and many of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa

_EXPONENT = re.compile(r"[:,\[]-?[\d.]+[eE]")


def canonical(values: Mapping[str, object]) -> str:
    """Return the one JSON text of an object: sorted keys, no spaces.

    Examples
    --------
    >>> canonical({"b": 1e-7, "a": [True, None]})
    '{"a":[true,null],"b":1e-07}'
    """
    text = msgspec.json.encode(values, order="sorted").decode()
    if _EXPONENT.search(text):
        # the two encoders differ in how they write exponents; the ledger's form is Python's
        text = json.dumps(
            json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
    return text


def strings(texts: Sequence[bytes | None]) -> pa.StringArray:
    r"""Return encoded texts as an Arrow array: long ones several times faster than from ``str``.

    Parameters
    ----------
    texts
        UTF-8, less than 2 GiB of it together.

    Examples
    --------
    >>> strings([b"a", None, "\u00e9".encode()]).to_pylist()
    ['a', None, '\xe9']
    """
    is_told = np.fromiter((text is not None for text in texts), bool, len(texts))
    told = [text or b"" for text in texts]
    offsets = np.zeros(len(told) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, told), np.int64, len(told)), out=offsets[1:], dtype=np.int32)
    validity = None
    if not is_told.all():
        validity = pa.py_buffer(np.packbits(is_told, bitorder="little").tobytes())
    buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(b"".join(told))]
    return pa.Array.from_buffers(pa.string(), len(told), buffers)
