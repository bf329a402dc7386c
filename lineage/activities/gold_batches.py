"""Batches whose every label is gold, as ``params.yaml`` says: kept so by the ``ingest`` stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lineage.activities import gold, gold_rules, position, schemas, select
from lineage.activities.context import Project
from lineage.activities.gold import GoldOrder
from lineage.activities.select import Selector
from lineage.activities.trace import Choice
from lineage.calc import state
from lineage.errors import BadInput

_LABEL = ("annotation", "revision", "class", "schema")


@dataclass(frozen=True, slots=True)
class GoldBatch:
    """What became of a batch's labels; one that somebody took back is left alone (``n_dropped``)."""

    batch: str
    n_written: int
    n_unchanged: int
    n_dropped: int


def keep(
    project: Project, tag: str, edge_cases: Mapping[str, Mapping[str, str]] | None = None
) -> GoldBatch:
    """Declare every live label of a batch gold, those that are already changing nothing.

    Parameters
    ----------
    project
        An open project.
    tag
        Of the batch.
    edge_cases
        By attribute and value, the edge case of labels that have it; of those classes that know it.

    Raises
    ------
    BadInput
        ``gold-edge-case``: no class knows an edge case; ``gold-invalid``.
    Refused
        ``schema-not-locked``, ``schema-retired``.
    """
    seq = position.resolve(project, None)
    rows = select.table(project.ledger, Selector(batches=(tag,)), _LABEL, up_to=seq)
    is_left = ~np.isin(np.asarray(rows["revision"]), _dropped(project, seq))
    number = np.asarray(rows["annotation"])
    of_words: dict[tuple[str, ...], list[int]] = {}
    words = _words_of(project, tag, edge_cases or {}, rows["schema"].unique().to_pylist())
    under, classes = rows["schema"].to_pylist(), rows["class"].to_pylist()
    for at in np.flatnonzero(is_left).tolist():
        of_words.setdefault(words[under[at]].get(classes[at], ()), []).append(int(number[at]))
    done = [
        gold.add(project, Choice(batch=(tag,)), GoldOrder(edge_case_from=rules), annotations=own)
        for rules, own in sorted(of_words.items())
    ]
    return GoldBatch(
        batch=tag,
        n_written=sum(change.n_written for change in done),
        n_unchanged=sum(change.n_unchanged for change in done),
        n_dropped=int((~is_left).sum()),
    )


def _words_of(
    project: Project, tag: str, edge_cases: Mapping[str, Mapping[str, str]], refs: Sequence[str]
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return, per schema version and class, the rules whose edge case the class knows."""
    known = {ref: schemas.as_schema(schemas.get(project, ref)) for ref in refs}
    rules = [
        (case, f"{attribute}:{value}={case}")
        for attribute, cases in edge_cases.items()
        for value, case in cases.items()
    ]
    found = {
        ref: {
            class_: tuple(
                word for case, word in rules if case in gold_rules.cases_of(schema, class_)
            )
            for class_ in schema.classes
        }
        for ref, schema in known.items()
    }
    used = {word for classes in found.values() for words in classes.values() for word in words}
    odd = sorted({case for case, word in rules if word not in used})
    if odd and known:
        raise BadInput(
            "gold-edge-case",
            f"no class of {', '.join(known)} has an edge case {', '.join(map(repr, odd))}",
            hint="lineage gold coverage lists those that there are",
            where=f"params.yaml: gold_edge_cases of {tag}",
        )
    return found


def _dropped(project: Project, seq: int) -> np.ndarray:
    """Return the revisions that are gold no more by somebody's word, under any schema version."""
    told = project.ledger.read("gold", ("revision", "schema", "is_gold"), up_to=seq)
    if told.num_rows == 0:
        return np.zeros(0, np.int64)
    told = told.unify_dictionaries().combine_chunks()
    under = told["schema"].combine_chunks().indices
    newest = told.take(state.newest(np.asarray(told["revision"]), np.asarray(under)))
    is_gold = newest["is_gold"].to_numpy(zero_copy_only=False)
    return np.asarray(newest["revision"])[~is_gold]
