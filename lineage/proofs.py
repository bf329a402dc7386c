"""Proofs over the trees of `identity`: that a leaf is in a tree, and that a log was only appended to.

Both kinds are a handful of hashes with which anybody can compute a root that
they know already. What is proven is made here, in one pass and logarithmic
memory where a tree has millions of leaves, and verified here.

References
----------
RFC 6962, "Certificate Transparency", sections 2.1.1 and 2.1.2 (the proofs).
RFC 9162, "Certificate Transparency Version 2.0", sections 2.1.3.2 and 2.1.4.2 (verifying them).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from lineage.identity import EMPTY_ROOT, Digest, MerkleAccumulator, merkle_root

_NODE = b"\x01"


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a leaf is in a tree.

    Parameters
    ----------
    index
        Place of the leaf, from 0.
    size
        Leaves of the tree.
    path
        The hashes beside the way from the leaf up to the root.
    """

    index: int
    size: int
    path: tuple[Digest, ...]


class Prover(MerkleAccumulator):
    """Finds the paths of chosen leaves while all leaves pass by once, in logarithmic memory.

    Parameters
    ----------
    indices
        Places of the leaves to prove, from 0.

    Examples
    --------
    >>> leaves = [hashlib.sha256(bytes([0, i])).digest() for i in range(7)]
    >>> prover = Prover([2])
    >>> prover.extend(leaves[:4])
    >>> prover.extend(leaves[4:])
    >>> proof = prover.inclusion(2)
    >>> [proof.index, proof.size, len(proof.path)]
    [2, 7, 3]
    >>> verify_inclusion(leaves[2], proof, prover.root())
    True
    """

    def __init__(self, indices: Collection[int]) -> None:
        super().__init__()
        self._indices = frozenset(indices)
        self._beside: dict[tuple[int, int], Digest] = {}

    def _passing(self, level: int, first: int, nodes: Sequence[Digest]) -> None:
        for index in self._indices:
            at = (index >> level) ^ 1
            if first <= at < first + len(nodes):
                self._beside[level, at] = nodes[at - first]

    def inclusion(self, index: int) -> Inclusion:
        """Return the proof of one of the chosen leaves in the tree over the leaves so far.

        Raises
        ------
        IndexError
            There is no such leaf, or it was not chosen.
        """
        if index not in self._indices or not 0 <= index < self.size:
            raise IndexError(f"no leaf {index} among the chosen ones of {self.size}")
        peaks = self._peaks()
        here = next(i for i, (first, n, _) in enumerate(peaks) if first <= index < first + n)
        height = peaks[here][1].bit_length() - 1
        path = [self._beside[level, (index >> level) ^ 1] for level in range(height)]
        if right := [node for _, _, node in peaks[here + 1 :]]:
            path.append(_bagged(right))
        path.extend(node for _, _, node in reversed(peaks[:here]))
        return Inclusion(index, self.size, tuple(path))

    def _peaks(self) -> list[tuple[int, int, Digest]]:
        """Return the full subtrees that make up the tree: first leaf, leaves, root; largest first."""
        found, first = [], 0
        for level in reversed(range(len(self._levels))):
            for node in self._levels[level]:
                found.append((first, 1 << level, node))
                first += 1 << level
        return found


def inclusion(leaves: Sequence[Digest], index: int) -> Inclusion:
    """Return the proof that the leaf at ``index`` is in the tree over ``leaves``.

    Raises
    ------
    IndexError
        There is no such leaf.
    """
    prover = Prover([index])
    prover.extend(leaves)
    return prover.inclusion(index)


def consistency(leaves: Sequence[Digest], first: int) -> tuple[Digest, ...]:
    """Return the proof that the tree over ``leaves`` only appended to the one over its first leaves.

    Parameters
    ----------
    leaves
        Leaf hashes of the later tree.
    first
        Leaves of the earlier one, at least 1.

    Raises
    ------
    IndexError
        ``first`` is none of 1 to the number of leaves.
    """
    if not 1 <= first <= len(leaves):
        raise IndexError(f"no earlier tree of {first} leaves in one of {len(leaves)}")
    path: list[Digest] = []
    low, high, is_whole = 0, len(leaves), True
    # from the root down to the last leaf that both have: what stands beside the way, deepest first
    while first != high:
        middle = low + _split(high - low)
        if first <= middle:
            path.append(merkle_root(leaves[middle:high]))
            high = middle
        else:
            path.append(merkle_root(leaves[low:middle]))
            low, is_whole = middle, False
    # the earlier tree's own root is known to whoever asks, unless it is only a part of that tree
    return (*(() if is_whole else (merkle_root(leaves[low:high]),)), *reversed(path))


def verify_inclusion(leaf: Digest, proof: Inclusion, root: Digest) -> bool:
    """Tell whether a proof shows that ``leaf`` is in the tree with this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= proof.index < proof.size:
        return False
    at, last, node = proof.index, proof.size - 1, leaf
    for beside in proof.path:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = _node(beside, node)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = _node(node, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


def verify_consistency(
    first: int, second: int, first_root: Digest, second_root: Digest, path: Sequence[Digest]
) -> bool:
    """Tell whether a proof shows that a tree only appended to an earlier one (RFC 9162, 2.1.4.2).

    Parameters
    ----------
    first, second
        Leaves of the earlier and of the later tree.
    first_root, second_root
        Their roots.
    path
        What `consistency` returned.

    Notes
    -----
    The section asks for 0 < first < second. Equal trees need equal roots and no proof; the empty
    tree is the beginning of every other.
    """
    if not 0 <= first <= second:
        return False
    if first in (0, second):
        at_start = first == 0 and first_root == EMPTY_ROOT
        return not path and (at_start or (first == second and first_root == second_root))
    if not path:
        return False
    steps = list(path)
    if first & (first - 1) == 0:
        steps.insert(0, first_root)
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    earlier = later = steps[0]
    for beside in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            earlier, later = _node(beside, earlier), _node(beside, later)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            later = _node(later, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and earlier == first_root and later == second_root


def roots_at(leaves: Iterable[Digest]) -> list[Digest]:
    """Return the root of a tree at every size that it ever had, from 0 on.

    Examples
    --------
    >>> [root.hex()[:8] for root in roots_at([hashlib.sha256(bytes([0])).digest()])]
    ['e3b0c442', '6e340b9c']
    """
    tree = MerkleAccumulator()
    roots = [tree.root()]
    for leaf in leaves:
        tree.extend([leaf])
        roots.append(tree.root())
    return roots


def _node(left: Digest, right: Digest) -> Digest:
    return hashlib.sha256(_NODE + left + right).digest()


def _bagged(peaks: Sequence[Digest]) -> Digest:
    """Return the root of subtrees that stand side by side, largest first."""
    root = peaks[-1]
    for node in reversed(peaks[:-1]):
        root = _node(node, root)
    return root


def _split(n: int) -> int:
    """Return the largest power of two below ``n``."""
    return 1 << (n - 1).bit_length() - 1
