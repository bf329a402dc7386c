"""Labels out of the project: as a tool's own file or folder, or a table."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from lineage import columns, formats
from lineage.activities import outgoing, people, trace
from lineage.activities.context import Project
from lineage.activities.trace import Choice
from lineage.errors import BadInput, Refused
from lineage.formats import WriteOptions
from lineage.segments import parquet_writer

ONE_SET = frozenset({"voc", "yolo"})
"""Formats whose files hold one set of labels an image: they cannot keep people apart."""

_WITH_PRELABELS = frozenset({"label-studio"})
_ENDINGS = {"cvat": ".xml"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16


@dataclass(frozen=True, slots=True)
class Exported:
    """What left.

    Parameters
    ----------
    n_labels, n_assets
        Written.
    losses
        What the format has no room for, counted.
    rule
        Whose labels were taken where several people answered for an image; None: nobody's were left.
    notes
        What the reader of the file should know.
    side_files
        Files beside or within what was written that carry what the format cannot.
    """

    n_labels: int
    n_assets: int
    losses: Mapping[str, int]
    rule: str | None
    notes: Mapping[str, str]
    side_files: tuple[str, ...]


def export(
    project: Project,
    out: Path,
    format_name: str,
    *,
    version: str | None = None,
    choice: Choice | None = None,
    rule: str | None = None,
    names: bool = False,
    prelabels: bool = False,
    task: str = "auto",
) -> Exported:
    """Write labels as a tool's own file or folder, with their provenance where the format has room.

    Parameters
    ----------
    project
        An open project.
    out
        What is written: a file, for `formats.TREES` a folder; a zip archive of it where the name
        ends in ``.zip``. It must not exist.
    format_name
        A name of `formats.WRITERS`.
    version
        A dataset version; None for the live labels that ``choice`` selects.
    choice
        Further restriction.
    rule
        Whose labels to take where several people answered for an image: ``consensus``,
        ``annotator:NAME`` or ``final``.
    names
        Write people's names in place of pseudonyms.
    prelabels
        Write suggestions for annotators to begin from.
    task
        What a YOLO set is for, one of `formats.TASKS`.

    Raises
    ------
    Refused
        ``file-exists``; ``several-annotators`` and ``undecided-images``: see `people`.
    BadInput
        ``unknown-format``, ``people-rule``, ``no-prelabels``.
    """
    write = formats.writer(format_name)
    if prelabels and format_name not in _WITH_PRELABELS:
        raise BadInput(
            "no-prelabels",
            f"{format_name} does not tell suggestions from labels",
            hint=f"--prelabels goes with {', '.join(sorted(_WITH_PRELABELS))}",
        )
    _refuse_existing(out)
    asked = choice or Choice()
    if version:
        leaving = outgoing.of_version(project, version, asked)
    else:
        leaving = outgoing.live(project, asked)
    labels, notes = _by_rule(project, leaving, rule, format_name)
    if leaving.is_partial:
        notes["completeness"] = "not told: the choice takes labels out of images"
    if names:
        labels = _with_names(labels, trace.names_of(project))
    schemas = outgoing.schemas_of(project, labels)
    how = WriteOptions(leaving.completeness, prelabels, schemas, task)
    room = out.with_name(f".{out.name}.new")
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir(parents=True)
    try:
        inside = room / (_inner_name(out, format_name) if out.suffix == ".zip" else out.name)
        report = write(inside, labels, leaving.assets, how)
        if out.suffix == ".zip":
            _zip(room / out.name, inside, is_tree=format_name in formats.TREES)
        _move(room, out)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    return Exported(report.n_labels, report.n_assets, report.losses, rule, notes, report.side_files)


def write_table(table: pa.Table, out: Path) -> None:
    """Write a table as Parquet or CSV, by the file's ending.

    Raises
    ------
    BadInput
        See `refuse_table`.
    """
    refuse_table(out)
    if out.suffix == ".parquet":
        with parquet_writer(out, table.schema) as writer:
            writer.write_table(table)
        return
    plain = [
        field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    pa_csv.write_csv(table.cast(pa.schema(plain)), out)


def refuse_table(out: Path) -> None:
    """Refuse a name that `write_table` cannot write to, before what it tells of is done.

    Raises
    ------
    BadInput
        ``table-format``: another ending; ``no-such-file``: no such folder.
    """
    if out.suffix not in (".parquet", ".csv"):
        raise BadInput("table-format", f"{out.name} ends in neither .parquet nor .csv")
    if not out.parent.is_dir():
        raise BadInput("no-such-file", f"no folder {out.parent}", hint="make it first")


def _by_rule(
    project: Project, leaving: outgoing.Outgoing, word: str | None, format_name: str
) -> tuple[pa.Table, dict[str, str]]:
    """Return the labels that leave, and what is to be known of those that several people made."""
    rule = None if word is None else people.rule_of(project, word)
    answers = people.answers_of(leaving.labels, leaving.empty)
    n_several = int(answers.is_several().sum())
    notes = {"several-annotators-on-an-image": str(n_several)} if n_several else {}
    if rule is not None:
        return people.settled(leaving.labels, answers, rule), notes
    if format_name in ONE_SET:
        people.refuse_several(answers, format_name)
    return leaving.labels, notes


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise Refused("file-exists", f"{path} exists", hint="remove it, or name another file")


def _inner_name(out: Path, format_name: str) -> str:
    if format_name in formats.TREES:
        return out.stem
    return out.stem + _ENDINGS.get(format_name, ".json")


def _zip(archive: Path, inside: Path, *, is_tree: bool) -> None:
    """Pack a folder's files, or a file and those beside it: the same bytes for the same files."""
    root = inside if is_tree else inside.parent
    files = sorted(path for path in root.rglob("*") if path.is_file() and path != archive)
    with zipfile.ZipFile(archive, "w") as packed:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, _MODE
            with path.open("rb") as source, packed.open(entry, "w", force_zip64=True) as sink:
                shutil.copyfileobj(source, sink, 1 << 20)


def _move(room: Path, out: Path) -> None:
    """Put what was written in its place, files beside it first; nothing is overwritten."""
    if out.suffix == ".zip":
        beside = []
    else:
        beside = sorted(path for path in room.iterdir() if path.name != out.name)
    targets = [out.with_name(path.name) for path in beside]
    for target in (*targets, out):
        _refuse_existing(target)
    for path, target in zip(beside, targets, strict=True):
        path.rename(target)
    (room / out.name).rename(out)


def _with_names(labels: pa.Table, names: Mapping[str, str]) -> pa.Table:
    words = labels["annotator"].unify_dictionaries().combine_chunks()
    shown = pa.array([names.get(word, word) for word in words.dictionary.to_pylist()], pa.string())
    # two people may go by one name
    named = pa.DictionaryArray.from_arrays(words.indices, shown).cast(pa.string())
    column = named.dictionary_encode().cast(columns.WORD)
    return labels.set_column(labels.schema.get_field_index("annotator"), "annotator", column)
