"""Who is drawn: keyed hashes as permanent random numbers.

A thing is drawn where its number, a keyed hash of its id, lies below its inclusion
fraction. So a draw depends on nothing but ids, fractions and the key: it is the same
in whatever order, it is repeated whenever it is asked for, a larger fraction holds the
smaller draw, and without the key nobody can tell what is looked at.
"""

from __future__ import annotations

import hashlib

import numpy as np

KEY_BYTES = 32
_WORDS = 8


def fractions(ids: np.ndarray, key: bytes) -> np.ndarray:
    """Return each id's number.

    Parameters
    ----------
    ids
        ndarray of int64, shape (n,), not negative.
    key
        1 to 64 bytes.

    Returns
    -------
    ndarray of float64, shape (n,)
        In [0, 1).

    Notes
    -----
    Eight ids that differ in their last three bits share one keyed BLAKE2b of 64 bytes, a word each:
    the loop over hashes is an eighth of one over ids, and the numbers are as hard to guess.

    Examples
    --------
    >>> small = fractions(np.arange(100), b"key") < 0.1
    >>> large = fractions(np.arange(100), b"key") < 0.3
    >>> bool(np.all(large[small]))
    True
    """
    ids = np.asarray(ids, np.int64)
    groups, at = np.unique(ids // _WORDS, return_inverse=True)
    base = hashlib.blake2b(key=key, digest_size=64)
    digests = []
    for start in groups.astype("<i8"):
        one = base.copy()
        one.update(start.tobytes())
        digests.append(one.digest())
    words = np.frombuffer(b"".join(digests), "<u8").reshape(-1, _WORDS)
    # 53 bits fill a float's mantissa; more would round some numbers up to 1
    found: np.ndarray = (words[at, ids % _WORDS] >> np.uint64(11)) / 2.0**53
    return found


def chosen(ids: np.ndarray, fraction: np.ndarray | float, key: bytes) -> np.ndarray:
    """Tell which ids are drawn.

    Parameters
    ----------
    ids
        ndarray of int64, shape (n,).
    fraction
        Inclusion fraction of each, or of all.
    key
        Of the draw.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    found: np.ndarray = fractions(ids, key) < fraction
    return found


def derived(secret: bytes, purpose: str) -> bytes:
    """Return the key of one purpose, from which neither the secret nor another key can be told.

    Parameters
    ----------
    secret
        The project's, 1 to 64 bytes.
    purpose
        What is drawn.
    """
    return hashlib.blake2b(purpose.encode(), key=secret, digest_size=KEY_BYTES).digest()


def key_name(key: bytes) -> str:
    """Return a name of a key that may be on record.

    Examples
    --------
    >>> len(key_name(b"secret"))
    16
    """
    return hashlib.sha256(b"lineage:draw-key:1\x00" + key).hexdigest()[:16]
