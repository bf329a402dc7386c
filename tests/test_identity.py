"""Canonical bytes against an independent reading of docs/ledger.md; Merkle roots against RFC 6962."""

from __future__ import annotations

import hashlib
import struct
import unicodedata
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import columns, identity

MOMENT = datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC)


def reference_bytes(row: dict[str, object], schema: pa.Schema, domain: str) -> bytes:
    """Build a row's canonical bytes one field at a time, as docs/ledger.md describes them."""
    head, tail = b"", b""
    for field in schema:
        value = row[field.name]
        if field.nullable:
            head += b"\x00" if value is None else b"\x01"
        if pa.types.is_dictionary(field.type) or pa.types.is_string(field.type):
            text = unicodedata.normalize("NFC", str(value or "")).encode()
            head += struct.pack("<I", len(text))
            tail += text
        elif pa.types.is_boolean(field.type):
            head += struct.pack("<B", bool(value))
        elif pa.types.is_floating(field.type):
            head += struct.pack("<d", float(value or 0.0) + 0.0)  # type: ignore[arg-type]
        elif pa.types.is_integer(field.type):
            head += struct.pack("<q", value or 0)
        elif pa.types.is_timestamp(field.type):
            micros = 0
            if isinstance(value, datetime):
                delta = value - datetime(1970, 1, 1, tzinfo=UTC)
                micros = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
            head += struct.pack("<q", micros)
        else:
            lists = value or []
            assert isinstance(lists, list)
            head += struct.pack("<I", len(lists))
            tail += b"".join(struct.pack("<I", len(numbers)) for numbers in lists)
            tail += b"".join(struct.pack("<d", n + 0.0) for numbers in lists for n in numbers)
    return domain.encode() + b"\x00" + head + tail


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.fixed_dictionaries(
    {
        "revision": st.integers(1, 2**40),
        "annotation": st.integers(1, 2**40),
        "seq": st.integers(1, 2**20),
        "operation": st.sampled_from(["add", "supersede"]),
        "supersedes": st.none() | st.integers(1, 9),
        "identity": st.just("new"),
        "identity_score": st.none() | NUMBERS,
        "asset": st.integers(1, 99),
        "annotator": WORDS,
        "class": WORDS,
        "source_class": st.none() | WORDS,
        "kind": st.just("polygon"),
        **{name: st.none() | NUMBERS for name in columns.BOX},
        "geometry": st.none() | st.lists(st.lists(NUMBERS, max_size=4), max_size=3),
        "attributes": st.just("{}"),
        "stage": st.just("submitted"),
        "schema": st.just("s@1.0"),
        "batch": st.just("b"),
        "origin": st.just("human"),
        "labelled_at": st.none() | st.just(MOMENT),
        "created_by": st.none() | WORDS,
        "updated_by": st.none(),
        "lead_time_s": st.none() | NUMBERS,
        "score": st.none(),
        "source_id": st.none() | WORDS,
        "extra": st.none() | WORDS,
    }
)


@given(st.lists(ROWS, min_size=1, max_size=6), st.integers(0, 3))
def test_canonical_bytes_equal_a_field_by_field_reading(
    rows: list[dict[str, object]], skipped: int
) -> None:
    values = {name: [row[name] for row in rows] for name in columns.REVISIONS.names}
    batch = columns.batch_of(columns.REVISIONS, values)
    expected = [reference_bytes(row, columns.REVISIONS, "lineage:revisions:1") for row in rows]
    assert identity.canonical_rows(batch, "lineage:revisions:1").to_pylist() == expected
    sliced = batch.slice(skipped)
    assert identity.canonical_rows(sliced, "lineage:revisions:1").to_pylist() == expected[skipped:]


def test_two_zeros_are_one_and_text_is_composed() -> None:
    schema = pa.schema([pa.field("x", pa.float64()), pa.field("t", pa.string())])
    plain = pa.record_batch([pa.array([0.0]), pa.array(["\u00e9"])], schema=schema)
    odd = pa.record_batch([pa.array([-0.0]), pa.array(["e\u0301"])], schema=schema)
    assert identity.canonical_rows(plain, "d").equals(identity.canonical_rows(odd, "d"))


# the root hashes of RFC 6962 trees over these leaves, as published with the certificate-transparency test vectors
LEAVES = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize("size", ROOTS)
def test_merkle_roots_are_those_of_the_published_vectors(size: int) -> None:
    leaves = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in LEAVES[:size]]
    assert identity.merkle_root(leaves).hex() == ROOTS[size]


def recursive_root(leaves: list[bytes]) -> bytes:
    if len(leaves) <= 1:
        return leaves[0] if leaves else identity.EMPTY_ROOT
    split = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = recursive_root(leaves[:split]), recursive_root(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@given(st.integers(0, 70), st.lists(st.integers(0, 9), max_size=20))
def test_a_root_does_not_depend_on_how_leaves_arrive(n: int, sizes: list[int]) -> None:
    leaves = [hashlib.sha256(bytes([i])).digest() for i in range(n)]
    tree, rest = identity.MerkleAccumulator(), list(leaves)
    for size in sizes:
        tree.extend(rest[:size])
        del rest[:size]
    tree.extend(rest)
    assert tree.root() == recursive_root(leaves)
    assert tree.size == n


@given(st.integers(0, 9), st.integers(1, 5))
def test_a_table_digest_does_not_depend_on_chunks_or_dictionaries(n: int, step: int) -> None:
    words = [f"w{i % 3}" for i in range(n)]
    schema = pa.schema([pa.field("w", columns.WORD), pa.field("x", pa.float64())])
    whole = columns.batch_of(schema, {"w": words, "x": np.arange(n) / 3}, n)
    pieces = [
        columns.batch_of(schema, {"w": words[i : i + step], "x": np.arange(n)[i : i + step] / 3})
        for i in range(0, n, step)
    ] or [columns.empty(schema)]
    assert identity.table_digest([whole], "d") == identity.table_digest(pieces, "d")


def test_a_table_digest_notices_a_value_a_null_and_an_order() -> None:
    schema = pa.schema([pa.field("x", pa.float64())])
    tables = [[1.0, 2.0], [2.0, 1.0], [1.0, None], [1.0, 0.0], [1.0]]
    digests = {
        identity.table_digest([columns.batch_of(schema, {"x": rows})], "d") for rows in tables
    }
    assert len(digests) == len(tables)


def test_canonical_json_refuses_what_json_cannot_say() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        identity.canonical_json({"x": float("nan")})
    assert identity.canonical_json({"b": 1, "a": "e\u0301"}) == '{"a":"\u00e9","b":1}'.encode()
