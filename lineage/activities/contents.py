"""What a recipe chooses at a place in the log: labels, images, and their splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities import coverage, finalize_gate, predicates_live, select, trace
from lineage.activities.context import Project
from lineage.activities.select import LiveState, Selector
from lineage.calc import splits, state
from lineage.errors import BadInput, NotFound
from lineage.identity import digest_of as tagged_digest
from lineage.identity import table_digest
from lineage.settings import Recipe
from lineage.store import read
from lineage.terms import ActivityKind, BatchKind, Kind, Origin, Presence, Stage

_ANSWERED = (Presence.LABELLED, Presence.EMPTY)
_OPINIONS = (Origin.HUMAN, Origin.ASSISTED)

LAYOUT = 2
"""Of new versions; those of layout 1 hold no completeness, and their digest does not cover it."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a recipe chooses at a place in the log.

    Parameters
    ----------
    labels, assets
        `columns.DATASET` and `columns.DATASET_ASSETS`, sorted by split, asset name, annotation.
    completeness
        `columns.DATASET_COMPLETENESS` of these images, sorted by split, asset name, batch, class.
    excluded
        Batches left out, each with the reason.
    states
        Number of images in each state, over all images of the chosen batches.
    n_incomplete
        Images of the chosen batches that have no label here and are left out, because they are not
        finished: in no case are they negatives.
    n_withheld
        Images that would stand empty here only because the recipe leaves out their labels by stage,
        schema or time: left out, for they are no negatives either.
    """

    labels: pa.Table
    assets: pa.Table
    completeness: pa.Table
    excluded: Sequence[Mapping[str, str]]
    states: Mapping[str, int]
    n_incomplete: int
    n_withheld: int = 0


def choose(project: Project, recipe: Recipe, seq: int, layout: int = LAYOUT) -> Contents:
    """Return what a recipe chooses at a place in the log, by the rules of a version's layout."""
    _refuse_words(recipe)
    live = select.live_state(project.ledger, seq)
    # what has passed its gate is asked of the record as it is, not as it would have been
    selector, excluded = _selector(project, recipe, seq, live)
    asked = predicates_live.restriction_of(project, recipe, seq)
    standing = predicates_live.live(project.ledger, asked, live, seq) if asked else live
    labels = trace.labels(project, selector, seq, standing)
    facts = trace.asset_facts(project, seq)
    said = coverage.completeness(project.ledger, selector.batches, seq)
    states, said = coverage.counted(said), coverage.chosen(said, selector)
    answered = coverage.roster(project.ledger, selector.batches, seq)
    had = predicates_live.had_labels(project.ledger, asked, live, seq)
    # versions of layout 1 took an image for empty whatever left its labels out
    withheld = _withheld(project, selector, seq, had) if layout > 1 else np.empty(0, np.int64)
    known = _judged(selector, facts, *predicates_live.answered(asked, answered, said))
    if asked:
        # what nobody finished and what a predicate leaves out are told apart
        known = known[0], known[1] & ~np.isin(facts["asset"].to_numpy(), withheld)
    answered, said = predicates_live.never_answered(asked, answered, said)
    left = _judged(selector, facts, *predicates_live.answered(asked, answered, said))
    assets, n_incomplete, n_withheld = _looked_at(labels, facts, known, left[0], withheld)
    keys = splits.group_keys(assets["asset"].to_pylist(), recipe.group_pattern)
    codes = splits.split_codes(keys, recipe.splits, salt=recipe.split_salt)
    words = splits.split_words(codes, recipe.splits).cast(columns.WORD)
    at = _places(labels, assets)
    order = np.lexsort((labels["annotation"].to_numpy(), at, codes[at] if len(at) else at))
    told = coverage.named(said, facts)
    place = _places(told, assets)
    told, place = told.filter(pa.array(place >= 0)), place[place >= 0]
    told = _with_split(told, words.take(pa.array(place)))
    return Contents(
        labels=_with_split(labels, words.take(pa.array(at))).take(pa.array(order)),
        assets=_with_split(assets, words).take(pa.array(np.argsort(codes, kind="stable"))),
        completeness=told.take(pa.array(np.argsort(codes[place], kind="stable"))),
        excluded=excluded,
        states=states,
        n_incomplete=n_incomplete,
        n_withheld=n_withheld,
    )


def digest_of(contents: Contents, layout: int = LAYOUT) -> str:
    """Return the logical digest: of the rows, whatever the files, recipe or writer."""
    tables = {"dataset": contents.labels, "dataset-assets": contents.assets}
    if layout > 1:
        tables["dataset-completeness"] = contents.completeness
    digests = [
        table_digest(table.to_batches(), f"lineage:{name}:1") for name, table in tables.items()
    ]
    return tagged_digest(f"lineage:version:{layout}", "\n".join(digests).encode())


def _selector(
    project: Project, recipe: Recipe, seq: int, live: LiveState
) -> tuple[Selector, list[Mapping[str, str]]]:
    with project.store.reading() as connection:
        known = read.batches(connection)
        log = read.activities(connection)
    settled = {
        entry.batch for entry in log if entry.kind == ActivityKind.CONSENSUS and entry.seq <= seq
    }
    later = {
        entry.batch for entry in log if entry.kind == ActivityKind.BATCH_CREATE and entry.seq > seq
    }
    # a batch of later is not left out of a version: there was none
    rows = [row for row in known if row.tag not in later]
    excluded: list[Mapping[str, str]] = []
    chosen = []
    blind = finalize_gate.answers_of_reviews(project.ledger, seq)
    unfinished = finalize_gate.unfinished(project.ledger, rows, recipe.require_final, seq, live)
    for row in rows:
        reason = ""
        if row.kind == BatchKind.PILOT and not recipe.include_pilots:
            reason = "a pilot"
        elif row.tag in recipe.exclude_batches:
            reason = "excluded by the recipe"
        elif recipe.batches and row.tag not in recipe.batches:
            reason = "not named by the recipe"
        elif row.tag in settled and recipe.origins and Origin.CONSENSUS not in recipe.origins:
            # what people made of its labels would stand beside their opinions
            reason = "of a consensus, an origin that the recipe leaves out"
        elif row.tag in blind and row.tag not in recipe.batches:
            reason = "reviewers' blind answers: opinions on the labels of another batch"
        elif recipe.schemas and row.schema not in recipe.schemas:
            reason = f"under {row.schema}, which the recipe does not name"
        elif row.tag in unfinished:
            reason = unfinished[row.tag]
        if reason:
            excluded.append({"batch": row.tag, "reason": reason})
        else:
            chosen.append(row.tag)
    unknown = sorted({*recipe.batches, *recipe.exclude_batches} - {row.tag for row in known})
    if unknown:
        raise NotFound(
            "no-batch", f"the recipe names no batch on record: {unknown}", hint="lineage batch list"
        )
    asked = trace.Choice(annotator=recipe.annotators, since=recipe.since, until=recipe.until)
    people = trace.selector_of(project, asked)
    selector = Selector(
        # a tag that no batch can have, so that no chosen batch means no label
        batches=tuple(chosen) or ("",),
        annotators=people.annotators,
        since=people.since,
        until=people.until,
        schemas=recipe.schemas,
        stages=(Stage.FINAL,) if recipe.require_final else recipe.stages,
        classes=recipe.classes,
        kinds=recipe.kinds,
        origins=recipe.origins,
        exclude_classes=recipe.exclude_classes,
    )
    return selector, excluded


def _refuse_words(recipe: Recipe) -> None:
    for name, words, known in (
        ("stages", recipe.stages, Stage),
        ("kinds", recipe.kinds, Kind),
        ("origins", recipe.origins, Origin),
    ):
        wrong = sorted(set(words) - {word.value for word in known})
        if wrong:
            raise BadInput(
                "recipe",
                f"build.{name} has {wrong}, expected some of {', '.join(known)}",
                where="params.yaml",
            )


def _withheld(project: Project, selector: Selector, seq: int, live: LiveState) -> np.ndarray:
    """Return the images that have labels but for the recipe's stages, schemas and times, as keys.

    Without a label of the classes and kinds that are asked for an image is empty; a label that is
    contested, or of another time, was not found to be wrong.
    """
    wide = replace(
        selector,
        stages=tuple(stage for stage in Stage if stage is not Stage.REJECTED),
        # what people drew and a consensus left for review is no negative either
        origins=(*selector.origins, *_OPINIONS)
        if Origin.CONSENSUS in selector.origins
        else selector.origins,
        schemas=(),
        since=None,
        until=None,
    )
    rows = select.scan(project.ledger, wide, ["asset"], up_to=seq, live=live)
    keys = [np.unique(np.asarray(batch["asset"])) for batch in rows]
    return np.unique(np.concatenate(keys)) if keys else np.empty(0, np.int64)


def _looked_at(
    labels: pa.Table,
    facts: pa.Table,
    known: tuple[np.ndarray, np.ndarray],
    left: np.ndarray,
    withheld: np.ndarray,
) -> tuple[pa.Table, int, int]:
    """Return the images that have labels or are finished without, by name, and who are left out.

    ``known`` is what `_judged` says of the record, ``left`` which answers a recipe's ``without`` leaves.
    """
    n_each = np.zeros(facts.num_rows, np.int64)
    counted = labels["asset"].combine_chunks().value_counts()
    at = np.asarray(pc.index_in(counted.field("values"), facts["name"].combine_chunks()))
    n_each[at] = np.asarray(counted.field("counts"))
    has_answer, is_open = known
    is_withheld = has_answer & (n_each == 0) & np.isin(facts["asset"].to_numpy(), withheld)
    chosen = (n_each > 0) | (left & ~is_withheld)
    rows = facts.take(pa.array(np.flatnonzero(chosen)))
    order = pc.sort_indices(rows["name"])
    rows = rows.take(order)
    values = {
        "asset": rows["name"],
        "asset_digest": rows["digest"],
        "width": rows["width"],
        "height": rows["height"],
        "n_annotations": n_each[chosen][np.asarray(order)],
        "split": "",
    }
    batch = columns.batch_of(columns.DATASET_ASSETS, values, rows.num_rows)
    n_incomplete = int((is_open & ~chosen & ~is_withheld).sum())
    return pa.Table.from_batches([batch]), n_incomplete, int(is_withheld.sum())


def _judged(
    selector: Selector, facts: pa.Table, roster: pa.Table, said: pa.Table
) -> tuple[np.ndarray, np.ndarray]:
    """Tell, per image, whether a batch holds a whole answer for it, and whether one is open.

    An answer is whole where somebody labelled the image or found it empty, or its tool calls it
    finished, and nothing of the batch calls it, or a class that is asked for, unfinished. A tool
    does not say whose work is finished: where people are asked for, theirs alone counts.
    """
    is_answer = select.is_word(coverage.one(roster["presence"]), _ANSWERED)
    is_finished = np.zeros(said.num_rows, bool)
    if selector.annotators:
        is_answer &= select.is_word(coverage.one(roster["annotator"]), selector.annotators)
    else:
        is_finished = select.is_word(coverage.one(said["state"]), coverage.FINISHED)
        is_finished &= said["class"].is_null().to_numpy()
    is_unfinished = select.is_word(coverage.one(said["state"]), coverage.UNFINISHED)
    names = ("asset", "batch")
    parts = [
        table.select(names).filter(pa.array(mask))
        for table, mask in ((said, is_unfinished), (roster, is_answer), (said, is_finished))
    ]
    pairs = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    asset, n_open = pairs["asset"].to_numpy(), parts[0].num_rows
    key = state.composed(asset, coverage.numbers(pairs["batch"]))
    is_whole = ~np.isin(key[n_open:], key[:n_open])
    return (
        np.isin(facts["asset"].to_numpy(), asset[n_open:][is_whole]),
        np.isin(facts["asset"].to_numpy(), asset[:n_open]),
    )


def _places(rows: pa.Table, assets: pa.Table) -> np.ndarray:
    """Return, per row, where its image stands among ``assets``, -1 where it does not."""
    names = assets["asset"].combine_chunks()
    found = pc.index_in(rows["asset"], names).combine_chunks()
    return np.asarray(found.fill_null(-1)).astype(np.int64)


def _with_split(rows: pa.Table, words: pa.Array) -> pa.Table:
    place = rows.schema.get_field_index("split")
    return rows.set_column(place, rows.schema.field("split"), words)
