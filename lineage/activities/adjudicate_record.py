"""The rows that settle open objects: stages, and labels derived from the opinions they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities.adjudicate_cases import Label
from lineage.activities.record import Recording
from lineage.identity import canonical_json
from lineage.terms import AgentKind, Completeness, Identity, Operation, Origin, Stage

HANDLE = "lineage-adjudication"
"""Of the rule that settles what opinions leave in no doubt."""


class Result(StrEnum):
    """What becomes of an open object."""

    STANDS = "stands"
    REJECTED = "rejected"  # there is nothing, or nothing that was drawn is right
    REPLACED = "replaced"
    ADDED = "added"  # a missed object
    DISMISSED = "dismissed"  # nothing was missed


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an open object is settled.

    Parameters
    ----------
    revisions
        What is contested; reviewers' labels of a missed object.
    annotation, asset
        Of what is contested, and its image.
    result
        What becomes of it.
    basis
        ``opinions`` or ``senior``.
    derived_from
        Revisions of the opinions.
    label
        That stands now, where it is another.
    is_unfinished
        Something is there, and no label of it stands: the image must not be taken for a whole one.
    told
        What else is kept with the new label.
    comment
        Of the senior; what is ambiguous.
    """

    revisions: tuple[int, ...]
    annotation: int
    asset: int
    result: Result
    basis: str
    derived_from: Sequence[int]
    label: Label | None = None
    is_unfinished: bool = False
    told: Mapping[str, object] = field(default_factory=dict)
    comment: str | None = None


def settle(
    activity: Recording, batch: tuple[str, str], settled: Sequence[Settlement], by: str | None
) -> None:
    """Append what settles objects to the activity that records it.

    Parameters
    ----------
    activity
        Being recorded.
    batch
        Its tag and schema.
    settled
        Each object once.
    by
        Pseudonym of the senior; None for the rule.
    """
    who = activity.annotator(HANDLE, kind=AgentKind.RULE) if by is None else by
    written = [one for one in settled if one.label is not None]
    numbers = _revisions(activity, batch, written, who)
    judged = [one for one in settled if one.result not in (Result.ADDED, Result.DISMISSED)]
    stands = [one.result is Result.STANDS for one in judged]
    activity.append(
        "stages",
        columns.batch_of(
            columns.STAGES,
            {
                "revision": [one.revisions[0] for one in judged],
                "seq": activity.seq,
                "stage": [Stage.FINAL.value if is_so else Stage.REJECTED.value for is_so in stands],
                "by": who,
                "basis": [f"adjudicated: {one.basis}" for one in judged],
                "comment": pa.array([one.comment for one in judged], pa.string()),
            },
            len(judged),
        ),
    )
    _unfinished(activity, batch[0], [one.asset for one in settled if one.is_unfinished])
    number = {id(one): at for one, at in zip(written, numbers, strict=True)}
    activity.outcome["missed"] = [
        {"opinions": list(one.revisions), "revision": number.get(id(one)), "basis": one.basis}
        for one in settled
        if one.result in (Result.ADDED, Result.DISMISSED)
    ]  # fmt: skip
    activity.outcome["results"] = {
        one.value: sum(each.result is one for each in settled) for one in Result
    }


def _revisions(
    activity: Recording, batch: tuple[str, str], written: Sequence[Settlement], who: str
) -> list[int]:
    """Append the new labels, and return their numbers."""
    n = len(written)
    if n == 0:
        return []
    labels = [one.label for one in written if one.label is not None]
    is_add = np.array([one.result is Result.ADDED for one in written])
    first = activity.head.revision + 1
    new = np.cumsum(is_add) + activity.head.annotation
    annotation = np.where(is_add, new, [one.annotation for one in written])
    sides = {
        name: pa.array(
            [None if label.box is None else label.box[at] for label in labels], pa.float64()
        )
        for at, name in enumerate(columns.BOX)
    }
    values: dict[str, object] = {
        **sides,
        "revision": first + np.arange(n),
        "annotation": annotation,
        "seq": activity.seq,
        "operation": [Operation.ADD.value if one else Operation.SUPERSEDE.value for one in is_add],
        "supersedes": pa.array([one.revisions[0] for one in written], pa.int64(), mask=is_add),
        "identity": [Identity.NEW.value if one else Identity.ID.value for one in is_add],
        "asset": [one.asset for one in written],
        "annotator": who,
        "class": [label.class_ for label in labels],
        "kind": [label.kind for label in labels],
        "geometry": pa.array([label.geometry for label in labels], columns.GEOMETRY),
        "attributes": [label.attributes for label in labels],
        "stage": Stage.FINAL.value,
        "schema": batch[1],
        "batch": batch[0],
        "origin": Origin.ADJUDICATED.value,
        "extra": [_derivation(one) for one in written],
    }
    activity.append("revisions", columns.batch_of(columns.REVISIONS, values, n))
    return [first + at for at in range(n)]


def _derivation(one: Settlement) -> str:
    told = {"derived_from": list(one.derived_from), "basis": one.basis, **one.told}
    return canonical_json(told).decode()


def _unfinished(activity: Recording, batch: str, assets: Sequence[int]) -> None:
    """Say of images that something on them has no label: without this they would pass for whole."""
    values = {
        "seq": activity.seq,
        "asset": sorted(set(assets)),
        "batch": batch,
        "state": Completeness.IN_PROGRESS.value,
        "reason": "adjudicated: both candidates are wrong",
    }
    n = len(set(assets))
    activity.append("completeness", columns.batch_of(columns.SEGMENT_COMPLETENESS, values, n))
