"""Gold put before people among their other work: which images, for whom, and nothing that shows it.

Images are drawn evenly over the classes and edge cases of gold, each standing for
the rarest one on it. Nobody is given an image that they have seen, or whose gold
they made. What is drawn is on record with its chance of being drawn; the lists
that go out hold names of images and nothing else.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import batches, gold, gold_answers, gold_rules, position, schemas, trace
from lineage.activities.context import Project
from lineage.activities.gold_answers import codes_in
from lineage.activities.record import Outcome, recording
from lineage.activities.select import is_word
from lineage.activities.trace import Choice
from lineage.errors import BadInput, Refused
from lineage.segments import Ledger
from lineage.store import read
from lineage.terms import ActivityKind, DrawReason

Row = Mapping[str, object]
FRACTION = 0.02
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class GoldDraw:
    """What was drawn; ``activity`` is None where nothing was written.

    Rows of ``people``: ``annotator n_eligible n_wanted n_drawn``; of ``by``: ``class edge_case n``, the
    stratum for which an image was drawn, both None for an image on which there is nothing.
    """

    activity: str | None
    draw: str | None
    batch: str
    people: Sequence[Row]
    by: Sequence[Row]
    files: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What one person is given: assets, the stratum of each, and its chance of being drawn."""

    asset: np.ndarray
    stratum: np.ndarray
    fraction: np.ndarray


@dataclass(frozen=True, slots=True)
class _Frame:
    """Images with gold that holds in a batch.

    Parameters
    ----------
    asset
        ndarray of int64, shape (m,), ascending.
    has
        ndarray of bool, shape (m, n_strata).
    strata
        Classes and edge cases, and "nothing there".
    made
        Per pseudonym, the assets whose gold is theirs.
    """

    asset: np.ndarray
    has: np.ndarray
    strata: Sequence[tuple[str | None, str | None]]
    made: Mapping[str, np.ndarray]


def draw(
    project: Project,
    batch: str,
    people: Sequence[str],
    out: Path,
    *,
    fraction: float = FRACTION,
    n_images: int | None = None,
    is_rehearsal: bool = False,
) -> GoldDraw:
    """Draw hidden gold for people who work on a batch.

    Parameters
    ----------
    project
        An open project.
    batch
        Tag into which the answers come.
    people
        By handle or pseudonym.
    out
        Folder for a list of image names for each of them.
    fraction
        Of each one's images in the batch.
    n_images
        For each, in place of a fraction.
    is_rehearsal
        Write nothing.

    Raises
    ------
    BadInput
        ``gold-fraction``: outside (0, 1].
    NotFound
        ``no-batch``, ``no-annotator``.
    Refused
        ``gold-no-queue``: nothing is known of the batch's images yet; ``gold-none-eligible``: for
        somebody there is no gold that they have not seen; ``file-exists``.
    """
    if not 0 < fraction <= 1:
        raise BadInput(
            "gold-fraction", f"a fraction of {fraction:g}, expected more than 0, at most 1"
        )
    row = batches.get(project, batch)
    asked = trace.selector_of(project, Choice(annotator=tuple(people))).annotators
    seq = position.resolve(project, None)
    frame = _frame(project, row, seq)
    wanted = _wanted(project.ledger, batch, asked, seq, fraction, n_images)
    seen = _seen(project.ledger, frame, asked, seq)
    told = [
        {"annotator": person, "n_eligible": int((~seen[:, at]).sum()), "n_wanted": wanted[at]}
        for at, person in enumerate(asked)
    ]
    _refuse_none_eligible(project, row, told)
    # drawn once and kept on record, so that the key is needed by nobody again
    key = project.entropy(_KEY_BYTES)
    drawn = [
        _drawn(frame, ~seen[:, at], wanted[at], key[:16] + person.encode())
        for at, person in enumerate(asked)
    ]
    told = [{**row, "n_drawn": len(one.asset)} for row, one in zip(told, drawn, strict=True)]
    tally = Counter(frame.strata[at] for one in drawn for at in one.stratum.tolist())
    by: list[Row] = [
        {"class": class_, "edge_case": case, "n": n}
        for (class_, case), n in sorted(tally.items(), key=lambda entry: str(entry[0]))
    ]
    if is_rehearsal:
        return GoldDraw(None, None, batch, told, by, [])
    done = Outcome()
    parameters = {"reason": DrawReason.GOLD, "people": list(asked), "n": sum(tally.values())}
    with recording(
        project, ActivityKind.DRAW, parameters=parameters, batch=batch, outcome=done
    ) as activity:
        name = f"draw-{activity.seq}"
        files = _lists(project, out / name, dict(zip(asked, drawn, strict=True)), key)
        for person, one in zip(asked, drawn, strict=True):
            activity.append("draws", _rows(activity.seq, name, batch, person, one, frame.strata))
    return GoldDraw(done.activity, name, batch, told, by, files)


def _frame(project: Project, row: read.BatchRow, seq: int) -> _Frame:
    """Return the images with gold that holds for what is asked in a batch."""
    with project.store.reading() as connection:
        tasks = {known.tag: known.task for known in read.batches(connection)}
    version = schemas.as_schema(schemas.get(project, row.schema))
    number: dict[tuple[str | None, str | None], int] = {(None, None): 0}
    assets, images, strata = [], [], []
    made: dict[str, list[np.ndarray]] = {}
    for family in gold_answers.families_of(gold.standing(project.ledger, seq)):
        given = gold_answers.answers_of(project, family, seq)
        holds = [
            gold_rules.holds(schemas.as_schema(schemas.get(project, ref)), version)
            for ref in given.schemas
        ]
        fits = (
            np.array(holds)[given.schema]
            & np.array([tasks[tag] == row.task for tag in given.batches])[given.batch]
        )
        assets.append(given.asset[fits])
        for at in np.unique(given.maker[fits]).tolist():
            theirs = given.asset[fits & (given.maker == at)]
            made.setdefault(given.makers[at], []).append(theirs)
        cells = zip(
            given.label["class"].to_pylist(), given.label["edge_case"].to_pylist(), strict=True
        )
        stratum = np.array([number.setdefault(cell, len(number)) for cell in cells], np.int64)
        here = fits[given.of]
        images.append(given.asset[given.of[here]])
        strata.append(stratum[here])
    none = np.zeros(0, np.int64)
    asset = np.unique(np.concatenate([none, *assets]))
    has = np.zeros((len(asset), len(number)), bool)
    at = np.searchsorted(asset, np.concatenate([none, *images]))
    has[at, np.concatenate([none, *strata])] = True
    has[:, 0] = ~has.any(axis=1)
    return _Frame(asset, has, list(number), {p: np.concatenate(own) for p, own in made.items()})


def _wanted(
    ledger: Ledger,
    batch: str,
    people: Sequence[str],
    seq: int,
    fraction: float,
    n_images: int | None,
) -> list[int]:
    """Return how many images each is to be given."""
    if n_images is not None:
        return [n_images] * len(people)
    every, own = [np.zeros(0, np.int64)], [np.zeros((0, 2), np.int64)]
    for rows in ledger.scan("roster", ("asset", "annotator", "batch"), up_to=seq):
        ours = rows.filter(pa.array(is_word(rows["batch"], [batch])))
        asset = np.asarray(ours["asset"])
        every.append(np.unique(asset))
        own.append(np.stack([asset, codes_in(ours["annotator"], people)], axis=1))
    for rows in ledger.scan("completeness", ("asset", "batch"), up_to=seq):
        here = is_word(rows["batch"], [batch])
        every.append(np.unique(np.asarray(rows["asset"])[here]))
    n_batch = len(np.unique(np.concatenate(every)))
    if n_batch == 0:
        raise Refused(
            "gold-no-queue",
            f"nothing is known yet of the images of batch {batch}",
            hint="--images N, for each of them",
        )
    of_person = np.unique(np.concatenate(own), axis=0)[:, 1]
    n_own = np.bincount(of_person[of_person >= 0], minlength=len(people))
    # of who is not on the roster yet, an equal share
    n_share = np.where(n_own > 0, n_own, n_batch / len(people))
    return [math.ceil(fraction * n) for n in n_share.tolist()]


def _seen(ledger: Ledger, frame: _Frame, people: Sequence[str], seq: int) -> np.ndarray:
    """Tell, by image and person, who was asked, drew, was drawn for, or made the gold.

    What was shown as an example (`handoff.pack`) everybody has seen.
    """
    seen = np.zeros((len(frame.asset), len(people)), bool)

    def note(asset: np.ndarray, person: np.ndarray) -> None:
        at = np.minimum(np.searchsorted(frame.asset, asset), max(len(frame.asset) - 1, 0))
        here = np.flatnonzero((person >= 0) & np.isin(asset, frame.asset))
        seen[at[here], person[here]] = True

    for table in ("roster", "revisions", "draws"):
        within = None if table == "draws" else frame.asset
        for rows in ledger.scan(table, ("asset", "annotator"), up_to=seq, assets=within):
            note(np.asarray(rows["asset"]), codes_in(rows["annotator"], people))
    for rows in ledger.scan("draws", ("asset", "reason"), up_to=seq):
        shown = np.asarray(rows["asset"])[is_word(rows["reason"], [DrawReason.EXAMPLE])]
        for at in range(len(people)):
            note(shown, np.full(len(shown), at))
    for at, person in enumerate(people):
        own = frame.made.get(person, np.zeros(0, np.int64))
        note(own, np.full(len(own), at))
    return seen


def _refuse_none_eligible(project: Project, row: read.BatchRow, told: Sequence[Row]) -> None:
    names = trace.names_of(project)
    without = [names[str(one["annotator"])] for one in told if not one["n_eligible"]]
    if without:
        rest = ", ".join(
            f"{names[str(one['annotator'])]} {one['n_eligible']}"
            for one in told
            if one["n_eligible"]
        )
        raise Refused(
            "gold-none-eligible",
            f"no gold for {row.task} under {row.schema} that {', '.join(without)} did not see or make"
            + (f"; images for the others: {rest}" if rest else ""),
            hint="lineage gold add, or leave them out",
        )


def _drawn(frame: _Frame, is_eligible: np.ndarray, n: int, key: bytes) -> _Drawn:
    """Draw images for one person, as evenly over the strata as there are images.

    Images pass in order of stratum and, within it, of a keyed hash.
    """
    rows = np.flatnonzero(is_eligible)
    has = frame.has[rows]
    n_images = has.sum(axis=0)
    # an image stands for the rarest of what is on it
    stratum = np.argmin(np.where(has, n_images, len(rows) + 1), axis=1)
    size = np.bincount(stratum, minlength=len(frame.strata))
    chance = np.zeros(len(size))
    chance[size > 0] = chances(size[size > 0], n)
    start = float(uniform(np.array([-1]), key)[0])
    picked = systematic(chance[stratum], (uniform(frame.asset[rows], key), stratum), start)
    return _Drawn(frame.asset[rows[picked]], stratum[picked], chance[stratum[picked]])


def systematic(chance: np.ndarray, order: tuple[np.ndarray, ...], start: float) -> np.ndarray:
    """Draw rows, each with its chance, and as many as the chances add up to.

    Parameters
    ----------
    chance
        ndarray of float64, shape (n,), in (0, 1].
    order
        Keys of the order in which rows are passed, the last the weightiest: of rows that lie side by
        side in it, their share is drawn, rounded up or down.
    start
        In [0, 1).

    Returns
    -------
    ndarray of int64
        Rows.
    """
    ranked = np.lexsort(order)
    total = np.floor(np.round(np.cumsum(chance[ranked]), 9) + start)
    return ranked[np.flatnonzero(np.diff(total, prepend=0.0) > 0)]


def chances(size: np.ndarray, n: int) -> np.ndarray:
    """Return the chance of an image of each stratum, so that strata are as even as they can be.

    Parameters
    ----------
    size
        ndarray of int64, shape (k,): images of each stratum, at least 1.
    n
        How many are drawn.

    Examples
    --------
    >>> chances(np.array([1, 10, 40]), 9).tolist()
    [1.0, 0.4, 0.1]
    """
    expected = size.astype(float)
    is_open, left = np.ones(len(size), bool), float(n)
    if n >= size.sum():
        return np.ones(len(size))
    while True:
        level = left / is_open.sum()
        full = is_open & (size <= level)
        if not full.any():
            break
        left -= size[full].sum()
        is_open &= ~full
    expected[is_open] = level
    return expected / size


def uniform(ids: np.ndarray, key: bytes) -> np.ndarray:
    """Return numbers in [0, 1) that follow from ids and a key, and that nobody can guess without it."""
    found = [
        int.from_bytes(blake2b(number.tobytes(), key=key, digest_size=8).digest(), "little")
        for number in ids.astype("<i8")
    ]
    # 53 bits, so that no number is rounded up to 1
    return (np.array(found, np.uint64) >> np.uint64(11)) / 2.0**53


def _rows(
    seq: int,
    name: str,
    batch: str,
    person: str,
    one: _Drawn,
    strata: Sequence[tuple[str | None, str | None]],
) -> pa.RecordBatch:
    values = {
        "seq": seq,
        "draw": name,
        "asset": one.asset,
        "batch": batch,
        "annotator": person,
        "reason": DrawReason.GOLD.value,
        "stratum": ["|".join(part or "" for part in strata[at]) for at in one.stratum.tolist()],
        "inclusion_fraction": one.fraction,
    }
    return columns.batch_of(columns.SEGMENT_DRAWS, values, len(one.asset))


def _lists(project: Project, folder: Path, drawn: Mapping[str, _Drawn], key: bytes) -> list[str]:
    """Write the names of each one's images, in no order."""
    if folder.exists():
        raise Refused("file-exists", f"{folder} exists", hint="--out another folder")
    folder.mkdir(parents=True)
    keys = {asset for one in drawn.values() for asset in one.asset.tolist()}
    with project.store.reading() as connection:
        names = read.asset_names(connection, keys)
    files = []
    for person, one in drawn.items():
        shuffled = one.asset[np.argsort(uniform(one.asset, key[16:] + person.encode()))]
        path = folder / f"{person}.txt"
        path.write_text("".join(f"{names[asset]}\n" for asset in shuffled.tolist()), "utf-8")
        files.append(path.as_posix())
    return files
