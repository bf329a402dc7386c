"""What drift is told from: how opinions compared, week by week, kept between runs.

Counts are sums over images, and an image's part changes only when something is
recorded of it. So what was counted is kept beside the store, and a later run takes
out what the images touched since then had added, as of then, and puts in what they
add now: it reads and matches a week's images, and arrives at the very numbers that
counting everything anew would give.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from lineage.activities import collect, gather, position
from lineage.activities.context import Project
from lineage.activities.gather import Block, Threshold
from lineage.activities.opinions import Opinions
from lineage.activities.trace import Choice
from lineage.calc import comparisons
from lineage.identity import canonical_json
from lineage.segments import Ledger, write_synced
from lineage.store import read

MEASURES = ("left", "top", "right", "bottom", "overlap")
"""Where annotators put the sides, as a fraction of the object's size beyond the partner's; and how well two
labels lie on one another, as the logit of their IoU."""

MISSING = 0
"""Code of "drew nothing" among the classes of `Weekly`."""

VOTE = 5040
"""What an opinion's comparisons with all others on a unit count for together; divisible by 1 to 10."""

_FIXED = 2.0**20
_LAYOUT = 2
_SURE_IOU = (0.01, 0.999)


@dataclass(frozen=True, slots=True)
class Weekly:
    """Comparisons of opinions by week.

    Parameters
    ----------
    annotators, classes
        What codes stand for; class 0 is "drew nothing".
    said
        ndarray of int64, shape (n, 5): week, annotator, what the partner said, what the annotator said,
        how often, times `VOTE`; rows differ in the first four.
    apart
        ndarray of int64, shape (m, 7): every comparison in which the two said different things, as week,
        annotator, partner's class, own class, asset, own annotation and partner's (0: drew nothing).
    places
        ndarray of int64, shape (k, 13): week, two annotators, objects that both drew, then per measure
        of `MEASURES` the sum of the first's less the second's, and of its squares, in 2^-20.
    seq
        Place in the log up to which it is counted.
    """

    annotators: tuple[str, ...]
    classes: tuple[str | None, ...]
    said: np.ndarray
    apart: np.ndarray
    places: np.ndarray
    seq: int

    def weeks(self) -> np.ndarray:
        """Return the weeks of which there is anything, ascending."""
        return np.unique(self.said[:, 0])


def weekly(
    project: Project, choice: Choice | None = None, threshold: Threshold | None = None
) -> Weekly:
    """Return how opinions compared by week, from what is kept and what is new since.

    Parameters
    ----------
    project
        An open project.
    choice
        Which opinions.
    threshold
        When two labels are of one object.
    """
    asked, how = choice or Choice(), threshold or Threshold()
    seq = position.resolve(project, asked.as_of)
    path = project.root / ".lineage" / "cache" / f"weekly-{_key(asked, how)}.npz"
    kept = _read(path.read_bytes()) if path.is_file() else None
    if kept is not None and (kept[0].seq > seq or _root(project, kept[0].seq) != kept[1]):
        kept = None
    if kept is None:
        found = _counted(project, asked, how, seq)
    elif kept[0].seq == seq:
        return kept[0]
    else:
        found = _caught_up(project, kept[0], asked, how, seq)
    if asked.as_of is None:
        path.parent.mkdir(exist_ok=True)
        aside = path.with_suffix(".new")
        write_synced(aside, _written(found, _root(project, seq)))
        aside.replace(path)
    return found


def _caught_up(
    project: Project, kept: Weekly, choice: Choice, threshold: Threshold, seq: int
) -> Weekly:
    """Replace what the images touched since had added by what they add now."""
    touched = _touched(project.ledger, kept.seq, seq)
    if len(touched) == 0:
        return replace(kept, seq=seq)
    before = _counted(project, choice, threshold, kept.seq, touched)
    now = _counted(project, choice, threshold, seq, touched)
    rest = replace(kept, apart=kept.apart[~np.isin(kept.apart[:, 4], touched)])
    return replace(
        _added([rest, replace(before, apart=before.apart[:0]), now], [1, -1, 1]), seq=seq
    )


def _touched(ledger: Ledger, after: int, up_to: int) -> np.ndarray:
    parts = [
        np.asarray(rows["asset"])
        for table in ("revisions", "roster")
        for rows in ledger.scan(table, ("asset",), after=after, up_to=up_to)
    ]
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)


def _counted(
    project: Project,
    choice: Choice,
    threshold: Threshold,
    seq: int,
    assets: np.ndarray | None = None,
) -> Weekly:
    opinions = collect.load(project, replace(choice, as_of=str(seq)), assets=assets)
    parts = [_of_block(block, gather.gathered(block, threshold)) for block in opinions.blocks()]
    return replace(_added([_nothing(opinions), *parts], [1] * (len(parts) + 1)), seq=seq)


def _nothing(opinions: Opinions) -> Weekly:
    said, apart, places = (np.zeros((0, n), np.int64) for n in (5, 7, 4 + 2 * len(MEASURES)))
    classes = (None, *opinions.words.classes)
    return Weekly(tuple(opinions.words.annotators), classes, said, apart, places, opinions.seq)


def _of_block(opinions: Opinions, found: Block) -> Weekly:
    pairs, n_classes = found.pairs, len(opinions.words.classes)
    person, partner, own, row = comparisons.directed(pairs)
    # the other way round: what a pair's first said is what the second's partner said
    code = np.append(np.arange(1, n_classes + 1), MISSING)
    partner, own, week = code[partner], code[own], found.week[row]
    asked = np.bincount(found.said.unit)[pairs.unit[row]]
    # several partners who contradict one slip are not several slips: they share its one vote
    vote = np.round(VOTE / (asked - 1)).astype(np.int64)
    said = np.stack([week, person, partner, own, vote], axis=1)
    number = np.append(found.labels.annotation, 0)
    first, second = number[pairs.label_first], number[pairs.label_second]
    is_apart = partner != own
    apart = np.stack(
        [
            week,
            person,
            partner,
            own,
            opinions.asset_of(found.image)[row],
            np.concatenate([first, second]),
            np.concatenate([second, first]),
        ],
        axis=1,
    )[is_apart]
    return replace(_nothing(opinions), said=_summed(said, 4), apart=apart, places=_places(found))


def _places(found: Block) -> np.ndarray:
    rows = np.flatnonzero(np.isfinite(found.overlap))
    if len(rows) == 0:
        return np.zeros((0, 4 + 2 * len(MEASURES)), np.int64)
    measured = measures(found, rows)
    keys = [found.week[rows], found.pairs.first[rows], found.pairs.second[rows], np.ones(len(rows))]
    # whole numbers, so that sums are the same in whatever order they are made
    fixed = np.round(np.concatenate([measured, measured**2], axis=1) * _FIXED)
    return _summed(np.concatenate([np.stack(keys, axis=1), fixed], axis=1).astype(np.int64), 3)


def measures(found: Block, rows: np.ndarray) -> np.ndarray:
    """Return `MEASURES` of some pairs of labels, the first's less the second's.

    Parameters
    ----------
    found
        A block.
    rows
        ndarray of int64, shape (n,): pairs of which both drew a place.

    Returns
    -------
    ndarray of float64, shape (n, 5)
    """
    one = found.labels.box[found.pairs.label_first[rows]]
    other = found.labels.box[found.pairs.label_second[rows]]
    mean = (one + other) / 2
    size = np.maximum(mean[:, 2:] - mean[:, :2], 1e-9)
    overlap = np.clip(found.overlap[rows], *_SURE_IOU)
    sides = np.clip((one - other) / np.tile(size, 2), -1, 1)
    return np.concatenate([sides, np.log(overlap / (1 - overlap))[:, None]], axis=1)


def per_measure(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sums and sums of squares by row of `Weekly.places` and measure."""
    n = len(MEASURES)
    return places[:, 4 : 4 + n] / _FIXED, places[:, 4 + n :] / _FIXED


def _summed(rows: np.ndarray, n_keys: int) -> np.ndarray:
    """Add up rows that are equal in their first columns; rows whose every sum is nought are left out."""
    if len(rows) == 0:
        return rows
    order = np.lexsort(rows[:, :n_keys].T[::-1])
    rows = rows[order]
    is_first = np.ones(len(rows), bool)
    is_first[1:] = np.any(rows[1:, :n_keys] != rows[:-1, :n_keys], axis=1)
    starts = np.flatnonzero(is_first)
    sums = np.add.reduceat(rows[:, n_keys:], starts, axis=0)
    found = np.concatenate([rows[starts, :n_keys], sums], axis=1)
    return found[np.any(sums != 0, axis=1)]


def _added(parts: Sequence[Weekly], signs: Sequence[int]) -> Weekly:
    """Add up parts, each with a sign, in words of their own: those that are used, sorted."""
    people = sorted({name for part in parts for name in part.annotators})
    classes = sorted({name for part in parts for name in part.classes if name is not None})
    coded = []
    for part, sign in zip(parts, signs, strict=True):
        person = np.array([people.index(name) for name in part.annotators], np.int64)
        class_ = np.array([0, *(classes.index(str(n)) + 1 for n in part.classes[1:])], np.int64)
        coded.append(_recoded(part, person, class_, sign))
    said = _summed(np.concatenate([part.said for part in coded]), 4)
    apart = np.concatenate([part.apart for part in coded])
    places = _summed(np.concatenate([part.places for part in coded]), 3)
    used_people = np.unique(np.concatenate([said[:, 1], places[:, 1], places[:, 2]]))
    used_classes = np.union1d([MISSING], said[:, 2:4])
    whole = Weekly(
        annotators=tuple(people[at] for at in used_people.tolist()),
        classes=(None, *(classes[at - 1] for at in used_classes[1:].tolist())),
        said=said,
        apart=apart[np.lexsort(apart.T[::-1])],
        places=places,
        seq=max(part.seq for part in parts),
    )
    person, class_ = _numbers(used_people, len(people)), _numbers(used_classes, len(classes) + 1)
    return _recoded(whole, person, class_, 1)


def _numbers(used: np.ndarray, n: int) -> np.ndarray:
    found = np.full(n, -1, np.int64)
    found[used] = np.arange(len(used))
    return found


def _recoded(part: Weekly, person: np.ndarray, class_: np.ndarray, sign: int) -> Weekly:
    said, apart = part.said.copy(), part.apart.copy()
    for rows in (said, apart):
        rows[:, 1] = person[rows[:, 1]]
        rows[:, 2:4] = class_[rows[:, 2:4]]
    said[:, 4] *= sign
    return replace(part, said=said, apart=apart, places=_turned(part.places, person, sign))


def _turned(places: np.ndarray, person: np.ndarray, sign: int) -> np.ndarray:
    """Recode people, the smaller first; a difference turned round changes its sign, an overlap does not."""
    found = places.copy()
    found[:, 1], found[:, 2] = person[places[:, 1]], person[places[:, 2]]
    found[:, 3:] *= sign
    is_turned = found[:, 1] > found[:, 2]
    found[is_turned, 1:3] = found[is_turned, 2:0:-1]
    found[is_turned, 4:8] *= -1
    return found


def _key(choice: Choice, threshold: Threshold) -> str:
    """Return a name for what is counted: the same for the same question."""
    # whoever asks for classes or annotators is shown theirs, of the same counts
    asked = asdict(replace(choice, as_of=None, class_=(), annotator=(), stage=()))
    document = {"layout": _LAYOUT, "choice": asked, "threshold": asdict(threshold)}
    return hashlib.sha256(canonical_json(document)).hexdigest()[:16]


def _root(project: Project, seq: int) -> str:
    with project.store.reading() as connection:
        return read.roots(connection).get(seq, "")


def _written(found: Weekly, root: str) -> bytes:
    sink = io.BytesIO()
    np.savez_compressed(
        sink,
        annotators=np.array(found.annotators, np.str_),
        classes=np.array(found.classes[1:], np.str_),
        said=found.said,
        apart=found.apart,
        places=found.places,
        seq=np.array(found.seq),
        root=np.array(root),
    )
    return sink.getvalue()


def _read(content: bytes) -> tuple[Weekly, str] | None:
    """Return what `_written` wrote and the log's root then; None where it cannot be read.

    It is kept for speed alone: what is lost is counted anew.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            found = Weekly(
                annotators=tuple(file["annotators"].tolist()),
                classes=(None, *file["classes"].tolist()),
                said=file["said"],
                apart=file["apart"],
                places=file["places"],
                seq=int(file["seq"]),
            )
            return found, str(file["root"])
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile):
        return None
