"""Train, validation, test: by a hash of the asset or its group, so that an image keeps its split for ever."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from lineage.errors import BadInput

_SUM_TOLERANCE = 1e-9


def split_codes(keys: Sequence[str], fractions: Mapping[str, float], *, salt: str) -> np.ndarray:
    """Return, per key, the index of its split among the names of ``fractions``, sorted.

    Parameters
    ----------
    keys
        Names of assets or groups.
    fractions
        Share of each split, in [0, 1], summing to 1.
    salt
        Another salt gives another, independent partition.

    Returns
    -------
    ndarray of int8, shape (n_keys,)

    Raises
    ------
    BadInput
        ``split-fractions``: a share is negative, or they do not sum to 1.

    Notes
    -----
    A key's place is ``u``, the first eight bytes (big-endian) of SHA-256(salt NUL key) over 2**64;
    its split is the first, by name, whose cumulative share exceeds ``u``. A key moves only when a
    boundary passes over its place; the order in which a file lists the splits is of no account.
    """
    shares = [fractions[name] for name in sorted(fractions)]
    if not shares or min(shares) < 0 or abs(sum(shares) - 1) > _SUM_TOLERANCE:
        raise BadInput(
            "split-fractions",
            f"split fractions {dict(fractions)} sum to {sum(shares):g}, expected 1",
            hint="mend build.splits in params.yaml",
        )
    prefix = salt.encode() + b"\x00"
    digests = [hashlib.sha256(prefix + key.encode()).digest()[:8] for key in keys]
    place = np.frombuffer(b"".join(digests), dtype=">u8").astype(np.float64) / 2.0**64
    bounds = np.cumsum(shares)[:-1]
    return np.searchsorted(bounds, place, side="right").astype(np.int8)


def group_keys(names: Sequence[str], pattern: str | None) -> list[str]:
    """Return, per asset name, the key by which it is split.

    Parameters
    ----------
    names
        Asset names.
    pattern
        Regular expression whose one group is the key (a sequence, a scene); None splits by name.
        A name that it does not match is its own key.

    Raises
    ------
    BadInput
        ``split-pattern``: no regular expression, or not exactly one group.
    """
    if pattern is None:
        return list(names)
    try:
        compiled = re.compile(pattern)
    except re.error as exc:
        raise BadInput("split-pattern", f"{pattern!r} is no regular expression: {exc}") from exc
    if compiled.groups != 1:
        raise BadInput(
            "split-pattern", f"{pattern!r} has {compiled.groups} groups, expected exactly one"
        )
    found = (compiled.search(name) for name in names)
    return [
        name if match is None or match.group(1) is None else match.group(1)
        for name, match in zip(names, found, strict=True)
    ]


def split_words(codes: np.ndarray, fractions: Mapping[str, float]) -> pa.DictionaryArray:
    """Return split codes as words."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), sorted(fractions))
