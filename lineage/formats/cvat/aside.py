"""The completeness file that `write` puts beside the XML, which has no place for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from lineage.errors import BadInput
from lineage.formats.side_files import completeness_path
from lineage.terms import Completeness

_STATES = {state.value: state for state in Completeness}
_NAMES = ("asset", "class", "state", "reason")
_BLOCK_BYTES = 1 << 20

Said = tuple[str, str | None, Completeness, str | None]


def said_beside(path: Path) -> Iterator[Said]:
    """Yield image, class, state and reason of every row of the file beside ``path``, if there is one.

    Raises
    ------
    BadInput
        ``wrong-shape``: it is no such file.
    """
    beside = completeness_path(path)
    if not beside.is_file() or beside.is_symlink():
        return
    convert = pa_csv.ConvertOptions(
        column_types={name: pa.string() for name in _NAMES},
        include_columns=_NAMES,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    read = pa_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
    parse = pa_csv.ParseOptions(newlines_in_values=True)
    try:
        with pa_csv.open_csv(
            beside, read_options=read, parse_options=parse, convert_options=convert
        ) as file:
            for batch in file:
                for asset, class_, state, reason in zip(
                    *(batch[name].to_pylist() for name in _NAMES), strict=True
                ):
                    if asset is not None and state in _STATES:
                        yield asset, class_, _STATES[state], reason
    except (pa.ArrowInvalid, pa.ArrowKeyError) as exc:
        raise BadInput(
            "wrong-shape",
            f"the side file cannot be read: {exc}",
            hint="restore it as lineage wrote it, or remove it",
            where=str(beside),
        ) from exc
