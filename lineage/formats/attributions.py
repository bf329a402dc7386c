"""The side file ``attributions.csv``: who made each label, for formats that have no room to say it.

A writer puts it beside label files, a row a label: which file and line, a digest of the line's text, and
what the ledger knows of it. Whoever reads the folder again believes a row only where its file
still holds that very text under that class: lines may have been moved, edited or deleted since, and
what no longer fits is *stale*. The digest is the first 16 hex digits of the text's SHA-256.

The rows stand in the order in which folders are walked, so that a reader goes through both side by
side and holds no more than a chunk; a file that somebody has sorted otherwise is held whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from lineage import columns
from lineage.errors import BadInput
from lineage.terms import Kind, Origin

FILE_NAME = "attributions.csv"

TABLE = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),  # path within the folder
        pa.field("line", pa.int64(), nullable=False),  # counted from 1, for the eye
        pa.field("content", pa.string(), nullable=False),  # 16 hex digits
        *[
            columns.DATASET.field(name)
            for name in (
                "annotation", "revision", "annotator", "batch", "schema", "stage", "labelled_at",
                "origin", "class", "kind", "attributes",
            )
        ],
    ]
)  # fmt: skip
"""A row a label."""

_TIME = "%Y-%m-%dT%H:%M:%SZ"
BLOCK_BYTES = 1 << 22
_HEX = np.full(256, 255, np.uint8)
_HEX[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
_SHIFTS = np.arange(60, -1, -4, dtype=np.uint64)
_WORDS: Mapping[str, frozenset[str]] = {
    "origin": frozenset(origin.value for origin in Origin),
    "kind": frozenset(kind.value for kind in Kind),
}


def digests(texts: Iterable[bytes]) -> list[str]:
    """Return what stands under ``content`` for each line's text.

    Examples
    --------
    >>> digests([b"0 0.5 0.5 0.1 0.1"])
    ['0c464a70732f0c3d']
    """
    sha256 = hashlib.sha256
    return [sha256(text).hexdigest()[:16] for text in texts]


@contextmanager
def writing(folder: Path) -> Iterator[Callable[[pa.Table], None]]:
    """Write the side file of a folder: gives the function that appends tables of `TABLE`."""
    plain = [field.with_type(pa.string()) if _is_text(field.type) else field for field in TABLE]
    schema = pa.schema(plain)
    with pa_csv.CSVWriter(str(folder / FILE_NAME), schema) as file:

        def append(rows: pa.Table) -> None:
            at = TABLE.get_field_index("labelled_at")
            times = pc.strftime(rows["labelled_at"], format=_TIME)
            file.write_table(rows.set_column(at, "labelled_at", times).cast(schema))

        yield append


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind) or pa.types.is_timestamp(kind))


class Attributions:
    """A side file while the folder that it stands in is read.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    BadInput
        ``wrong-shape``: it is no such file.

    Notes
    -----
    ``n_stale`` counts rows of files that were asked about and no longer fit, ``n_elsewhere`` those of
    files that were not.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: pa.Table | None = None
        self._batches = self._read() if self._is_in_order() else self._sorted()
        self.n_stale = 0
        self.n_elsewhere = 0

    def of(
        self, files: Sequence[str], file: np.ndarray, *, texts: Iterable[bytes], classes: pa.Array
    ) -> pa.Table:
        """Return the rows of labels, null where there is none or what there is is stale.

        Parameters
        ----------
        files
            Paths, in walking order and behind those of earlier calls.
        file
            ndarray of int64, shape (n,): which of the files each label stands in.
        texts
            The text of each of the n lines.
        classes
            Strings of n: what each is a label of.
        """
        rows = self._up_to(max(map(_order, files))) if files else _empty()
        owner = np.asarray(
            pc.index_in(
                rows["file"].combine_chunks(), value_set=pa.array(files, pa.string())
            ).fill_null(-1)
        ).astype(np.int64)
        n_here = int((owner >= 0).sum())
        content, is_valid = _contents(rows)
        owner[~is_valid] = -1
        asked = _values(np.array(digests(texts), "S16"))
        found = _paired(np.asarray(file, np.int64), asked, owner, content)
        taken = rows.take(pa.array(found, mask=found < 0))
        is_same = np.asarray(
            pc.equal(taken["class"].cast(pa.string()).combine_chunks(), classes).fill_null(False)
        )
        self.n_stale += n_here - int(is_same.sum())
        self.n_elsewhere += rows.num_rows - n_here
        found[~is_same] = -1
        return rows.take(pa.array(found, mask=found < 0))

    def finish(self) -> None:
        """Count the rows of files that never came."""
        self.n_elsewhere += self._up_to(None).num_rows

    def _up_to(self, last: str | None) -> pa.Table:
        pieces = [_empty()]
        while (waiting := self._waiting or next(self._batches, None)) is not None:
            n = waiting.num_rows
            if last is not None:
                keys = pc.replace_substring(waiting["file"], "/", "\0")
                n = pc.sum(pc.less_equal(keys, last)).as_py() or 0
            pieces.append(waiting.slice(0, n))
            self._waiting = waiting.slice(n) if n < waiting.num_rows else None
            if self._waiting is not None:
                break
        return pa.concat_tables(pieces).unify_dictionaries()

    def _is_in_order(self) -> bool:
        before = ""
        for table in self._read(("file",)):
            keys = pc.replace_substring(table["file"].combine_chunks(), "/", "\0")
            if len(keys) and (
                keys[0].as_py() < before or pc.any(pc.less(keys[1:], keys[:-1])).as_py()
            ):
                return False
            before = keys[-1].as_py() if len(keys) else before
        return True

    def _sorted(self) -> Iterator[pa.Table]:
        table = pa.concat_tables([_empty(), *self._read()]).combine_chunks()
        keys = pc.replace_substring(table["file"], "/", "\0")
        yield table.take(pc.sort_indices(pa.table({"key": keys}), [("key", "ascending")]))

    def _read(self, names: Sequence[str] = tuple(TABLE.names)) -> Iterator[pa.Table]:
        convert = pa_csv.ConvertOptions(
            column_types=TABLE,
            include_columns=list(names),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        try:
            with pa_csv.open_csv(
                self._path,
                read_options=pa_csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
                parse_options=pa_csv.ParseOptions(newlines_in_values=True),
                convert_options=convert,
            ) as file:
                for batch in file:
                    if batch["file"].null_count:
                        raise pa.ArrowInvalid("a row names no file")
                    yield pa.Table.from_batches([batch])
        except (pa.ArrowInvalid, pa.ArrowKeyError) as exc:
            raise BadInput(
                "wrong-shape",
                f"the side file cannot be read: {exc}",
                hint="restore it as lineage wrote it, or remove it: labels then come without people",
                where=str(self._path),
            ) from exc


def _order(path: str) -> str:
    return path.replace("/", "\0")


def _empty() -> pa.Table:
    return pa.schema([field.with_nullable(True) for field in TABLE]).empty_table()


def _contents(rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the digests as numbers, and which rows hold nothing but what they may."""
    texts = rows["content"].fill_null("")
    is_valid = np.asarray(pc.match_substring_regex(texts, "^[0-9a-f]{16}$"))
    content = _values(np.array(pc.if_else(pa.array(is_valid), texts, "0" * 16).to_pylist(), "S16"))
    is_valid &= np.asarray(pc.greater(rows["annotation"].fill_null(0), 0))
    for name, known in _WORDS.items():
        is_valid &= np.asarray(pc.is_in(rows[name].cast(pa.string()), pa.array(sorted(known))))
    words = rows["attributes"].cast(pa.string()).combine_chunks().dictionary_encode()
    is_object = np.array([*map(_is_object, words.dictionary.to_pylist()), False], bool)
    is_valid &= is_object[np.asarray(words.indices.fill_null(len(is_object) - 1))]
    return content, is_valid


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text, parse_constant=_refuse), dict)
    except (ValueError, RecursionError):
        return False


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _values(hexadecimal: np.ndarray) -> np.ndarray:
    digits = _HEX[hexadecimal.view(np.uint8).reshape(len(hexadecimal), 16)].astype(np.uint64)
    return np.asarray((digits << _SHIFTS).sum(axis=1, dtype=np.uint64))


def _paired(
    file: np.ndarray, content: np.ndarray, owner: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """Return, per label, the row of its file and text, the first of both together, -1 for none."""
    found = np.full(len(file), -1, np.int64)
    sides = [(file, content), (owner, known)]
    which = np.concatenate([np.full(len(files), at) for at, (files, _) in enumerate(sides)])
    files, contents = (np.concatenate(part) for part in zip(*sides, strict=True))
    place = np.concatenate([np.arange(len(files)) for files, _ in sides])
    # rank among equals of one's own side: the second of two equal lines takes the second row
    order = np.lexsort((place, which, contents, files))
    is_first = np.ones(len(order), bool)
    for part in (files, contents, which):
        is_first[1:] &= part[order][1:] == part[order][:-1]
    is_first = np.concatenate([[True], ~is_first[1:]]) if len(order) else is_first
    start = np.flatnonzero(is_first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(start, np.diff([*start, len(order)]))
    order = np.lexsort((which, rank, contents, files))
    left, right = order[:-1], order[1:]
    is_pair = (which[left] == 0) & (which[right] == 1) & (files[left] >= 0)
    for part in (files, contents, rank):
        is_pair &= part[left] == part[right]
    found[place[left[is_pair]]] = place[right[is_pair]]
    return found
