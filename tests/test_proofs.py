"""Proofs hold for what is true and for nothing else: by definition, by published vectors, by tampering."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.identity import EMPTY_ROOT, merkle_root
from lineage.proofs import (
    Inclusion,
    Prover,
    consistency,
    inclusion,
    roots_at,
    verify_consistency,
    verify_inclusion,
)

# entries, roots and two proofs of the reference tree of the Certificate Transparency project
ENTRIES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATH_OF_FIRST = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]
FROM_SIX_TO_EIGHT = [
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]


def leaf(content: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + content).digest()


PUBLISHED = [leaf(bytes.fromhex(entry)) for entry in ENTRIES]
MANY = [leaf(i.to_bytes(2, "big")) for i in range(41)]


# the recursive definitions of RFC 6962, letter by letter; slow, and right
def tree_hash(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    k = largest_power_below(len(leaves))
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:])).digest()


def path_by_definition(m: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*path_by_definition(m, leaves[:k]), tree_hash(leaves[k:])]
    return [*path_by_definition(m - k, leaves[k:]), tree_hash(leaves[:k])]


def subproof_by_definition(m: int, leaves: list[bytes], known: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if known else [tree_hash(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*subproof_by_definition(m, leaves[:k], known), tree_hash(leaves[k:])]
    return [*subproof_by_definition(m - k, leaves[k:], False), tree_hash(leaves[:k])]


def largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def test_the_published_tree_has_the_published_roots_at_every_size() -> None:
    assert [root.hex() for root in roots_at(PUBLISHED)] == ROOTS


def test_the_published_tree_has_the_published_proofs() -> None:
    assert [step.hex() for step in inclusion(PUBLISHED, 0).path] == PATH_OF_FIRST
    assert [step.hex() for step in consistency(PUBLISHED, 6)] == FROM_SIX_TO_EIGHT


@pytest.mark.parametrize("size", range(1, 41))
def test_every_proof_of_every_small_tree_is_the_definition_s_and_verifies(size: int) -> None:
    leaves = MANY[:size]
    root = tree_hash(leaves)
    prover = Prover(range(size))
    prover.extend(leaves)
    assert prover.root() == root == merkle_root(leaves)
    for index in range(size):
        proof = prover.inclusion(index)
        assert list(proof.path) == path_by_definition(index, leaves)
        assert verify_inclusion(leaves[index], proof, root)
        wrong = Inclusion((index + 1) % size, size, proof.path)
        assert size == 1 or not verify_inclusion(leaves[index], wrong, root)
    for first in range(1, size + 1):
        steps = consistency(leaves, first)
        assert list(steps) == subproof_by_definition(first, leaves, True)
        assert verify_consistency(first, size, tree_hash(leaves[:first]), root, steps)


@settings(max_examples=40)
@given(st.integers(1, 700), st.data())
def test_a_tree_that_arrives_in_pieces_gives_the_same_proof(size: int, data: st.DataObject) -> None:
    leaves = [leaf(i.to_bytes(2, "big")) for i in range(size)]
    index = data.draw(st.integers(0, size - 1))
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=5)))
    prover = Prover([index])
    for start, end in zip([0, *cuts], [*cuts, size], strict=True):
        prover.extend(leaves[start:end])
    assert prover.inclusion(index) == inclusion(leaves, index)
    assert verify_inclusion(leaves[index], prover.inclusion(index), merkle_root(leaves))


@given(st.integers(2, 120), st.data())
def test_no_proof_survives_a_change_of_any_of_its_hashes(size: int, data: st.DataObject) -> None:
    leaves = [leaf(i.to_bytes(2, "big")) for i in range(size)]
    root = merkle_root(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion(leaves, index)
    at = data.draw(st.integers(0, len(proof.path) - 1))
    bad = bytearray(proof.path[at])
    bad[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
    path = (*proof.path[:at], bytes(bad), *proof.path[at + 1 :])
    assert not verify_inclusion(leaves[index], Inclusion(index, size, path), root)
    assert not verify_inclusion(leaves[index], Inclusion(index, size, proof.path[:-1]), root)
    assert not verify_inclusion(leaves[index], Inclusion(index, size, (*proof.path, root)), root)
    assert not verify_inclusion(leaf(b"another"), proof, root)


@given(st.integers(2, 120), st.data())
def test_no_log_in_which_an_early_leaf_was_changed_can_be_called_an_appended_one(
    size: int, data: st.DataObject
) -> None:
    leaves = [leaf(i.to_bytes(2, "big")) for i in range(size)]
    first = data.draw(st.integers(1, size - 1))
    changed = [*leaves]
    changed[data.draw(st.integers(0, first - 1))] = leaf(b"changed")
    known, root = merkle_root(leaves[:first]), merkle_root(changed)
    for steps in (consistency(changed, first), consistency(leaves, first), ()):
        assert not verify_consistency(first, size, known, root, steps)


def test_the_edges_of_consistency_are_said() -> None:
    root = tree_hash(MANY)
    assert verify_consistency(0, 41, EMPTY_ROOT, root, ())
    assert not verify_consistency(0, 41, root, root, ())
    assert verify_consistency(41, 41, root, root, ())
    assert not verify_consistency(41, 41, MANY[0], root, ())
    assert not verify_consistency(41, 41, root, root, (root,))
    assert not verify_consistency(42, 41, root, root, ())
    assert not verify_consistency(-1, 41, root, root, ())
    with pytest.raises(IndexError):
        consistency(MANY, 0)
    with pytest.raises(IndexError):
        consistency(MANY, 42)


def test_a_leaf_that_is_not_there_or_was_not_asked_for_has_no_proof() -> None:
    prover = Prover([3, 50])
    prover.extend(MANY)
    for index in (2, 50, -1):
        with pytest.raises(IndexError):
            prover.inclusion(index)
    assert not verify_inclusion(MANY[0], Inclusion(41, 41, ()), tree_hash(MANY))
    assert not verify_inclusion(MANY[0], Inclusion(-1, 41, ()), tree_hash(MANY))
