"""Drafting a label schema from exports."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from lineage import labelschema, schemainfer
from lineage.errors import BadInput, Refused
from lineage.formats import ReadOptions, reader, sources
from lineage.formats.sources import Piece
from lineage.settings import is_safe_name


def infer(
    root: Path,
    files: Sequence[Path],
    *,
    name: str,
    format: str = "auto",
    out: Path | None = None,
    options: ReadOptions | None = None,
) -> Path:
    """Write a draft of a label schema and return where.

    Parameters
    ----------
    root
        The project's directory.
    files
        Exports: files, folders, archives; each read by its own format under ``auto``.
    name
        The schema's name.
    format
        A name of `formats.READERS`, or ``auto``.
    out
        Where to write; ``schemas/NAME/v0.1.json`` by default.
    options
        What readers are told; see `ingest.read_options`.

    Raises
    ------
    BadInput
        ``schema-name``, ``no-such-file``, ``no-labels``, or a file's own failure.
    Refused
        ``file-exists``.
    """
    if not is_safe_name(name):
        raise BadInput("schema-name", f"{name!r}, expected letters, digits and . _ - only")
    for file in files:
        if not file.exists():
            raise BadInput("no-such-file", f"no file {file}", hint="check the path")
    path = out or labelschema.path_of(root / "schemas", name, "0.1")
    if path.exists():
        raise Refused("file-exists", f"{path} exists", hint="remove it, or name another with --out")
    document = schemainfer.infer(name, _labels(files, format, options or ReadOptions()))
    if not document["classes"]:
        raise BadInput("no-labels", "the exports hold no label to infer a schema from")
    labelschema.from_document(document, where="the inferred draft")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(labelschema.dumps(document), "utf-8")
    return path


def _labels(files: Sequence[Path], format: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    for file in files:
        with tempfile.TemporaryDirectory(prefix="lineage-") as scratch:
            found = sources.find([Piece(file, file.name)], scratch=Path(scratch), format=format)
            with sources.named_as_given(found.unpacked):
                for piece in found.pieces:
                    for chunk in reader(found.format)(piece.path, options):
                        yield chunk.labels
