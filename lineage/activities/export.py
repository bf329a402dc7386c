"""Labels out of the project: as a tool's own file, or a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from lineage import columns, formats
from lineage.activities import position, trace
from lineage.activities import version as versions
from lineage.activities.context import Project
from lineage.activities.trace import Choice
from lineage.errors import BadInput, Refused
from lineage.formats import WriteOptions, WriteReport
from lineage.segments import parquet_writer
from lineage.store import read


def export(
    project: Project,
    out: Path,
    format_name: str,
    *,
    version: str | None = None,
    choice: Choice | None = None,
    names: bool = False,
) -> WriteReport:
    """Write labels as a tool's own file, with their provenance where the format has room.

    Parameters
    ----------
    project
        An open project.
    out
        The file; it must not exist.
    format_name
        A name of `formats.WRITERS`.
    version
        A dataset version; None for the live labels that ``choice`` selects.
    choice
        Further restriction.
    names
        Write people's names in place of pseudonyms.

    Raises
    ------
    Refused
        ``file-exists``.
    BadInput
        ``unknown-format``.
    """
    write = formats.writer(format_name)
    if out.exists():
        raise Refused("file-exists", f"{out} exists", hint="remove it, or name another file")
    asked = choice or Choice()
    labels, assets = _of_version(project, version) if version else _live(project, asked)
    if version:
        labels = _restricted(project, labels, asked)
    if names:
        labels = _with_names(labels, trace.names_of(project))
    aside = out.with_name(f".{out.name}.new")
    try:
        report = write(aside, labels, assets, WriteOptions())
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)
    return report


def write_table(table: pa.Table, out: Path) -> None:
    """Write a table as Parquet or CSV, by the file's ending.

    Raises
    ------
    BadInput
        ``table-format``: another ending.
    """
    if out.suffix == ".parquet":
        with parquet_writer(out, table.schema) as writer:
            writer.write_table(table)
    elif out.suffix == ".csv":
        plain = [
            field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field
            for field in table.schema
        ]
        pa_csv.write_csv(table.cast(pa.schema(plain)), out)
    else:
        raise BadInput("table-format", f"{out.name} ends in neither .parquet nor .csv")


def _of_version(project: Project, name: str) -> tuple[pa.Table, pa.Table]:
    contents = versions.labels_of(project, name)
    return contents.labels, contents.assets


def _live(project: Project, asked: Choice) -> tuple[pa.Table, pa.Table]:
    seq = position.resolve(project, asked.as_of)
    labels = trace.labels(project, trace.selector_of(project, asked), seq)
    facts = trace.asset_facts(project, seq)
    chosen = facts.filter(pc.is_in(facts["name"], labels["asset"].combine_chunks().unique()))
    counted = labels["asset"].value_counts()
    n = dict(
        zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    )
    values = {
        "asset": chosen["name"],
        "asset_digest": chosen["digest"],
        "width": chosen["width"],
        "height": chosen["height"],
        "n_annotations": [n[name] for name in chosen["name"].to_pylist()],
        "split": "",
    }
    assets = columns.batch_of(columns.DATASET_ASSETS, values, chosen.num_rows)
    return labels, pa.Table.from_batches([assets])


def _restricted(project: Project, labels: pa.Table, asked: Choice) -> pa.Table:
    selector = trace.selector_of(project, asked)
    mask = np.ones(labels.num_rows, bool)
    for name, values in {**selector.words(), "stage": selector.stages}.items():
        if values:
            mask &= np.asarray(pc.is_in(labels[name].cast(pa.string()), pa.array(values)))
    if asked.asset:
        with project.store.reading() as connection:
            found = [read.find_assets(connection, name) for name in asked.asset]
        names = pa.array([name for rows in found for _, name in rows], pa.string())
        mask &= np.asarray(pc.is_in(labels["asset"].cast(pa.string()), names))
    moment = labels.schema.field("labelled_at").type
    for bound, holds in ((selector.since, pc.greater_equal), (selector.until, pc.less)):
        if bound is not None:
            is_within = holds(labels["labelled_at"], pa.scalar(bound, moment))
            mask &= np.asarray(is_within.fill_null(False))
    return labels.filter(pa.array(mask))


def _with_names(labels: pa.Table, names: dict[str, str]) -> pa.Table:
    shown = [names.get(word, word) for word in labels["annotator"].to_pylist()]
    words = pa.array(shown, pa.string()).dictionary_encode().cast(columns.WORD)
    return labels.set_column(labels.schema.get_field_index("annotator"), "annotator", words)
