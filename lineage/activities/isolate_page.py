"""The page of suspects: what `isolate` found, with some of the labels before and after they changed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities import handles, position, predicates, reporting, trace
from lineage.activities.context import Project
from lineage.activities.handoff_examples import rings_of_row
from lineage.activities.isolate import isolate
from lineage.activities.isolate_files import Sources, options_of
from lineage.activities.isolate_report import IsolateReport, Suspect
from lineage.activities.report_objects import content_of, files_of
from lineage.calc import changes as calc_changes
from lineage.pages.suspect_values import Relabelled, Said, Suspected, Suspicion
from lineage.pages.suspects import suspects_page
from lineage.store import read
from lineage.terms import Change

OUT = Path("reports/isolate.html")
MOST_SHOWN = 6
"""Labels of a suspect."""

MOST_SUSPECTS = 5
"""Of whom labels are shown."""

_WANTED = ("annotator", "class", "kind", *columns.BOX, "geometry")
_CUTS = ("annotator", "batch", "class", "schema")
# what is plainest to look at first
_ORDER = {word: at for at, word in enumerate(("reclassed", "moved", "added", "retracted"))}


@dataclass(frozen=True, slots=True)
class Paged:
    """A page of suspects that was written.

    Parameters
    ----------
    path, n_bytes
        The page, and its size.
    lists
        The CSV files beside it.
    evidence
        Whether any suspect has evidence against it.
    n_suspects, n_shown, n_pictured
        Suspects; labels shown before and after; those of which an image file was found.
    names
        ``pseudonyms`` or ``handles``: how people stand on it.
    """

    path: Path
    n_bytes: int
    lists: Sequence[Path]
    evidence: bool
    n_suspects: int
    n_shown: int
    n_pictured: int
    names: str


def report(
    project: Project,
    *,
    bad: str,
    good: str,
    sources: Sources,
    out: Path = OUT,
    images: Path | None = None,
    shows_names: bool = False,
) -> Paged:
    """Isolate, and write the page of suspects and its lists.

    Parameters
    ----------
    project
        An open project.
    bad, good, sources
        As of `isolate`.
    out
        The page, below the project unless it is absolute; its lists go into the folder of the same name.
    images
        A folder to look for image files in, before the project's own.
    shows_names
        Show people by name; a page leaves the project more easily than a ledger, so pseudonyms are the rule.

    Raises
    ------
    BadInput
        ``report-out``, ``report-images``; what `isolate` raises.
    NotFound
        ``extra-missing``; what `isolate` does not find.
    """
    # before anything is looked for, which may take minutes
    target = reporting.target_of(project, out, images)
    found = isolate(project, bad=bad, good=good, sources=sources)
    names = trace.names_of(project) if shows_names else {}
    values = suspicion_of(project, found, options_of(sources), images=images, names=names)
    folder = target.with_suffix("")
    lists = reporting.write(target, folder, suspects_page(values, folder.name))
    shown = [each for one in values.suspects for each in one.shown]
    return Paged(
        path=target,
        n_bytes=target.stat().st_size,
        lists=lists,
        evidence=found.evidence,
        n_suspects=len(values.suspects),
        n_shown=len(shown),
        n_pictured=sum(each.picture is not None for each in shown),
        names="handles" if shows_names else "pseudonyms",
    )


def suspicion_of(
    project: Project,
    found: IsolateReport,
    options: str,
    *,
    images: Path | None = None,
    names: Mapping[str, str] | None = None,
) -> Suspicion:
    """Return what stands on the page of suspects.

    Parameters
    ----------
    project
        An open project.
    found
        What `isolate` found.
    options
        The options that name its files on a command line, with a leading space.
    images
        As of `report`.
    names
        The name to show of each pseudonym.
    """
    seq = position.resolve(project, None)
    with project.store.reading() as connection:
        root = read.roots(connection).get(seq, "")
    shown_as = dict(names or {})
    content = found.changes.filter(pc.not_equal(_text(found.changes["change"]), Change.RESTAGED))
    shown = _shown(project, found, content, images)
    cuts = calc_changes.counted_by(calc_changes.Changes(content, {}))
    return Suspicion(
        project=project.settings.origin,
        as_of=f"ledger at place {seq:,}" + (f", root {root[:16]}" if root else ""),
        options=options,
        bad=found.bad,
        good=found.good,
        bad_version=found.bad_version,
        good_version=found.good_version,
        mode=found.mode,
        is_weak=found.is_weak,
        n_changed=found.n_changed,
        n_units=found.n_units,
        threshold=_number(found.threshold),
        evidence=found.evidence,
        suspects=[
            _suspected(one, content, shown.get(one.rank, ()), shown_as) for one in found.suspects
        ],
        eval_moved=found.eval_moved,
        notes=[handles.named_in(note, shown_as) for note in found.notes],
        flows=_flows(content),
        changes={name: cuts[name] for name in _CUTS},
        names=shown_as,
    )


def _suspected(
    one: Suspect, changes: pa.Table, shown: Sequence[Relabelled], names: Mapping[str, str]
) -> Suspected:
    mine = changes.filter(pc.is_in(changes["annotation"], value_set=one.members))
    looked_at = {*one.check, *one.controls}
    return Suspected(
        rank=one.rank,
        slice=one.slice,
        n_changed=one.n_changed,
        gain=one.gain,
        effect=_number(one.effect),
        effect_lo=_number(one.effect_lo),
        share=_number(one.share_explained),
        aliases=one.aliases,
        step=one.step,
        is_evidence=one.is_evidence,
        n_check=len(one.check),
        n_controls=len(one.controls),
        recheck=None if one.recheck is None else dataclasses.asdict(one.recheck),
        predicate=predicates.shown_as(one.predicate, names),
        flows=_flows(mine),
        shown=shown,
        is_check_shown=any(each.annotation in looked_at for each in shown),
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string())


def _flows(changes: pa.Table) -> list[dict[str, object]]:
    """Return changed labels by batch and annotator."""
    plain = pa.table({name: _text(changes[name]) for name in ("batch", "annotator")})
    counted = plain.group_by(["batch", "annotator"]).aggregate([([], "count_all")])
    rows = counted.rename_columns(["batch", "annotator", "n"])
    return rows.sort_by([("batch", "ascending"), ("annotator", "ascending")]).to_pylist()


def _shown(
    project: Project, found: IsolateReport, changes: pa.Table, images: Path | None
) -> dict[int, list[Relabelled]]:
    """Return, per rank, changed labels to show, with what they said before and after."""
    sure = [one for one in found.suspects if one.is_evidence]
    looked_at = sure[:MOST_SUSPECTS] or found.suspects[:1]
    chosen = {one.rank: _chosen(one, changes) for one in looked_at}
    rows = [row for some in chosen.values() for row in some]
    with project.store.reading() as connection:
        keys = read.asset_keys(connection, sorted({str(row["asset"]) for row in rows}))
    said = _said(project, rows, keys)
    pictures = _pictures(project, keys, images)
    return {
        rank: [
            Relabelled(
                annotation=int(str(row["annotation"])),
                asset=str(row["asset"]),
                change=str(row["change"]),
                before=said.get(row["revision_from"]),
                after=said.get(row["revision_to"]),
                picture=pictures.get(str(row["asset"])),
            )
            for row in some
        ]
        for rank, some in chosen.items()
    }


def _chosen(one: Suspect, changes: pa.Table) -> list[dict[str, object]]:
    """Return rows of a suspect's changes: the plainest first, an image once, what will be judged blind last.

    Notes
    -----
    Whoever looks at labels again should not have seen them on a page that says whose they are.
    """
    mine = changes.filter(pc.is_in(changes["annotation"], value_set=one.members))
    number = mine["annotation"].to_numpy()
    words = _text(mine["change"]).combine_chunks().dictionary_encode()
    rank = np.array([_ORDER.get(word, len(_ORDER)) for word in words.dictionary.to_pylist()])
    plain = rank[words.indices.to_numpy()] if len(words) else np.zeros(0, np.int64)
    is_judged = np.isin(number, np.array([*one.check, *one.controls], np.int64))
    order = np.lexsort((number, plain, is_judged))
    # an image's second label is shown only where there are too few images
    assets = _text(mine["asset"]).combine_chunks().dictionary_encode().indices.to_numpy()[order]
    _, first = np.unique(assets, return_index=True)
    later = np.setdiff1d(np.arange(len(order)), first)
    at = order[np.concatenate([np.sort(first), later])[:MOST_SHOWN]]
    wanted = ["annotation", "asset", "change", "revision_from", "revision_to"]
    rows: list[dict[str, object]] = mine.select(wanted).take(pa.array(at)).to_pylist()
    return rows


def _said(
    project: Project, rows: Sequence[Mapping[str, object]], keys: Mapping[str, int]
) -> dict[object, Said]:
    """Return what each revision said."""
    wanted = {row[name] for row in rows for name in ("revision_from", "revision_to")} - {None}
    numbers = pa.array(wanted, pa.int64())
    of = np.array(sorted(keys.values()), np.int64)
    told: dict[object, Said] = {}
    # parts of the log that hold none of these images are not read
    for batch in project.ledger.scan("revisions", ("revision", *_WANTED), assets=of):
        for row in batch.filter(pc.is_in(batch["revision"], value_set=numbers)).to_pylist():
            rings = rings_of_row(row["kind"], row)
            told[row["revision"]] = Said(row["class"], row["annotator"], rings)
    return told


def _pictures(project: Project, keys: Mapping[str, int], images: Path | None) -> dict[str, bytes]:
    with project.store.reading() as connection:
        facts = read.asset_facts(connection, keys.values())
    files = files_of(project.root, images, sorted(keys))
    found = {
        name: content_of(files.get(name), facts.get(key, {}).get("digest"))
        for name, key in keys.items()
    }
    return {name: content for name, content in found.items() if content is not None}
