"""Gold: revisions that say what is right under a label schema version, declared and taken back.

Gold is declared of revisions, which never change: when an annotation is corrected
later, what was declared stays what was declared. It is bound to a schema version
and holds for every version of the same name and major number from which no rule
parts it (`gold_rules.holds`); a new major version needs gold of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities import gold_rules, position, precision, schemas, select, trace
from lineage.activities.context import Project
from lineage.activities.record import Outcome, recording
from lineage.activities.select import Selector
from lineage.activities.trace import Choice
from lineage.calc import state
from lineage.errors import NotFound, Refused, Usage
from lineage.labelschema import LabelSchema
from lineage.segments import Ledger
from lineage.store.read import SchemaRow
from lineage.terms import ActivityKind, SchemaState

Row = Mapping[str, object]
_DECLARED = ("revision", "seq", "schema", "edge_case", "comment")
_LABEL = ("annotation", "asset", "annotator", "batch", "class", "kind")


@dataclass(frozen=True, slots=True)
class GoldOrder:
    """What is declared of the chosen revisions.

    Parameters
    ----------
    schema
        ``name@version`` under which they are right; None: the one of each label.
    edge_case
        Name of an edge case of their class.
    edge_case_from
        ``ATTRIBUTE:VALUE=EDGE_CASE``, several: labels whose attribute has the value are of that edge
        case, all others ordinary.
    comment
        For the record.
    """

    schema: str | None = None
    edge_case: str | None = None
    edge_case_from: tuple[str, ...] = ()
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class GoldChange:
    """What became of a declaration; ``activity`` is None where nothing was written."""

    activity: str | None
    n_chosen: int
    n_written: int
    n_unchanged: int
    by: Sequence[Row]


def standing(ledger: Ledger, up_to: int) -> pa.Table:
    """Return the gold that stands at a place in the log, in the order in which it was declared.

    Returns
    -------
    Table
        ``revision seq schema edge_case comment``, and of the revision ``annotation asset annotator
        batch class kind``.
    """
    wanted = (*_DECLARED, "is_gold")
    told = ledger.read("gold", wanted, up_to=up_to).unify_dictionaries().combine_chunks()
    if told.num_rows:
        under = told["schema"].combine_chunks().indices
        newest = state.newest(np.asarray(told["revision"]), np.asarray(under))
        told = told.take(pa.array(newest))
        told = told.filter(told["is_gold"])
    labels = precision.of_ledger(ledger, np.asarray(told["revision"]), _LABEL)
    for name in _LABEL:
        told = told.append_column(name, labels[name])
    return told.drop_columns(["is_gold"])


def chosen_of(told: pa.Table, selector: Selector, annotations: Sequence[int] = ()) -> pa.Table:
    """Return the gold that a selector chooses; its schemas are those under which it is gold."""
    mask = np.ones(told.num_rows, bool)
    for name, values in selector.words().items():
        if values and name in told.column_names:
            mask &= np.isin(told[name].to_pylist(), list(values))
    if selector.assets:
        mask &= np.isin(np.asarray(told["asset"]), selector.assets)
    if annotations:
        mask &= np.isin(np.asarray(told["annotation"]), annotations)
    return told.filter(pa.array(mask))


def add(
    project: Project,
    choice: Choice,
    order: GoldOrder | None = None,
    *,
    annotations: Sequence[int] = (),
    is_rehearsal: bool = False,
) -> GoldChange:
    """Declare live revisions gold.

    Parameters
    ----------
    project
        An open project.
    choice
        Which labels.
    order
        What is declared of them.
    annotations
        Of those, these alone.
    is_rehearsal
        Write nothing.

    Raises
    ------
    Usage
        ``usage``: no restriction at all, or a word that is not ``ATTRIBUTE:VALUE=EDGE_CASE``.
    Refused
        ``gold-none-chosen``, ``schema-retired``, ``schema-not-locked``.
    NotFound
        ``no-annotation``: a number that is not live, or not of the choice.
    BadInput
        ``gold-invalid``: revisions that break the schema; ``gold-edge-case``: their class has no such
        edge case. Everything that is wrong is listed.
    """
    asked = order or GoldOrder()
    labels = _chosen(project, choice, annotations)
    under = labels["schema"].to_pylist()
    if asked.schema is not None:
        under = [asked.schema] * len(under)
    known = {ref: _gold_schema(project, ref) for ref in sorted(set(under))}
    values = {name: labels[name].to_pylist() for name in ("class", "kind", "attributes")}
    gold_rules.refuse_invalid(known, under, values, labels["annotation"].to_pylist())
    case = gold_rules.edge_cases(known, under, values, asked.edge_case, asked.edge_case_from)
    before = standing(project.ledger, position.resolve(project, None))
    stood = {
        (revision, ref): said
        for revision, ref, said in zip(
            *(before[name].to_pylist() for name in ("revision", "schema", "edge_case")), strict=True
        )
    }
    revisions = labels["revision"].to_pylist()
    names_case = asked.edge_case is not None or bool(asked.edge_case_from)
    new = [
        at
        for at, key in enumerate(zip(revisions, under, strict=True))
        # without a word about edge cases, what was said of them stays
        if key not in stood or (names_case and stood[key] != case[at])
    ]
    rows = {
        "revision": np.array([revisions[at] for at in new], np.int64),
        "schema": [under[at] for at in new],
        "edge_case": [case[at] for at in new],
        "is_gold": True,
        "comment": asked.comment,
    }
    told = Counter((under[at], values["class"][at], case[at] or "") for at in new)
    activity = None if is_rehearsal else _write(project, "add", rows, len(new), asked.comment)
    return GoldChange(activity, len(under), len(new), len(under) - len(new), _counted(told))


def drop(
    project: Project,
    choice: Choice,
    *,
    annotations: Sequence[int] = (),
    reason: str | None = None,
    is_rehearsal: bool = False,
) -> GoldChange:
    """Take gold back: it stays on record, and nobody is scored against it any more.

    Parameters
    ----------
    project, annotations, is_rehearsal
        As in `add`.
    choice
        Which gold; its schemas are those under which it is gold.
    reason
        For the record.

    Raises
    ------
    Usage, Refused
        As `add`.
    """
    _refuse_everything(choice, annotations)
    selector = trace.selector_of(project, choice)
    told = chosen_of(
        standing(project.ledger, position.resolve(project, None)), selector, annotations
    )
    if told.num_rows == 0:
        raise Refused("gold-none-chosen", "no gold is so", hint="lineage gold list")
    rows = {
        "revision": told["revision"],
        "schema": told["schema"],
        "edge_case": told["edge_case"],
        "is_gold": False,
        "comment": reason,
    }
    of = [told[name].to_pylist() for name in ("schema", "class", "edge_case")]
    tally = Counter((ref, name, case or "") for ref, name, case in zip(*of, strict=True))
    n = told.num_rows
    activity = None if is_rehearsal else _write(project, "drop", rows, n, reason)
    return GoldChange(activity, n, n, 0, _counted(tally))


def _refuse_everything(choice: Choice, annotations: Sequence[int]) -> None:
    if choice == Choice() and not annotations:
        raise Usage("usage", "name what is meant: --annotation N, --batch TAG, --class NAME ...")


def _chosen(project: Project, choice: Choice, annotations: Sequence[int]) -> pa.Table:
    _refuse_everything(choice, annotations)
    selector = trace.selector_of(project, choice)
    wanted = ("revision", "annotation", "class", "kind", "attributes", "schema")
    seq = position.resolve(project, None)
    if not annotations:
        labels = select.table(project.ledger, selector, wanted, up_to=seq)
    else:
        parts = [
            batch.filter(pc.is_in(batch["annotation"], pa.array(annotations, pa.int64())))
            for batch in select.scan(project.ledger, selector, wanted, up_to=seq)
        ]
        schema = pa.schema([columns.REVISIONS.field(name) for name in wanted])
        labels = pa.Table.from_batches(parts, schema).unify_dictionaries().combine_chunks()
        absent = sorted(set(annotations) - set(labels["annotation"].to_pylist()))
        if absent:
            told = ", ".join(str(number) for number in absent)
            raise NotFound(
                "no-annotation",
                f"no live label {told} among those chosen",
                hint="lineage show ANNOTATION",
            )
    if labels.num_rows == 0:
        raise Refused("gold-none-chosen", "no live label is so", hint="lineage labels")
    return labels


def _gold_schema(project: Project, ref: str) -> LabelSchema:
    row: SchemaRow = schemas.get(project, ref)
    if row.state == SchemaState.RETIRED:
        raise Refused(
            "schema-retired", f"{ref} is retired", hint="--under NAME@VERSION: a newer version"
        )
    if row.state == SchemaState.DRAFT:
        raise Refused(
            "schema-not-locked",
            f"{ref} is a draft; what is right under it may still change",
            hint=f"lineage schema lock {ref}",
        )
    schemas.refuse_changed(project, row)
    return schemas.as_schema(row)


def _write(
    project: Project, verb: str, rows: Mapping[str, object], n: int, comment: str | None
) -> str | None:
    if n == 0:
        return None
    done = Outcome()
    # the comment stands in the rows: a header is never rewritten, and people can be forgotten
    parameters = {"verb": verb, "n": n}
    with recording(project, ActivityKind.GOLD, parameters=parameters, outcome=done) as activity:
        told = {**rows, "seq": activity.seq}
        activity.append("gold", columns.batch_of(columns.SEGMENT_GOLD, told, n))
    return done.activity


def _counted(tally: Mapping[tuple[str, str, str], int]) -> list[Row]:
    return [
        {"schema": ref, "class": class_, "edge_case": case or None, "n": n}
        for (ref, class_, case), n in sorted(tally.items())
    ]
