"""Selectors and ways of reading, the same words wherever labels are chosen or exports are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lineage.activities.trace import Choice

Batches = Annotated[list[str] | None, typer.Option("--batch", help="Of these batches.")]
Annotators = Annotated[list[str] | None, typer.Option("--annotator", help="By these annotators.")]
Classes = Annotated[list[str] | None, typer.Option("--class", help="Of these classes.")]
Stages = Annotated[list[str] | None, typer.Option("--stage", help="In these stages.")]
Schemas = Annotated[list[str] | None, typer.Option("--schema", help="Under these versions.")]
Assets = Annotated[list[str] | None, typer.Option("--asset", help="On these images.")]
Since = Annotated[str | None, typer.Option(help="Labelled at or after this time.")]
Until = Annotated[str | None, typer.Option(help="Labelled before this time.")]
AsOf = Annotated[
    str | None,
    typer.Option(help="As of a place in the log, a time, a version, git:REVISION or commit:SHA."),
]

Formats = Annotated[
    str,
    typer.Option(
        "--format",
        help="auto, or one of label-studio, cvat, cvat-rest, coco, voc, yolo, labelbox, table.",
    ),
]
MapFile = Annotated[
    Path | None,
    typer.Option("--map", metavar="FILE", help="YAML: which columns of a table are what."),
]
PixelBase = Annotated[
    int, typer.Option(min=0, max=1, help="Number of the first pixel, where files do not say (VOC).")
]
Task = Annotated[str, typer.Option(help="auto, detect, segment, pose or obb: what YOLO rows mean.")]

Whole = Annotated[bool, typer.Option("--whole", help="What is not in the files is retracted.")]
Strict = Annotated[bool, typer.Option("--strict", help="One violation refuses everything.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Report, write nothing.")]
FromGit = Annotated[
    bool, typer.Option("--from-git", help="Every commit of PATH, by its author, at its time.")
]
Labeller = Annotated[str | None, typer.Option(help="Who labelled, if the file names nobody.")]
LabellerOf = Annotated[
    list[str] | None, typer.Option(metavar="FILE=NAME", help="Who labelled this file.")
]
MapDraft = Annotated[
    bool, typer.Option("--map-draft", help="Only print a first --map of a table's columns.")
]


def choice(
    batch: list[str] | None,
    annotator: list[str] | None,
    class_: list[str] | None,
    stage: list[str] | None,
    schema: list[str] | None,
    asset: list[str] | None,
    since: str | None,
    until: str | None,
    as_of: str | None,
) -> Choice:
    """Return the selection that the options make."""
    from lineage.activities.trace import Choice

    return Choice(
        batch=tuple(batch or ()),
        annotator=tuple(annotator or ()),
        class_=tuple(class_ or ()),
        stage=tuple(stage or ()),
        schema=tuple(schema or ()),
        asset=tuple(asset or ()),
        since=since,
        until=until,
        as_of=as_of,
    )
