"""Reopening disputes: fresh, blind opinions ordered on objects of which two people said different things.

Of the objects on which the first two opinions differ in one way, some are drawn by
keyed hash; each image goes to two people who have not seen it, among images that
nobody disputed, so that neither the packet nor its order shows what is at issue. What
comes back tells slips from split definitions without selection on the outcome.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import batches, draws, packets, position, trace
from lineage.activities.batches import BatchOrder
from lineage.activities.context import Project
from lineage.activities.disputed import NOTHING, Frame, frame_of
from lineage.activities.gather import Threshold
from lineage.activities.packets import Packet
from lineage.activities.record import Outcome, recording
from lineage.activities.select import is_word
from lineage.activities.trace import Choice
from lineage.calc import sampling
from lineage.errors import BadInput, NotFound, Refused
from lineage.store import read
from lineage.terms import ActivityKind, DrawReason

Row = Mapping[str, object]
N_DISPUTES = 40
"""Of a pair of classes; with twice as many fresh opinions 98 of 100 verdicts are right (METHODS 2.2)."""

DECOY_FRACTION = 0.3
_EACH = 2


@dataclass(frozen=True, slots=True)
class DisputeOrder:
    """What is to be reopened.

    Parameters
    ----------
    class_, as_class
        The two things that were said; None for "drew nothing".
    people
        Who is asked, by handle or pseudonym; two at least.
    batch
        Tag into which their answers come; made where it is missing.
    n
        Disputed objects.
    decoy_fraction
        Of each packet, images that nobody disputed; at least 0.3.
    tool
        One of `packets.TOOLS`.
    """

    class_: str | None
    as_class: str | None
    people: Sequence[str]
    batch: str
    n: int = N_DISPUTES
    decoy_fraction: float = DECOY_FRACTION
    tool: str = "label-studio"


@dataclass(frozen=True, slots=True)
class Reopened:
    """What was ordered; ``activity`` and ``packets`` are empty after a rehearsal.

    ``n_open`` of ``n_disputes`` objects are not reopened yet and lie on images that two of the people
    have not seen.
    Rows of ``people``: ``annotator n_eligible n_disputed n_decoys``.
    """

    activity: str | None
    draw: str | None
    batch: str
    n_disputes: int
    n_open: int
    n_drawn: int
    n_images: int
    people: Sequence[Row]
    packets: Sequence[Packet]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is drawn: rows of the frame, images and decoys by person, and the chance of being drawn."""

    key: bytes
    chosen: np.ndarray
    given: Mapping[str, np.ndarray]
    decoys: Mapping[str, np.ndarray]
    fraction: float
    sizes: tuple[int, int, int, int]
    people: Sequence[Row]


def reopen(
    project: Project,
    order: DisputeOrder,
    out: Path,
    *,
    choice: Choice | None = None,
    threshold: Threshold | None = None,
    is_rehearsal: bool = False,
) -> Reopened:
    """Draw disputed objects and write blind packets.

    Parameters
    ----------
    project
        An open project.
    order
        What is to be reopened.
    out
        Folder below which the draw's packets go.
    choice, threshold
        Which opinions, and when two labels are of one object.
    is_rehearsal
        Write nothing.

    Raises
    ------
    BadInput
        ``dispute-order``: fewer than two people, or fractions and numbers that make no sense;
        ``packet-tool``.
    NotFound
        ``no-annotator``, ``no-dispute``: nobody's first two opinions differ so.
    Refused
        ``dispute-nobody``: no disputed image is new to two of the people, or there are too few images
        without a dispute; ``dispute-batch``: the batch is in use for something else; ``batch-closed``.
    """
    packets.refuse_unknown_tool(order.tool)
    named = trace.selector_of(project, Choice(annotator=tuple(order.people))).annotators
    asked = tuple(dict.fromkeys(named))
    _check(order, len(asked))
    frame = frame_of(
        project,
        order.class_,
        order.as_class,
        choice=choice or Choice(),
        threshold=threshold or Threshold(),
    )
    like = _batch_like(project, order, frame.batch)
    plan = _planned(project, order, asked, frame)
    if is_rehearsal:
        return Reopened(None, None, order.batch, *plan.sizes, plan.people, ())
    if like is not None:
        batches.create(project, like)
    done = Outcome()
    parameters = {
        "reason": DrawReason.DISPUTE,
        "class": order.class_,
        "as_class": order.as_class,
        **dict(zip(("n_disputes", "n_open", "n_drawn", "n_images"), plan.sizes, strict=True)),
        "people": list(asked),
        "tool": order.tool,
        "key": sampling.key_name(plan.key),
    }
    with recording(
        project, ActivityKind.DRAW, parameters=parameters, batch=order.batch, outcome=done
    ) as activity:
        draw = f"draw-{activity.seq}"
        for person in asked:
            activity.append("draws", _rows(activity.seq, draw, order, person, frame, plan))
    written = write_packets(project, draw, out)
    return Reopened(done.activity, draw, order.batch, *plan.sizes, plan.people, written)


def _planned(project: Project, order: DisputeOrder, asked: Sequence[str], frame: Frame) -> _Plan:
    key = sampling.derived(packets.secret(project), f"draw dispute-{order.batch}")
    seq = position.resolve(project, None)
    seen = draws.seen_by(project.ledger, asked, seq)
    told = [{"annotator": p, "n_eligible": _n_unseen(frame.asset, seen[p])} for p in asked]
    # who saw which image was chance, so those that two may still see are as good as all
    n_free = np.sum([~np.isin(frame.asset, seen[person]) for person in asked], axis=0)
    free = np.flatnonzero((n_free >= _EACH) & ~_is_opened(project, frame, seq))
    if len(free) == 0:
        _refuse_nobody(project, frame, told)
    rank = np.argsort(sampling.fractions(frame.annotation[free], key), kind="stable")
    chosen = np.sort(free[rank[: order.n]])
    given = _dealt(frame.asset[chosen], asked, seen, key)
    decoys = {
        person: _decoys(
            frame, assets, seen[person], order, sampling.derived(key, f"decoys {person}")
        )
        for person, assets in given.items()
    }
    sizes = (len(frame.asset), len(free), len(chosen), len(np.unique(frame.asset[chosen])))
    people = [
        {**row, "n_disputed": len(given[person]), "n_decoys": len(decoys[person])}
        for row, person in zip(told, asked, strict=True)
    ]
    return _Plan(key, chosen, given, decoys, len(chosen) / len(free), sizes, people)


def write_packets(project: Project, draw: str, out: Path) -> tuple[Packet, ...]:
    """Write a draw's packets, the same bytes whenever they are asked for.

    Raises
    ------
    NotFound
        ``no-draw``.
    Refused
        ``packet-exists``; ``draw-key``: the key of the draw is not here.
    """
    reasons = (DrawReason.DISPUTE, DrawReason.DECOY)
    rows = draws.drawn(project.ledger, reasons, position.resolve(project, None))
    rows = rows.filter(pa.array(is_word(rows["draw"].combine_chunks(), [draw])))
    if rows.num_rows == 0:
        raise NotFound("no-draw", f"no draw {draw!r} of disputes", hint="lineage log")
    batch = rows["batch"][0].as_py()
    with project.store.reading() as connection:
        parameters = next(
            entry.parameters for entry in read.activities(connection)
            if entry.seq == rows["seq"][0].as_py()
        )  # fmt: skip
    people: dict[str, list[int]] = {}
    for person, asset in zip(rows["annotator"].to_pylist(), rows["asset"].to_pylist(), strict=True):
        people.setdefault(person, []).append(asset)
    key = sampling.derived(packets.secret(project), f"draw dispute-{batch}")
    if sampling.key_name(key) != parameters["key"]:
        raise Refused(
            "draw-key",
            f"{draw} was dealt out by another key than the one here: the same packets cannot be made",
            hint="bring .lineage/sampling.key from where the draw was made, or a backup",
        )
    return packets.write(project, out / draw, str(parameters["tool"]), people, batch, key=key)


def _check(order: DisputeOrder, n_people: int) -> None:
    problems = []
    if n_people < _EACH:
        problems.append(f"people asked: {n_people}, expected 2 at least: --for NAME --for NAME")
    if order.class_ == order.as_class:
        problems.append("the two things said are the same")
    if order.n < 1:
        problems.append(f"{order.n} disputes, expected at least 1")
    if not DECOY_FRACTION <= order.decoy_fraction < 1:
        problems.append(
            f"a decoy fraction of {order.decoy_fraction:g}, expected {DECOY_FRACTION:g} to below 1: "
            "with fewer, people infer what is at issue"
        )
    if problems:
        raise BadInput("dispute-order", "; ".join(problems))


def _is_opened(project: Project, frame: Frame, seq: int) -> np.ndarray:
    """Tell which disputes were drawn before: their fresh opinions are ordered."""
    rows = draws.drawn(project.ledger, (DrawReason.DISPUTE,), seq)
    before = draws.annotations_of(project.ledger, rows, seq).values()
    return np.isin(frame.annotation, np.array(list(before), np.int64))


def _refuse_nobody(project: Project, frame: Frame, told: Sequence[Row]) -> None:
    names = trace.names_of(project)
    people = ", ".join(
        f"{names.get(str(row['annotator']), row['annotator'])} {row['n_eligible']}" for row in told
    )
    raise Refused(
        "dispute-nobody",
        f"of {len(np.unique(frame.asset))} disputed images none that is not reopened yet is new to two of them; "
        f"each has not seen: {people}",
        hint="ask more people with --for",
    )


def _n_unseen(assets: np.ndarray, seen: np.ndarray) -> int:
    return int((~np.isin(np.unique(assets), seen)).sum())


def _dealt(
    assets: np.ndarray, people: Sequence[str], seen: Mapping[str, np.ndarray], key: bytes
) -> dict[str, np.ndarray]:
    """Give every image to two people who have not seen it, those with fewest first."""
    images = np.unique(assets)
    images = images[np.argsort(sampling.fractions(images, key), kind="stable")]
    load = dict.fromkeys(people, 0)
    given: dict[str, list[int]] = {person: [] for person in people}
    free = {person: ~np.isin(images, seen[person]) for person in people}
    # images that fewest people may have go first, or nobody is left for them
    n_free = np.sum([free[person] for person in people], axis=0)
    for at in np.argsort(n_free, kind="stable").tolist():
        may = sorted((p for p in people if free[p][at]), key=lambda p: (load[p], people.index(p)))
        for person in may[:_EACH]:
            load[person] += 1
            given[person].append(int(images[at]))
    return {person: np.array(own, np.int64) for person, own in given.items()}


def _decoys(
    frame: Frame, given: np.ndarray, seen: np.ndarray, order: DisputeOrder, key: bytes
) -> np.ndarray:
    """Choose images that nobody disputed, those with the class first."""
    n = math.ceil(len(given) * order.decoy_fraction / (1 - order.decoy_fraction))
    free = np.flatnonzero(~np.isin(frame.plain, seen) & ~np.isin(frame.plain, given))
    if len(free) < n:
        raise Refused(
            "dispute-nobody",
            f"{len(free)} images that nobody disputed and the person has not seen, {n} decoys are needed",
            hint="ask fewer disputes with -n, or other people with --for",
        )
    # by keyed hash and never in order: the names of images would tell which were not disputed
    number = sampling.fractions(frame.plain[free], key)
    rank = np.lexsort((number, ~frame.has_class[free]))
    found: np.ndarray = frame.plain[free[rank[:n]]]
    return found


def _batch_like(project: Project, order: DisputeOrder, like: str) -> BatchOrder | None:
    """Return the order of the batch that is to be made, None where it is there and free for this.

    A batch that holds other answers is not: all that is in a batch of fresh opinions counts for
    disputes alone.
    """
    known = {row.tag: row for row in batches.list_all(project)}
    row, own = known[like], known.get(order.batch)
    if own is None:
        return BatchOrder(order.batch, row.task, row.schema)
    batches.schema_for_import(project, own)
    problem = None
    if (own.task, own.schema.split("@")[0]) != (row.task, row.schema.split("@")[0]):
        problem = f"asks {own.task} under {own.schema}, the disputes are about {row.task} under {row.schema}"
    elif own.tag not in draws.fresh_batches(
        project.ledger, position.resolve(project, None)
    ) and any(
        is_word(rows["batch"], [own.tag]).any()
        for rows in project.ledger.scan("roster", ("batch",))
    ):
        problem = "holds answers already, which would count for disputes alone from now on"
    if problem is not None:
        raise Refused(
            "dispute-batch",
            f"batch {own.tag} {problem}",
            hint="name a batch of its own with --batch",
        )
    return None


def _rows(
    seq: int, draw: str, order: DisputeOrder, person: str, frame: Frame, plan: _Plan
) -> pa.RecordBatch:
    own = plan.chosen[np.isin(frame.asset[plan.chosen], plan.given[person])]
    decoys = plan.decoys[person]
    reasons = [DrawReason.DISPUTE.value] * len(own) + [DrawReason.DECOY.value] * len(decoys)
    return columns.batch_of(
        columns.SEGMENT_DRAWS,
        {
            "seq": seq,
            "draw": draw,
            "asset": np.concatenate([frame.asset[own], decoys]),
            "revision": pa.array(
                [*frame.revision[own].tolist(), *[None] * len(decoys)], pa.int64()
            ),
            "batch": order.batch,
            "annotator": person,
            "reason": reasons,
            "stratum": f"{order.class_ or NOTHING}|{order.as_class or NOTHING}",
            "inclusion_fraction": [plan.fraction] * len(own) + [1.0] * len(decoys),
        },
        len(reasons),
    )
