"""Is a batch ready for volume? What has to stand before a vendor is paid, and who went on without it.

A schema that is locked, gold for everything that it names, a policy that checks
something, and a pilot whose people agreed: without any of these the first thing
that volume work shows is what nobody wrote down. Imports into volume batches are
held to it (`refuse_unready`); archives and pilots are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from lineage.activities import batches, gold_list, gold_rules, schemas
from lineage.activities.agreement import agreement_of
from lineage.activities.context import Project
from lineage.activities.gather import Threshold
from lineage.activities.record import recording
from lineage.activities.trace import Choice
from lineage.calc.intervals import TOO_FEW
from lineage.errors import BadInput, Refused
from lineage.labelschema import LabelSchema
from lineage.settings import load_params
from lineage.store import read
from lineage.store.read import BatchRow
from lineage.terms import ActivityKind, BatchKind, SchemaState

_MOST_NAMED = 8


class State(StrEnum):
    """How a condition stands."""

    MET = "met"
    UNMET = "unmet"
    TOO_FEW = "too_few"  # there is too little to tell


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that has to stand before volume work.

    Parameters
    ----------
    name
        ``schema``, ``gold``, ``overlap``, ``review``, ``hidden_gold``, ``agreement_bar``,
        ``pilot_agreement`` or ``pilot_classes``.
    state
        How it stands.
    told
        In words.
    hint
        What to do, empty where it is met.
    missing
        Classes, and edge cases as ``class: edge case``, that it lacks.
    is_overridden
        Somebody decided to go on without it.
    """

    name: str
    state: State
    told: str
    hint: str = ""
    missing: Sequence[str] = ()
    is_overridden: bool = False


@dataclass(frozen=True, slots=True)
class Override:
    """A decision to go on without some conditions: when, by whom (pseudonym), why, and which."""

    activity: str
    at: datetime
    by: str
    reason: str
    conditions: Sequence[str]


@dataclass(frozen=True, slots=True)
class Readiness:
    """How a batch stands before volume work.

    Parameters
    ----------
    batch, task, schema, kind
        Of the batch.
    is_ready
        Every condition is met, none by override.
    is_refused
        An import into it is refused: it is a volume batch, and a condition is neither met nor
        overridden.
    pilots
        Tags of the pilot batches that count for it.
    conditions
        Each, and how it stands.
    overrides
        What was decided, oldest first.
    """

    batch: str
    task: str
    schema: str
    kind: str
    is_ready: bool
    is_refused: bool
    pilots: Sequence[str]
    conditions: Sequence[Condition]
    overrides: Sequence[Override] = field(default=())


def check(project: Project, tag: str) -> Readiness:
    """Return whether a batch is ready for volume, and what it lacks.

    Raises
    ------
    NotFound
        ``no-batch``.
    """
    row = batches.get(project, tag)
    pilots = _pilots(project, row)
    overrides = overrides_of(project, tag)
    without = {name for override in overrides for name in override.conditions}
    found = [
        _schema(project, row),
        _gold(project, row),
        *_policy(row),
        *_pilot(project, row, pilots),
    ]
    conditions = [
        replace(one, is_overridden=one.state is not State.MET and one.name in without)
        for one in found
    ]
    is_held = row.kind == BatchKind.VOLUME
    return Readiness(
        batch=row.tag,
        task=row.task,
        schema=row.schema,
        kind=row.kind,
        is_ready=all(one.state is State.MET for one in conditions),
        is_refused=is_held and bool(_standing(conditions)),
        pilots=pilots,
        conditions=conditions,
        overrides=overrides,
    )


def refuse_unready(project: Project, row: BatchRow) -> None:
    """Refuse an import into a volume batch that is not ready.

    Raises
    ------
    Refused
        ``batch-not-ready``, with everything that is missing.
    """
    if row.kind != BatchKind.VOLUME:
        return
    found = check(project, row.tag)
    if found.is_refused:
        raise Refused(
            "batch-not-ready",
            f"batch {row.tag} is not ready for volume: "
            + "; ".join(one.told for one in _standing(found.conditions)),
            hint=f"lineage batch check {row.tag}; to go on without: "
            f"lineage batch override {row.tag} --reason WHY",
        )


def override(project: Project, tag: str, *, reason: str) -> Readiness:
    """Put on record that a volume batch goes on without what it lacks now.

    It holds for the conditions that are not met today, and for no other that fails later.

    Parameters
    ----------
    project
        An open project.
    tag
        Of the batch.
    reason
        Why, for the record.

    Raises
    ------
    NotFound
        ``no-batch``.
    BadInput
        ``override-reason``: none is given.
    Refused
        ``override-needless``: nothing holds the batch back.
    """
    if not reason.strip():
        raise BadInput("override-reason", f"reason {reason!r}, expected why it cannot wait")
    found = check(project, tag)
    if not found.is_refused:
        told = (
            "it is ready, or overridden"
            if found.kind == BatchKind.VOLUME
            else f"its kind is {found.kind}, and only volume batches are held to it"
        )
        raise Refused(
            "override-needless",
            f"nothing holds batch {tag} back: {told}",
            hint=f"lineage batch check {tag}",
        )
    names = [one.name for one in _standing(found.conditions)]
    parameters = {"tag": tag, "reason": reason, "conditions": names}
    with recording(project, ActivityKind.BATCH_OVERRIDE, parameters=parameters, batch=tag):
        pass  # the activity is the whole of it: who, when, and its parameters
    return check(project, tag)


def overrides_of(project: Project, tag: str) -> list[Override]:
    """Return the overrides of a batch, oldest first."""
    with project.store.reading() as connection:
        entries = read.activities(connection)
    return [
        Override(
            entry.activity,
            entry.at,
            entry.agent,
            str(entry.parameters["reason"]),
            _words(entry.parameters["conditions"]),
        )
        for entry in entries
        if entry.kind == ActivityKind.BATCH_OVERRIDE and entry.batch == tag
    ]


def _standing(conditions: Sequence[Condition]) -> list[Condition]:
    return [one for one in conditions if one.state is not State.MET and not one.is_overridden]


def _schema(project: Project, row: BatchRow) -> Condition:
    state = schemas.get(project, row.schema).state
    if state == SchemaState.LOCKED:
        return Condition("schema", State.MET, f"{row.schema} is locked")
    hint = f"lineage schema lock {row.schema}" if state == SchemaState.DRAFT else "a newer version"
    return Condition("schema", State.UNMET, f"{row.schema} is {state}", hint)


def _gold(project: Project, row: BatchRow) -> Condition:
    rows = gold_list.coverage(project, [row.schema], task=row.task).rows
    missing = [_named(each) for each in rows if each["is_missing"]]
    if not missing:
        told = f"all {len(rows)} classes and edge cases have gold"
        return Condition("gold", State.MET, told)
    return Condition(
        "gold",
        State.UNMET,
        f"no gold of task {row.task} for {_listed(missing)}",
        f"lineage gold add --class CLASS --edge-case CASE ...; lineage gold coverage --schema {row.schema}",
        missing,
    )


def _policy(row: BatchRow) -> list[Condition]:
    policy = batches.policy_of(row)
    asked = (
        ("overlap", "overlap_fraction", "images are labelled by two people", "--overlap"),
        ("review", "review_fraction", "labels are re-checked", "--review"),
        ("hidden_gold", "gold_fraction", "images have gold", "--gold"),
    )
    found = [
        Condition(name, State.MET, f"{100 * policy[key]:.4g} % of the {told}")
        if policy[key] > 0
        else Condition(name, State.UNMET, f"none of the {told}", _renewed(option))
        for name, key, told, option in asked
    ]
    bar = policy["agreement_least"]
    if bar > 0:
        return [*found, Condition("agreement_bar", State.MET, f"the pilot has to reach {bar:.4g}")]
    hint = _renewed("--agreement-least")
    return [*found, Condition("agreement_bar", State.UNMET, "no bar for agreement", hint)]


def _renewed(option: str) -> str:
    return f"a policy is fixed: lineage batch create ANOTHER ... {option} FRACTION, and close this"


def _pilots(project: Project, row: BatchRow) -> list[str]:
    """Return the pilots of a batch's task, under its schema version or an earlier minor one.

    A pilot counts for itself: checking it tells whether it has done its work.
    """
    schema = schemas.as_schema(schemas.get(project, row.schema))
    return [
        pilot.tag
        for pilot in batches.list_all(project)
        if pilot.kind == BatchKind.PILOT
        and pilot.task == row.task
        and _came_before(schemas.as_schema(schemas.get(project, pilot.schema)), schema)
    ]


def _came_before(pilot: LabelSchema, schema: LabelSchema) -> bool:
    return _version(pilot) <= _version(schema) and gold_rules.holds(pilot, schema)


def _version(schema: LabelSchema) -> tuple[int, ...]:
    return tuple(int(part) for part in schema.version.split("."))


def _pilot(project: Project, row: BatchRow, pilots: Sequence[str]) -> list[Condition]:
    classes = list(schemas.as_schema(schemas.get(project, row.schema)).classes)
    if not pilots:
        told = f"no pilot of {row.task} under {row.schema} or an earlier minor version"
        hint = f"lineage batch create TAG --kind pilot --task {row.task} --schema {row.schema}"
        return [
            Condition("pilot_agreement", State.UNMET, told, hint),
            Condition(
                "pilot_classes", State.TOO_FEW, "no class was seen in a pilot", hint, classes
            ),
        ]
    how = load_params(project.root).measure
    # no pilot would be no restriction, and every batch would be one
    report = agreement_of(
        project,
        Choice(batch=tuple(pilots)),
        threshold=Threshold(how.iou, how.small_iou),
        sensitivity=(),
    )
    seen = {str(each["class"]): int(str(each["n_units"])) for each in report.by_class}
    bar = batches.policy_of(row)["agreement_least"]
    return [_agreed(report.overall, bar, pilots), _seen(seen, classes, pilots)]


def _agreed(overall: Mapping[str, object], bar: float, pilots: Sequence[str]) -> Condition:
    name, named = "pilot_agreement", _listed(pilots)
    hint = "lineage agreement" + "".join(f" --batch {tag}" for tag in pilots)
    f1, low = overall["f1"], overall["f1_lo"]
    if not isinstance(f1, float) or not isinstance(low, float):
        told = f"too few objects were labelled by two people in {named} to tell"
        return Condition(name, State.TOO_FEW, told, "label the pilot's images twice")
    told = f"F1 in {named} is {f1:.3f}, from {low:.3f}"
    if low >= bar:
        return Condition(name, State.MET, f"{told}: not below {bar:.4g}")
    return Condition(name, State.UNMET, f"{told}, which is below {bar:.4g}", hint)


def _seen(seen: Mapping[str, int], classes: Sequence[str], pilots: Sequence[str]) -> Condition:
    """Tell whether every class was met often enough for people to disagree about it."""
    name, few = "pilot_classes", [each for each in classes if seen.get(each, 0) < TOO_FEW]
    if not few:
        return Condition(name, State.MET, f"{TOO_FEW} objects or more of each class were seen")
    told = _listed([f"{each} {seen.get(each, 0)}" for each in few])
    return Condition(
        name,
        State.TOO_FEW,
        f"fewer than {TOO_FEW} objects were seen by two people in {_listed(pilots)} of: {told}",
        f"add images to the pilot that show them, {TOO_FEW} objects each",
        few,
    )


def _named(row: Mapping[str, object]) -> str:
    return str(row["class"]) if row["edge_case"] is None else f"{row['class']}: {row['edge_case']}"


def _listed(words: Sequence[str]) -> str:
    rest = len(words) - _MOST_NAMED
    return ", ".join(words[:_MOST_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")


def _words(value: object) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []
