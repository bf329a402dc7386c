"""Which image is it? Names, as exports write them, become the ledger's keys.

A name on record is that image. Beyond that one licence is given, because tools
drop them: a name that differs from exactly one other only by having, or not having,
the ending of an image file is that image too. Of ``a``, ``a.jpg`` and ``a.png`` each is
an image of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities.record import Recording
from lineage.activities.spool import AssetTable
from lineage.segments import Ledger
from lineage.store import read

_ENDING = r"(?i)\.(?:jpe?g|png|bmp|tiff?|webp|gif)$"
_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Found:
    """The images of an import.

    Parameters
    ----------
    keys
        ndarray of int64: the ledger's key of every image by number; two names may have one key.
    names
        The name that stands on record for each, or will.
    n_new
        How many were not on record.
    """

    keys: np.ndarray
    names: Sequence[str]
    n_new: int

    @property
    def n_assets(self) -> int:
        """How many images there are."""
        return len(np.unique(self.keys))


def find(assets: AssetTable, ledger: Ledger, head: read.Head, connection: read.Connection) -> Found:
    """Return the key of every image, new ones numbered on from the newest on record.

    Parameters
    ----------
    assets
        The images of an import.
    ledger, head, connection
        The record.
    """
    given = list(assets.names)
    known = read.asset_keys(connection, given)
    names = given
    if len(known) < len(given):
        others = same_images(given, known, _on_record(ledger, head.size))
        known |= read.asset_keys(
            connection, [name for name in others.values() if name not in known]
        )
        others = _without_contradicted(others, assets, known, connection)
        names = [others.get(name, name) for name in given]
    fresh = dict.fromkeys(name for name in names if name not in known)
    known |= {name: head.asset + 1 + i for i, name in enumerate(fresh)}
    return Found(np.array([known[name] for name in names], np.int64), names, len(fresh))


def same_images(
    given: Sequence[str], known: Mapping[str, int], recorded: pa.Array
) -> dict[str, str]:
    """Return, per name that is not on record, the one that differs by an image's ending alone.

    Parameters
    ----------
    given
        Names of an import.
    known
        Those of them that are on record.
    recorded
        Arrow string array: every name on record.

    Notes
    -----
    Of two names that are both new, the one with the ending stands. Whole columns: two million
    names take seconds.
    """
    fresh = pa.array([name for name in given if name not in known], pa.string())
    every = pa.concat_arrays([recorded, fresh])
    has_ending = np.asarray(pc.match_substring_regex(every, _ENDING))
    is_fresh = np.arange(len(every)) >= len(recorded)
    if has_ending.all() or not (has_ending.any() and is_fresh.any()):
        return {}
    stems = pc.replace_substring_regex(every, _ENDING, "").dictionary_encode()
    code = np.asarray(stems.indices)
    n_with, n_without = (
        np.bincount(code[mask], minlength=len(stems.dictionary))
        for mask in (has_ending, ~has_ending)
    )
    is_pair = (n_with == 1) & (n_without == 1)
    rows = np.flatnonzero(is_pair[code])
    rows = rows[np.lexsort((has_ending[rows], code[rows]))]
    bare, whole = rows[0::2], rows[1::2]
    # the new one goes by the other's name; of two new ones the bare one does
    alias = np.where(is_fresh[bare], bare, whole)
    other = np.where(is_fresh[bare], whole, bare)
    keep = is_fresh[alias]
    names = (every.take(pa.array(side[keep])).to_pylist() for side in (alias, other))
    return dict(zip(*names, strict=True))


def append(activity: Recording, found: Found, assets: AssetTable) -> None:
    """Append the images that are new, and facts of known ones that are."""
    newest = activity.head.asset
    facts = read.asset_facts(activity.connection, found.keys[found.keys <= newest].tolist())
    rows: list[tuple[object, ...]] = []
    for index, (name, key) in enumerate(zip(found.names, found.keys.tolist(), strict=True)):
        uri, digest, n_bytes = assets.facts[index]
        seen = (uri, *assets.size(index), digest, n_bytes)
        # new keys ascend as they come; a second name of one only adds facts
        is_new = key > newest
        newest = max(newest, key)
        if is_new or _teaches(seen, facts.get(key, {})):
            rows.append((key, activity.seq, is_new, name, *seen))
    for start in range(0, len(rows), _ROWS):
        values = zip(*rows[start : start + _ROWS], strict=True)
        named = dict(zip(columns.SEGMENT_ASSETS.names, map(list, values), strict=True))
        activity.append("assets", columns.batch_of(columns.SEGMENT_ASSETS, named))


_FACTS = ("uri", "width", "height", "digest", "n_bytes")


def _teaches(seen: tuple[object, ...], have: Mapping[str, object]) -> bool:
    # an address may change with every export; only what was unknown is news
    pairs = zip(_FACTS, seen, strict=True)
    return any(value is not None and have.get(name) is None for name, value in pairs)


def _on_record(ledger: Ledger, up_to: int) -> pa.Array:
    table = ledger.read("assets", ("name", "is_new"), up_to=up_to)
    return table.filter(table["is_new"])["name"].combine_chunks()


def _without_contradicted(
    others: Mapping[str, str],
    assets: AssetTable,
    known: Mapping[str, int],
    connection: read.Connection,
) -> dict[str, str]:
    """Drop pairs whose images have two sizes: they are two images."""
    facts = read.asset_facts(connection, [known[name] for name in others.values() if name in known])

    def size(name: str) -> tuple[object, object]:
        if name in assets.names and None not in (told := assets.size(assets.names[name])):
            return told
        have = facts.get(known.get(name, 0), {})
        return have.get("width"), have.get("height")

    def agree(one: tuple[object, object], other: tuple[object, object]) -> bool:
        return None in one or None in other or one == other

    return {name: other for name, other in others.items() if agree(size(name), size(other))}
