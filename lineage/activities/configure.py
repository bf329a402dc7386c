"""A label schema as a tool's labelling configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lineage import formats
from lineage.activities import schemas
from lineage.activities.context import Project
from lineage.errors import Refused
from lineage.formats.forms import Gap


@dataclass(frozen=True, slots=True)
class Configured:
    """A configuration as it was made.

    Parameters
    ----------
    schema, format
        Of what, for which tool.
    path
        Where it was written, None where it was not.
    config
        Its text.
    not_expressed
        What of the schema the tool does not ask or hold to; an import checks all of it.
    """

    schema: str
    format: str
    path: Path | None
    config: str
    not_expressed: Sequence[Gap]


def configure(project: Project, ref: str, format_name: str, out: Path | None) -> Configured:
    """Write the labelling configuration that a schema makes of a tool's project.

    Parameters
    ----------
    project
        An open project.
    ref
        ``name@version``.
    format_name
        A name of `formats.CONFIGURATIONS`.
    out
        The file, which must not exist; None to write none.

    Raises
    ------
    BadInput
        ``unknown-format``.
    NotFound
        ``no-schema``.
    Refused
        ``file-exists``.
    """
    made = formats.configuration(format_name)(schemas.get(project, ref).document)
    if out is not None:
        if out.exists():
            raise Refused("file-exists", f"{out} exists", hint="remove it, or name another file")
        aside = out.with_name(f".{out.name}.new")
        try:
            aside.write_text(made.text, "utf-8")
            aside.replace(out)
        finally:
            aside.unlink(missing_ok=True)
    return Configured(ref, format_name, out, made.text, made.gaps)
