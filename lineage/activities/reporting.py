"""The quality page: everything that activities know of quality, gathered and written as one HTML file."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from lineage.activities import (
    collect,
    gather,
    gold_score,
    position,
    schemas,
    select,
    trace,
    version,
)
from lineage.activities.agreement import AgreementReport, agreement_of
from lineage.activities.context import Project
from lineage.activities.drift import drift_of
from lineage.activities.drift_gold import gold_of
from lineage.activities.gather import Threshold
from lineage.activities.report_cuts import Cuts, cuts_of
from lineage.activities.report_objects import best_of, codes_of, drawn_of, examples_of
from lineage.activities.select import Selector
from lineage.activities.trace import Choice
from lineage.errors import BadInput
from lineage.pages import drawing, plots
from lineage.pages.page import Page, quality_page
from lineage.pages.values import Disputed, Quality
from lineage.store import read

Row = Mapping[str, object]
OUT = Path("reports/quality.html")
PLOTS_PAGE = Path(".dvc/plots/page.html")
_SELECTORS = {"batch": "--batch", "class_": "--class", "stage": "--stage", "schema": "--schema", "asset": "--asset"}  # fmt: skip
_MOMENTS = {"since": "--since", "until": "--until", "as_of": "--as-of"}


@dataclass(frozen=True, slots=True)
class Reported:
    """A page that was written.

    Parameters
    ----------
    path
        The page.
    n_bytes
        Its size.
    lists
        The CSV files beside it.
    n_disputed, n_pictured
        Disputed objects drawn, and those of which an image file was found.
    names
        ``pseudonyms`` or ``handles``: how people stand on it.
    """

    path: Path
    n_bytes: int
    lists: Sequence[Path]
    n_disputed: int
    n_pictured: int
    names: str


def report(
    project: Project,
    choice: Choice | None = None,
    *,
    out: Path = OUT,
    threshold: Threshold | None = None,
    images: Path | None = None,
    shows_names: bool = False,
) -> Reported:
    """Write the quality page and its lists.

    Parameters
    ----------
    project
        An open project.
    choice
        Which labels and opinions.
    out
        The page, below the project unless it is absolute; its lists go into the folder of the same name.
    threshold
        When two labels are of one object.
    images
        A folder to look for image files in, before the project's own.
    shows_names
        Show people by name; a page leaves the project more easily than a ledger, so pseudonyms are the rule.

    Raises
    ------
    BadInput
        ``report-out``: not an ``.html`` file; ``report-images``: no such folder.
    NotFound
        ``extra-missing``: what draws charts is not installed.
    """
    target = target_of(project, out, images)
    folder = target.with_suffix("")
    values = quality_of(
        project, choice, threshold=threshold, images=images, shows_names=shows_names
    )
    page = quality_page(values, folder.name)
    lists = write(target, folder, page)
    return Reported(
        path=target,
        n_bytes=target.stat().st_size,
        lists=lists,
        n_disputed=len(values.disputed),
        n_pictured=sum(each.picture is not None for each in values.disputed),
        names="handles" if shows_names else "pseudonyms",
    )


def target_of(project: Project, out: Path, images: Path | None) -> Path:
    """Return where a page will stand, or refuse.

    Raises
    ------
    BadInput
        ``report-out``: not an ``.html`` file; ``report-images``: no such folder.
    NotFound
        ``extra-missing``: what draws charts is not installed.
    """
    target = project.root / out
    if target.suffix not in (".html", ".htm") or target.is_dir():
        raise BadInput(
            "report-out", f"{str(out)!r} is no page, expected a file that ends in .html", hint="--out reports/quality.html"
        )  # fmt: skip
    if images is not None and not images.is_dir():
        raise BadInput("report-images", f"{str(images)!r} is no folder", hint="--images DIR")
    # before anything is gathered, which may take minutes
    drawing.library()
    return target


def plots_page(project: Project) -> Path:
    """Write a page for DVC's plots that needs no network, and return where it stands.

    Raises
    ------
    NotFound
        ``extra-missing``.
    """
    target, text = project.root / PLOTS_PAGE, plots.plots_page()
    target.parent.mkdir(parents=True, exist_ok=True)
    _replace(target, text)
    return target


def quality_of(
    project: Project,
    choice: Choice | None = None,
    *,
    threshold: Threshold | None = None,
    images: Path | None = None,
    shows_names: bool = False,
) -> Quality:
    """Return what stands on the quality page; arguments as `report`."""
    asked, how = choice or Choice(), threshold or Threshold()
    seq = position.resolve(project, asked.as_of)
    selector = trace.selector_of(project, asked)
    names = trace.names_of(project) if shows_names else {}
    agreed = agreement_of(project, asked, threshold=how, sensitivity=())
    cuts, disputed = _looked_into(project, asked, how, agreed, images)
    tallies = _tallies(project, selector, seq)
    drift = drift_of(project, asked, threshold=how, gold=gold_of(project, asked, how))
    gold = gold_score.score(project, asked, threshold=how)
    with project.store.reading() as connection:
        batches = [row for row in read.batches(connection) if _is_chosen(row.tag, asked.batch)]
        root = read.roots(connection).get(seq, "")
    people, classes = selector.annotators, asked.class_
    return Quality(
        project=project.settings.origin,
        as_of=f"ledger at place {seq:,}" + (f", root {root[:16]}" if root else ""),
        options=_options(asked, selector, names),
        stages=dict(tallies["stage"]),
        batches=[
            {
                "tag": row.tag,
                "task": row.task,
                "schema": row.schema,
                "kind": row.kind,
                "state": row.state,
                "n_annotations": tallies["batch"][row.tag],
            }
            for row in batches
        ],
        schemas=[
            {"schema": row.ref, "state": row.state, "n_labels": tallies["schema"][row.ref]}
            for row in schemas.list_all(project)
            if _is_chosen(row.ref, asked.schema)
        ],
        versions=[_version(manifest) for manifest in version.list_all(project)],
        iou_threshold=how.tau,
        agreement=_fields(agreed),
        by_pair_class=cuts.pair_rows(people, classes),
        by_week_class=cuts.week_rows(classes),
        by_annotator_class=cuts.annotator_rows(people, classes),
        begins=cuts.begin_rows(),
        volumes=[
            {"annotator": name, "n_labels": n} for name, n in sorted(tallies["annotator"].items())
        ],
        disputed=disputed,
        drift=_fields(drift) if drift.weeks else None,
        gold=_fields(gold) if gold.annotators else None,
        names=names,
    )


def _looked_into(
    project: Project, asked: Choice, how: Threshold, agreed: AgreementReport, images: Path | None
) -> tuple[Cuts, list[Disputed]]:
    """Return the cuts that agreement does not give, and examples of what is disputed."""
    opinions = collect.load(project, asked)
    pairs = codes_of(agreed.disputes, opinions.words.classes)
    cuts, examples = cuts_of(opinions), []
    for block in opinions.blocks():
        found = gather.gathered(block, how)
        cuts.add(found)
        examples += examples_of(block, found, pairs)
    return cuts, drawn_of(project, opinions, best_of(examples, pairs), images)


def _tallies(project: Project, selector: Selector, seq: int) -> dict[str, Counter[str]]:
    """Count live labels in one pass, each way that the page shows."""
    tallies: dict[str, Counter[str]] = {
        name: Counter() for name in ("stage", "batch", "schema", "annotator")
    }
    for rows in select.scan(project.ledger, selector, list(tallies), up_to=seq):
        for name, tally in tallies.items():
            for entry in rows[name].value_counts().to_pylist():
                tally[entry["values"]] += entry["counts"]
    return tallies


def _is_chosen(name: str, chosen: Sequence[str]) -> bool:
    return not chosen or name in chosen


def _version(manifest: Row) -> Row:
    tags = manifest["tags"]
    told = ", ".join(str(tag) for tag in tags) if isinstance(tags, list) else ""
    return {
        "version": manifest["name"],
        "tags": told or None,
        "n_labels": manifest["n_annotations"],
        "n_assets": manifest["n_assets"],
    }


def _options(asked: Choice, selector: Selector, names: Mapping[str, str]) -> str:
    """Return the options that repeat a selection; people as the page shows them."""
    words = []
    for name, option in _SELECTORS.items():
        words += [word for value in getattr(asked, name) for word in (option, value)]
    for pseudonym in selector.annotators:
        words += ["--annotator", names.get(pseudonym, pseudonym)]
    for name, option in _MOMENTS.items():
        value = getattr(asked, name)
        words += [] if value is None else [option, value]
    return "".join(f" {shlex.quote(word)}" for word in words)


def _fields(found: object) -> dict[str, object]:
    return {f.name: getattr(found, f.name) for f in fields(found)}  # type: ignore[arg-type]


def write(target: Path, folder: Path, page: Page) -> list[Path]:
    """Write the lists, then the page: a page never stands without what it refers to."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in page.lists.items():
        written.append(folder / f"{name}.csv")
        _replace(written[-1], text)
    _replace(target, page.html)
    return written


def _replace(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(text, "utf-8")
    os.replace(aside, path)
