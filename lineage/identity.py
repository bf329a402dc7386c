"""What makes two things the same: canonical bytes, SHA-256 digests, Merkle roots.

``docs/ledger.md`` states the byte layout for readers in any language; this
module is its implementation over whole Arrow batches, because building bytes
row by row in Python is an order of magnitude slower than hashing them.

A row's canonical bytes are ``domain tag, NUL, header, tail``: the header holds, in
column order, a presence byte for every nullable column and then the value
(numbers little-endian, eight bytes; strings as their byte length, four bytes;
geometry as its number of lists, four bytes), the tail the strings' UTF-8 (NFC)
and the geometry's list lengths and numbers, in the same order. The encoding is
injective: every variable part's length stands in the header or before it.

References
----------
RFC 6962, "Certificate Transparency", section 2.1 (Merkle hash trees).
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Digest = bytes
"""The 32 bytes of a SHA-256."""

EMPTY_ROOT: Digest = hashlib.sha256(b"").digest()
"""Root of the tree without leaves (RFC 6962, 2.1)."""

_LEAF = b"\x00"
_NODE = b"\x01"


def canonical_json(value: object) -> bytes:
    """Return the one JSON text of ``value``: sorted keys, no spaces, UTF-8, strings in NFC.

    Raises
    ------
    ValueError
        ``value`` holds NaN or an infinity.
    TypeError
        ``value`` holds something JSON has no form for.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return unicodedata.normalize("NFC", text).encode("utf-8")


def digest_of(domain: str, content: bytes) -> str:
    """Return the SHA-256 of ``content`` under a domain tag, as lower-case hex."""
    return hashlib.sha256(domain.encode("ascii") + b"\x00" + content).hexdigest()


def canonical_rows(batch: pa.RecordBatch, domain: str) -> pa.BinaryArray:
    """Return the canonical bytes of every row.

    Parameters
    ----------
    batch
        Rows of one of the segment schemas in `lineage.columns`.
    domain
        Domain tag, for example ``lineage:revisions:1``.

    Returns
    -------
    pa.BinaryArray
        One value a row.

    Raises
    ------
    TypeError
        A column has a type that the layout does not know.
    """
    n = batch.num_rows
    fields: list[tuple[str, str]] = []
    values: list[np.ndarray] = []
    tail: list[pa.Array] = []
    for index, field in enumerate(batch.schema):
        column = batch.column(index)
        if field.nullable:
            fields.append((f"{index}p", "u1"))
            values.append(np.asarray(pc.is_valid(column)))
        dtype, header, pieces = _encode(column)
        fields.append((f"{index}v", dtype))
        values.append(header)
        tail.extend(pieces)
    packed = np.zeros(n, dtype=np.dtype(fields))
    for (name, _), array in zip(fields, values, strict=True):
        packed[name] = array
    head = _fixed_binary(packed.view(np.uint8).reshape(n, -1)) if n else pa.array([], pa.binary())
    tag = pa.scalar(domain.encode("ascii") + b"\x00", pa.binary())
    return pc.binary_join_element_wise(tag, head, *tail, b"")


def leaf_digests(rows: pa.BinaryArray) -> list[Digest]:
    """Return the RFC 6962 leaf hash of every row: SHA-256 over 0x00 and the canonical bytes.

    Notes
    -----
    A Python loop: SHA-256 of short messages has no vectorised form here, and this one runs at
    1.5 million rows a second.
    """
    sha256 = hashlib.sha256
    return [sha256(_LEAF + row).digest() for row in rows.to_pylist()]


def row_hashes(batch: pa.RecordBatch) -> np.ndarray:
    """Return a 64-bit hash of every row's content, for telling rows apart inside one import.

    Returns
    -------
    ndarray of uint64, shape (n_rows,)
    """
    rows = canonical_rows(batch, "lineage:content:1").to_pylist()
    sha256 = hashlib.sha256
    return np.frombuffer(b"".join([sha256(row).digest()[:8] for row in rows]), dtype="<u8")


class MerkleAccumulator:
    """Merkle tree hash over leaves that arrive in pieces, in logarithmic memory.

    Examples
    --------
    >>> tree = MerkleAccumulator()
    >>> tree.root().hex()[:16]
    'e3b0c44298fc1c14'
    """

    def __init__(self) -> None:
        self._levels: list[list[Digest]] = []
        self.size = 0

    def extend(self, leaves: Iterable[Digest]) -> None:
        """Append leaf hashes in order."""
        carry = list(leaves)
        first = self.size
        self.size += len(carry)
        level = 0
        while carry:
            if level == len(self._levels):
                self._levels.append([])
            self._passing(level, first >> level, carry)
            nodes = self._levels[level] + carry
            n_paired = len(nodes) - len(nodes) % 2
            self._levels[level] = nodes[n_paired:]
            carry = _parents(nodes[:n_paired])
            level += 1

    def root(self) -> Digest:
        """Return the tree hash of the leaves so far."""
        root: Digest | None = None
        for nodes in self._levels:
            for node in nodes:
                root = node if root is None else hashlib.sha256(_NODE + node + root).digest()
        return EMPTY_ROOT if root is None else root

    def _passing(self, level: int, first: int, nodes: Sequence[Digest]) -> None:
        """Take note of nodes that pass by at a level, the first of them the level's ``first``."""


def merkle_root(leaves: Iterable[Digest]) -> Digest:
    """Return the RFC 6962 tree hash of leaf hashes."""
    tree = MerkleAccumulator()
    tree.extend(leaves)
    return tree.root()


def log_leaf(header: Mapping[str, object]) -> Digest:
    """Return the log's leaf hash of an activity's header."""
    return hashlib.sha256(_LEAF + b"lineage:activity:1\x00" + canonical_json(header)).digest()


def table_digest(batches: Iterable[pa.RecordBatch], domain: str) -> str:
    """Return the logical digest of a table: independent of files, chunks, and writer versions.

    The table is hashed column by column over all its rows in order, each column as its
    validity bytes and its canonical values, so that the cost is that of reading memory.

    Returns
    -------
    str
        Lower-case hex SHA-256 over the domain tag and, per column, its name and digest.
    """
    names: list[str] = []
    hashes: list[list[hashlib._Hash]] = []
    n_rows = 0
    for batch in batches:
        if not names:
            names = batch.schema.names
            hashes = [[hashlib.sha256() for _ in range(3)] for _ in names]
        n_rows += batch.num_rows
        for index in range(batch.num_columns):
            column = batch.column(index)
            validity, head, tail = hashes[index]
            validity.update(np.asarray(pc.is_valid(column)).astype(np.uint8).tobytes())
            _, header, pieces = _encode(column)
            head.update(np.ascontiguousarray(header).tobytes())
            for piece in pieces:
                tail.update(_value_bytes(piece))
    total = hashlib.sha256(domain.encode("ascii") + b"\x00" + n_rows.to_bytes(8, "little"))
    for name, parts in zip(names, hashes, strict=True):
        total.update(name.encode("utf-8") + b"\x00")
        for part in parts:
            total.update(part.digest())
    return total.hexdigest()


def _parents(nodes: list[Digest]) -> list[Digest]:
    sha256 = hashlib.sha256
    pairs = zip(nodes[0::2], nodes[1::2], strict=True)
    return [sha256(_NODE + left + right).digest() for left, right in pairs]


def _encode(column: pa.Array) -> tuple[str, np.ndarray, list[pa.Array]]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        words = _normalised(column.dictionary).take(column.indices).fill_null(b"")
        return "<u4", _lengths(words), [words]
    if pa.types.is_string(kind):
        words = _normalised(column)
        return "<u4", _lengths(words), [words]
    if pa.types.is_boolean(kind):
        return "u1", np.asarray(column.fill_null(False)).astype(np.uint8), []
    if pa.types.is_floating(kind):
        # adding zero folds the two zeros of IEEE 754 into one
        return "<f8", np.asarray(column.cast(pa.float64()).fill_null(0.0)) + 0.0, []
    if pa.types.is_integer(kind):
        return "<i8", np.asarray(column.cast(pa.int64()).fill_null(0)), []
    if pa.types.is_timestamp(kind):
        micros = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
        return "<i8", np.asarray(micros.fill_null(0)), []
    if pa.types.is_list(kind):
        return _encode_geometry(column)
    raise TypeError(f"no canonical form for {kind}")


def _normalised(words: pa.Array) -> pa.Array:
    return pc.utf8_normalize(words.fill_null(""), form="NFC").cast(pa.binary())


def _lengths(words: pa.Array) -> np.ndarray:
    return np.asarray(pc.binary_length(words)).astype("<u4")


def _encode_geometry(column: pa.ListArray) -> tuple[str, np.ndarray, list[pa.Array]]:
    parts = column.flatten()
    n_parts = np.asarray(pc.list_value_length(column).fill_null(0)).astype("<u4")
    part_ends = np.concatenate([[0], np.cumsum(n_parts, dtype=np.int64)])
    part_lengths = np.asarray(pc.list_value_length(parts)).astype("<u4")
    value_ends = np.concatenate([[0], np.cumsum(part_lengths, dtype=np.int64)])
    numbers = np.asarray(parts.flatten().cast(pa.float64())).astype("<f8") + 0.0
    lengths = _ragged_binary(part_lengths, part_ends)
    return "<u4", n_parts, [lengths, _ragged_binary(numbers, value_ends[part_ends])]


def _ragged_binary(values: np.ndarray, ends: np.ndarray) -> pa.Array:
    offsets = pa.py_buffer((ends * values.itemsize).astype(np.int32).tobytes())
    data = pa.py_buffer(np.ascontiguousarray(values).tobytes())
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, offsets, data])


def _fixed_binary(rows: np.ndarray) -> pa.Array:
    n, width = rows.shape
    return _ragged_binary(rows.reshape(-1), np.arange(n + 1, dtype=np.int64) * width)


def _value_bytes(words: pa.Array) -> memoryview | bytes:
    if len(words) == 0:
        return b""
    _, offsets, data = words.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[words.offset : words.offset + len(words) + 1]
    return memoryview(data)[bounds[0] : bounds[-1]] if data is not None else b""
