"""The second file of a table: who was asked to label what, one pair a row."""

from __future__ import annotations

from pathlib import Path

from lineage.errors import BadInput
from lineage.formats.table.check import near
from lineage.formats.table.images import name_of
from lineage.formats.table.mapping import TableMapping
from lineage.formats.table.source import open_source


def listed(table: Path, mapping: TableMapping) -> tuple[list[tuple[str | None, str | None]], int]:
    """Return the pairs of image and annotator of a table's roster file, and how many rows name no image.

    Parameters
    ----------
    table
        The labels; the roster's path is taken from its folder.
    mapping
        Its mapping: the roster has its columns for asset and annotator, or ``asset`` and
        ``annotator``.

    Raises
    ------
    BadInput
        ``no-such-file``, ``no-such-column``, or what `source.open_source` raises.
    """
    path = table.parent / mapping.roster
    if not path.is_file():
        raise BadInput(
            "no-such-file",
            f"no roster {path}",
            hint="roster: in the mapping is a path from the table's folder",
            where=str(table),
        )
    source = open_source(path, mapping)
    named: dict[str, str] = {}
    for field in ("asset", "annotator"):
        words = [*mapping.columns.get(field, ()), field]
        found = next((word for word in words if word in source.columns), None)
        if found is not None:
            named[field] = found
        elif field == "asset" or field not in mapping.constants:
            raise BadInput(
                "no-such-column",
                f"the roster needs {words[0]!r}, {near(words[0], source.columns)}",
                hint="it has the table's columns for asset and annotator, or asset and annotator",
                where=str(path),
            )
    constant = mapping.constants.get("annotator")
    default = None if constant is None else str(constant)
    pairs: list[tuple[str | None, str | None]] = []
    for block in source.blocks(list(named.values()), ()):
        images = block.cells[named["asset"]].to_pylist()
        who = named.get("annotator")
        people = [None] * len(images) if who is None else block.cells[who].to_pylist()
        pairs += [
            (None if image is None else name_of(image, mapping.asset_pattern), person or default)
            for image, person in zip(images, people, strict=True)
        ]
    return [pair for pair in pairs if pair[0] is not None], sum(p[0] is None for p in pairs)
