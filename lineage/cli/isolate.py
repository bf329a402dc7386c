"""``isolate``: the new model is worse, which labels are to blame; and what to do to be sure."""

from __future__ import annotations

import csv
import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from lineage.cli import isolate_screen, report
from lineage.cli.session import session_of

if TYPE_CHECKING:
    from lineage.activities.isolate_check import CheckFile
    from lineage.activities.isolate_files import Sources
    from lineage.activities.isolate_report import IsolateReport

Row = Mapping[str, object]
_COLUMNS = (
    "rank",
    "slice",
    "n_changed",
    "gain",
    "effect",
    "effect_lo",
    "share_explained",
    "step",
    "is_evidence",
    "aliases",
    "predicate",
    "check",
    "controls",
)


Errors = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="Outcomes: annotation, disagrees; or annotation or asset, class, with good, bad. "
        "Or the good run's predictions. May be repeated.",
    ),
]
PredictionsGood = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What the good run's model found.")
]
PredictionsBad = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What the bad run's model found.")
]
Truth = Annotated[
    Path | None, typer.Option(metavar="FILE", help="COCO file that ids of predictions refer to.")
]
ModelClasses = Annotated[
    str | None,
    typer.Option(metavar="NAME,...", help="What class numbers of predictions stand for."),
]
FirstClass = Annotated[
    int | None, typer.Option(min=0, max=1, help="Number of the first class: 0 or 1.")
]
Mode = Annotated[str, typer.Option(help="auto, new_labels, linked or gold.")]
Unit = Annotated[str, typer.Option(help="auto, label, or image: an image and class.")]
Score = Annotated[float | None, typer.Option(help="Score from which on a detection counts.")]
EvalOld = Annotated[
    str | None, typer.Option(metavar="VERSION", help="Of the evaluation set, then.")
]
EvalNew = Annotated[
    str | None, typer.Option(metavar="VERSION", help="Of the evaluation set, now: did it move?")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("isolate")(isolate)


def isolate(
    ctx: typer.Context,
    bad: Annotated[str, typer.Option(help="The pinned run that is worse.")],
    good: Annotated[str, typer.Option(help="The pinned run that was better.")],
    errors: Errors = None,
    predictions_good: PredictionsGood = None,
    predictions_bad: PredictionsBad = None,
    truth: Truth = None,
    model_classes: ModelClasses = None,
    first_class: FirstClass = None,
    mode: Mode = "auto",
    unit: Unit = "auto",
    threshold: Score = None,
    eval_old: EvalOld = None,
    eval_new: EvalNew = None,
    top: Annotated[int, typer.Option(min=1, help="Suspects to tell of.")] = 10,
    check: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write which labels to look at again, blind: CSV."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the suspects as CSV.")
    ] = None,
    with_names: Annotated[
        bool, typer.Option("--names", help="People by name in --out, not by pseudonym.")
    ] = False,
) -> None:
    """Say which of the labels that changed between two runs explain why one is worse."""
    from lineage.activities import isolate_check
    from lineage.activities.isolate import isolate as isolated
    from lineage.activities.isolate_files import Sources

    session = session_of(ctx)
    project = session.open()
    sources = Sources(
        errors=tuple(errors or ()),
        predictions_good=predictions_good,
        predictions_bad=predictions_bad,
        truth=truth,
        model_classes=tuple(model_classes.split(",")) if model_classes else (),
        first_class=first_class,
        mode=mode,
        unit=unit,
        threshold=threshold,
        eval_old=eval_old,
        eval_new=eval_new,
    )
    found = isolated(project, bad=bad, good=good, sources=sources, n_top=top)
    written = None if check is None else isolate_check.write(project, check, found)
    names = session.names(project)
    if out is not None:
        _write(out, _rows(found, names if with_names else {}))
    told = _document(found, written, out, names)
    if session.as_json:
        report.print_json(told)
        return
    isolate_screen.tell(found, told, names)
    isolate_screen.tell_next(told, _again(found, sources))


def _document(
    found: IsolateReport, written: CheckFile | None, out: Path | None, names: Mapping[str, str]
) -> dict[str, object]:
    from lineage.activities import handles

    return {
        **{
            f.name: getattr(found, f.name) for f in dataclasses.fields(found) if f.name != "changes"
        },
        "suspects": _rows(found, names),
        "notes": [handles.named_in(note, names) for note in found.notes],
        "check_file": None if written is None else report.fields(written),
        "path": out,
    }


def _rows(found: IsolateReport, names: Mapping[str, str]) -> list[dict[str, object]]:
    """Return suspects in JSON's terms, people by the names to show."""
    from lineage.activities import predicates

    rows = []
    for one in found.suspects:
        told = report.fields(one)
        del told["members"]
        for key in ("slice", "aliases"):
            told[key] = report.named(told[key], names)
        told["predicate"] = predicates.shown_as(one.predicate, names)
        rows.append(told)
    return rows


def _again(found: IsolateReport, sources: Sources) -> str:
    """Return the command that was given, as far as it tells what is asked."""
    from lineage.activities.isolate_files import options_of

    runs = shlex.join(["lineage", "isolate", "--bad", found.bad, "--good", found.good])
    return runs + options_of(dataclasses.replace(sources, eval_old=None, eval_new=None))


def _write(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            slice_, aliases = cast(Row, row["slice"]), cast(Sequence[Row], row["aliases"])
            numbers = {
                name: " ".join(str(one) for one in cast(Sequence[int], row[name]))
                for name in ("check", "controls")
            }
            told = {
                "slice": isolate_screen.words(slice_),
                "aliases": "; ".join(isolate_screen.words(one) for one in aliases),
            }
            writer.writerow({**row, **told, **numbers})
