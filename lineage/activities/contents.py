"""What a recipe chooses at a place in the log: labels, images, and their splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import select, trace
from lineage.activities.context import Project
from lineage.activities.select import Selector
from lineage.calc import splits
from lineage.errors import BadInput, NotFound
from lineage.identity import digest_of as tagged_digest
from lineage.identity import table_digest
from lineage.settings import Recipe
from lineage.store import read
from lineage.terms import BatchKind, Kind, Origin, Presence, Stage


@dataclass(frozen=True, slots=True)
class Contents:
    """What a recipe chooses at a place in the log.

    Parameters
    ----------
    labels, assets
        `columns.DATASET` and `columns.DATASET_ASSETS`, sorted by split, asset name, annotation.
    excluded
        Batches left out, each with the reason.
    """

    labels: pa.Table
    assets: pa.Table
    excluded: Sequence[Mapping[str, str]]


def choose(project: Project, recipe: Recipe, seq: int) -> Contents:
    """Return what a recipe chooses at a place in the log."""
    _refuse_words(recipe)
    selector, excluded = _selector(project, recipe)
    live = select.live_state(project.ledger, seq)
    labels = trace.labels(project, selector, seq, live)
    assets = _looked_at(project, selector, seq, labels)
    names = assets["asset"].to_pylist()
    keys = splits.group_keys(names, recipe.group_pattern)
    codes = splits.split_codes(keys, recipe.splits, salt=recipe.split_salt)
    words = splits.split_words(codes, recipe.splits)
    assets = assets.set_column(
        assets.schema.get_field_index("split"), "split", words.cast(columns.WORD)
    )
    at = np.searchsorted(
        np.array(names, dtype=object), labels["asset"].to_numpy(zero_copy_only=False)
    )
    labels = labels.set_column(
        labels.schema.get_field_index("split"), "split", words.take(pa.array(at)).cast(columns.WORD)
    )
    order = np.lexsort((labels["annotation"].to_numpy(), at, codes[at] if len(at) else at))
    assets = assets.take(pa.array(np.argsort(codes, kind="stable")))
    return Contents(labels.take(pa.array(order)), assets, excluded)


def digest_of(contents: Contents) -> str:
    """Return the logical digest: of the rows, whatever the files, recipe or writer."""
    labels = table_digest(contents.labels.to_batches(), "lineage:dataset:1")
    assets = table_digest(contents.assets.to_batches(), "lineage:dataset-assets:1")
    return tagged_digest("lineage:version:1", f"{labels}\n{assets}".encode())


def _selector(project: Project, recipe: Recipe) -> tuple[Selector, list[Mapping[str, str]]]:
    with project.store.reading() as connection:
        rows = read.batches(connection)
    excluded: list[Mapping[str, str]] = []
    chosen = []
    for row in rows:
        reason = ""
        if row.kind == BatchKind.PILOT and not recipe.include_pilots:
            reason = "a pilot"
        elif row.tag in recipe.exclude_batches:
            reason = "excluded by the recipe"
        elif recipe.batches and row.tag not in recipe.batches:
            reason = "not named by the recipe"
        elif recipe.schemas and row.schema not in recipe.schemas:
            reason = f"under {row.schema}, which the recipe does not name"
        if reason:
            excluded.append({"batch": row.tag, "reason": reason})
        else:
            chosen.append(row.tag)
    unknown = sorted({*recipe.batches, *recipe.exclude_batches} - {row.tag for row in rows})
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
        stages=recipe.stages,
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


def _looked_at(project: Project, selector: Selector, seq: int, labels: pa.Table) -> pa.Table:
    """Return the images that somebody answered for, empty ones too, sorted by name."""
    presence: dict[tuple[int, str, str], str] = {}
    wanted = ("asset", "annotator", "batch", "presence")
    for batch in project.ledger.scan("roster", wanted, up_to=seq):
        ours = batch.filter(pa.array(select.is_word(batch["batch"], selector.batches)))
        keys = zip(*(ours[name].to_pylist() for name in wanted[:3]), strict=True)
        presence.update(zip(keys, ours["presence"].to_pylist(), strict=True))
    answered = {
        asset
        for (asset, person, _), what in presence.items()
        if what in (Presence.LABELLED, Presence.EMPTY)
        and (not selector.annotators or person in selector.annotators)
    }
    facts = trace.asset_facts(project, seq)
    with_labels = np.unique(labels["asset"].to_numpy(zero_copy_only=False).astype(object))
    names = facts["name"].to_numpy(zero_copy_only=False) if facts.num_rows else np.empty(0, object)
    keys_ = facts["asset"].to_numpy() if facts.num_rows else np.empty(0, np.int64)
    chosen = np.flatnonzero(np.isin(keys_, list(answered)) | np.isin(names, with_labels))
    chosen = chosen[np.argsort(names[chosen], kind="stable")]
    n_each = Counter(labels["asset"].to_pylist())
    rows = facts.take(pa.array(chosen))
    values = {
        "asset": rows["name"],
        "asset_digest": rows["digest"],
        "width": rows["width"],
        "height": rows["height"],
        "n_annotations": [n_each[name] for name in names[chosen]],
        "split": "",
    }
    return pa.Table.from_batches([columns.batch_of(columns.DATASET_ASSETS, values, len(chosen))])
