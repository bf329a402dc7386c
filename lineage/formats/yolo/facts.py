"""What a label is besides its shape: from our side file where it fits, else next to nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.terms import Origin


def told(
    rows: pa.Table | None,
    has_score: np.ndarray,
    *,
    score: np.ndarray,
    fallback: str | None,
    bbox: Mapping[int, list[float]],
) -> dict[str, object]:
    """Return the columns that are not geometry.

    Parameters
    ----------
    rows
        Per label a row of `attributions.TABLE`, null where nothing is known; None without a side file.
    has_score, score
        ndarrays of bool and of float64, shape (n,): a label with a confidence is a model's.
    fallback
        The handle for labels that name nobody.
    bbox
        By position: see `shapes.Shapes`.
    """
    origin = np.where(has_score, Origin.MODEL.value, Origin.HUMAN.value)
    found: dict[str, object] = {
        "annotator": fallback,
        "attributes": "{}",
        "origin": _words(origin),
        "score": pa.array(score, mask=~has_score),
        "extra": _extras(None, len(has_score), bbox),
    }
    if rows is None or rows["annotation"].null_count == rows.num_rows:
        return found
    plain = {name: _plain(rows[name]) for name in ("annotator", "attributes", "origin")}
    return found | {
        "annotator": pc.coalesce(plain["annotator"], pa.scalar(fallback, pa.string())),
        "attributes": pc.coalesce(_canonical(plain["attributes"]), pa.scalar("{}")),
        "origin": pc.coalesce(plain["origin"], pa.array(origin.tolist(), pa.string())),
        "labelled_at": rows["labelled_at"],
        "annotation": rows["annotation"],
        "extra": _extras(rows, len(has_score), bbox),
    }


def kinds(rows: pa.Table) -> np.ndarray:
    """Return the kind that the side file gives each label, None where it gives none."""
    found: np.ndarray = np.asarray(_plain(rows["kind"]).to_pylist(), object)
    return found


def _plain(column: pa.ChunkedArray) -> pa.StringArray:
    return column.cast(pa.string()).combine_chunks()


def _words(values: np.ndarray) -> pa.Array:
    return pa.array(values.tolist(), pa.string())


def _canonical(documents: pa.StringArray) -> pa.StringArray:
    words = documents.dictionary_encode()
    texts = [_dumps(json.loads(text)) for text in words.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(words.indices, pa.array(texts, pa.string())).cast(
        pa.string()
    )


def _dumps(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _extras(rows: pa.Table | None, n: int, bbox: Mapping[int, list[float]]) -> pa.Array:
    """Return the ledger's further words on each label, and a box that its points leave, as JSON."""
    texts = pa.nulls(n, pa.string()) if rows is None else _provenance(rows)
    if not bbox:
        return texts
    found: Sequence[str | None] = texts.to_pylist()
    merged = [
        _dumps({**json.loads(text or "{}"), "bbox": bbox[at]}) if at in bbox else text
        for at, text in enumerate(found)
    ]
    return pa.array(merged, pa.string())


def _provenance(rows: pa.Table) -> pa.Array:
    head, tail = (_quoted(rows[name]) for name in ("batch", "stage"))
    revision = rows["revision"].combine_chunks().cast(pa.string())
    return pc.binary_join_element_wise(
        '{"lineage":{"batch":', head, ',"revision":', revision, ',"schema":',
        _quoted(rows["schema"]), ',"stage":', tail, "}}", "",
    )  # fmt: skip


def _quoted(column: pa.ChunkedArray) -> pa.Array:
    words = _plain(column).dictionary_encode()
    texts = [_dumps(text) for text in words.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(words.indices, pa.array(texts, pa.string())).cast(
        pa.string()
    )
