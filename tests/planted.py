"""Planted truth for identity: label sets of which it is known which label became which.

Images hold 5 to 40 objects, most of them in clusters of near and overlapping boxes of one
class, drawn as boxes, polygons or turned boxes, some as both box and polygon, and up to three
whole-image classes; some images are labelled by several people. Of the labels, one in five is
edited: moved (sides redrawn or the whole shifted, from hardly at all to half the overlap, a
few much further), renamed, both, dropped, or added. Then ids are kept, lost, renumbered or made
to lie, and the rows shuffled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities.prior import Keys, Prior, keys_of
from lineage.activities.select import LiveState
from lineage.calc.intervals import Z95, wilson

N_CLASSES = 12
WHOLE = ("day", "night", "rain", "sun", "indoor", "crowded")
IDS = ("kept", "lost", "renumbered", "swapped", "one_in_twenty_lies")
"""What befalls the ids: renumbered over the file, swapped within images, or swapped for a few."""

EDITS = ("none", "moved", "far", "renamed", "moved_renamed", "added")
_SHARES = {"moved": 0.09, "far": 0.007, "renamed": 0.035, "moved_renamed": 0.025, "dropped": 0.03}
_N_CORNERS = 7


@dataclass(frozen=True)
class Labels:
    """Labels as arrays, a row each; ``shape`` is centre, size and rotation in px and degrees."""

    asset: np.ndarray
    annotator: np.ndarray
    class_: np.ndarray
    kind: np.ndarray  # 0 box, 1 polygon, 2 turned box, 3 whole image
    shape: np.ndarray  # cx, cy, w, h, rotation_deg
    corners: np.ndarray  # of polygons, in units of half the size
    is_occluded: np.ndarray
    decimals: np.ndarray  # of coordinates, as the image's tool rounds them

    def __len__(self) -> int:
        return len(self.asset)

    def take(self, rows: np.ndarray) -> Labels:
        return Labels(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Planted:
    """Two states of a batch and the truth between them.

    ``truth`` gives, per newer label, the older one or -1; ``edit`` an index into `EDITS`.
    """

    old: Keys
    new: Keys
    truth: np.ndarray
    edit: np.ndarray

    def prior(self) -> Prior:
        """Return the older labels as a batch holds them."""
        number = 1 + np.arange(len(self.old))
        live = LiveState(np.ones(len(self.old), bool), np.zeros(len(self.old), np.int8))
        return Prior(self.old, number, number, live)


def plant(
    seed: int, n_labels: int, *, ids: str, edited: float = 0.2, spread: float = 0.9
) -> Planted:
    """Plant about ``n_labels`` labels and edit the share ``edited`` of them.

    ``spread`` is how far the members of a cluster stand apart, in units of their size.
    """
    rng = np.random.default_rng(seed)
    old = _labels(rng, n_labels, spread)
    new, truth, edit = _edited(rng, old, edited / 0.2)
    order = rng.permutation(len(new))
    new, truth, edit = new.take(order), truth[order], edit[order]
    old_id, new_id = _ids(rng, old, new, truth, ids)
    return Planted(_keys(old, old_id), _keys(new, new_id), truth, edit)


@dataclass(frozen=True)
class Judged:
    """Which labels were recognised rightly.

    A label counts once: kept ones and new ones by the newer row, dropped ones by the older row.
    ``edit`` is an index into `EDITS`, -1 for dropped ones.
    """

    asset: np.ndarray
    edit: np.ndarray
    is_right: np.ndarray

    def share(self) -> tuple[float, float, float]:
        """Return the share that is right, with Wilson's interval on as many labels as there would be
        if those of one image were independent."""
        n = len(self.is_right)
        share = float(self.is_right.mean())
        _, image = np.unique(self.asset, return_inverse=True)
        excess = np.bincount(image, weights=self.is_right - share)
        clustered, alone = float((excess**2).sum()), n * share * (1 - share)
        low, high = wilson(share * n, n, z=Z95)
        if alone > 0:
            n_effective = n / max(clustered / alone, 1)
            low, high = wilson(share * n_effective, n_effective, z=Z95)
        return share, float(low), float(high)

    def table(self) -> str:
        """Return the share for each kind of edit, in words."""
        kinds = [*enumerate(EDITS), (-1, "dropped")]
        shares = [(name, self.is_right[self.edit == code]) for code, name in kinds]
        return ", ".join(f"{name} {r.mean():.4f} of {len(r):,}" for name, r in shares if len(r))


def judge(planted: Planted, prior: np.ndarray) -> Judged:
    """Hold what was recognised (the older row of each newer one, -1 for none) against the truth."""
    is_gone = np.ones(len(planted.old), bool)
    is_gone[planted.truth[planted.truth >= 0]] = False
    is_left = np.ones(len(planted.old), bool)
    is_left[prior[prior >= 0]] = False
    gone = np.flatnonzero(is_gone)
    return Judged(
        np.concatenate([planted.new.asset, planted.old.asset[gone]]),
        np.concatenate([planted.edit, np.full(len(gone), -1)]),
        np.concatenate([prior == planted.truth, is_left[gone]]),
    )


def _labels(rng: np.random.Generator, n_labels: int, spread: float) -> Labels:
    """Draw images, in each clusters, in each objects."""
    # 1.6 people look at an image on average, and draw 22 objects each
    n_images = max(n_labels // 38, 1)
    width = rng.choice([640, 1024, 1920, 3840], n_images)
    people = rng.choice([1, 1, 1, 2, 3], n_images)
    groups = np.repeat(np.arange(n_images), people)
    annotator = np.concatenate([np.arange(n) for n in people])
    n_objects = rng.integers(5, 41, len(groups))
    n_clusters = 1 + rng.poisson(n_objects / 5)
    cluster = np.concatenate(
        [start + rng.integers(0, n, k) for start, n, k in zip(
            np.cumsum(n_clusters) - n_clusters, n_clusters, n_objects, strict=True
        )]
    )  # fmt: skip
    owner = np.repeat(np.arange(len(groups)), n_objects)
    w = width[groups]
    of_cluster = np.repeat(np.arange(len(groups)), n_clusters)
    centre = rng.uniform(0.1, 0.9, (len(of_cluster), 2)) * np.stack([w, 0.6 * w], 1)[of_cluster]
    size = w[of_cluster] * np.exp(rng.normal(-3.0, 0.7, len(of_cluster)))
    aspect = np.exp(rng.normal(0, 0.4, len(of_cluster)))
    class_of = rng.integers(0, N_CLASSES, len(of_cluster))
    n = len(cluster)
    own = size[cluster][:, None] * np.stack([aspect[cluster], 1 / aspect[cluster]], 1)
    own = np.maximum(own * np.exp(rng.normal(0, 0.15, (n, 2))), 6)
    at = centre[cluster] + rng.normal(0, spread, (n, 2)) * own
    class_ = np.where(rng.random(n) < 0.85, class_of[cluster], rng.integers(0, N_CLASSES, n))
    kind = rng.choice([0, 0, 0, 0, 0, 0, 0, 1, 1, 2], n)
    rotation = np.where(kind == 2, rng.uniform(-80, 80, n), 0)
    labels = Labels(
        groups[owner],
        annotator[owner],
        class_,
        kind,
        np.column_stack([at, own, rotation]),
        rng.uniform(0.6, 1.0, (n, _N_CORNERS)),
        rng.random(n) < 0.2,
        rng.choice([0, 2, 6], n_images)[groups[owner]],
    )
    twins = labels.take(np.flatnonzero((kind == 0) & (rng.random(n) < 0.03)))
    twins.kind[:] = 1
    parts = [labels, twins, _whole_image(rng, groups, annotator)]
    every = [np.concatenate([getattr(p, f) for p in parts]) for f in Labels.__dataclass_fields__]
    whole = Labels(*every)
    return whole.take(np.lexsort((rng.random(len(whole)), whole.annotator, whole.asset)))


def _whole_image(rng: np.random.Generator, groups: np.ndarray, annotator: np.ndarray) -> Labels:
    has = rng.random((len(groups), len(WHOLE))) < 0.25
    owner, class_ = np.nonzero(has)
    n = len(owner)
    return Labels(
        groups[owner], annotator[owner], N_CLASSES + class_, np.full(n, 3), np.full((n, 5), np.nan),
        np.ones((n, _N_CORNERS)), np.zeros(n, bool), np.zeros(n, np.int64),
    )  # fmt: skip


def _edited(
    rng: np.random.Generator, old: Labels, times: float
) -> tuple[Labels, np.ndarray, np.ndarray]:
    """Edit labels; return the newer ones, the older row of each, and what was done."""
    names = list(_SHARES)
    shares = np.array([_SHARES[name] * times for name in names])
    drawn = rng.choice(len(names) + 1, len(old), p=[*shares, 1 - shares.sum()])
    what = np.array([*names, "none"])[drawn]
    is_whole = old.kind == 3
    what[is_whole & np.isin(what, ["moved", "far", "moved_renamed"])] = "renamed"
    kept = np.flatnonzero(what != "dropped")
    new, done = old.take(kept), what[kept]
    _rename(rng, new, np.isin(done, ["renamed", "moved_renamed"]))
    _redraw(rng, new, np.flatnonzero(np.isin(done, ["moved", "moved_renamed"])))
    _carry_off(rng, new, np.flatnonzero(done == "far"))
    added = _added(rng, old, int(0.013 * times * len(old)))
    every = [
        np.concatenate([getattr(new, f), getattr(added, f)]) for f in Labels.__dataclass_fields__
    ]
    truth = np.concatenate([kept, np.full(len(added), -1)])
    codes = {name: code for code, name in enumerate(EDITS)}
    edit = np.array([codes[word] for word in done] + [codes["added"]] * len(added))
    return _without_twins(old, Labels(*every), truth, edit)


def _without_twins(
    old: Labels, new: Labels, truth: np.ndarray, edit: np.ndarray
) -> tuple[Labels, np.ndarray, np.ndarray]:
    """Take back what gave an image one whole-image class twice: no tool holds that."""
    while True:
        key = (new.asset * 8 + new.annotator) * 32 + new.class_
        _, code, n_uses = np.unique(
            np.where(new.kind == 3, key, -1 - np.arange(len(new))),
            return_inverse=True, return_counts=True,
        )  # fmt: skip
        twin = (n_uses[code.reshape(-1)] > 1) & (edit != 0)
        if not twin.any():
            return new, truth, edit
        back = np.flatnonzero(twin & (truth >= 0))
        new.class_[back] = old.class_[truth[back]]
        edit[back] = 0
        keep = np.flatnonzero(~twin | (truth >= 0))
        new, truth, edit = new.take(keep), truth[keep], edit[keep]


def _rename(rng: np.random.Generator, labels: Labels, chosen: np.ndarray) -> None:
    boxes = chosen & (labels.kind != 3)
    step = rng.integers(1, N_CLASSES, len(labels))
    labels.class_[boxes] = (labels.class_[boxes] + step[boxes]) % N_CLASSES
    whole = chosen & (labels.kind == 3)
    step = rng.integers(1, len(WHOLE), len(labels))
    code = (labels.class_[whole] - N_CLASSES + step[whole]) % len(WHOLE)
    labels.class_[whole] = N_CLASSES + code


def _redraw(rng: np.random.Generator, labels: Labels, rows: np.ndarray) -> None:
    """Shift half of the labels, redraw the sides of the others, down to half the overlap."""
    n = len(rows)
    shape = labels.shape[rows]
    target = rng.uniform(0.5, 0.99, n)
    both = 2 * target / (1 + target)
    # (1 - a)(1 - b) is what a shift by the fractions a and b of the sides leaves in common
    split = rng.random(n)
    shift = np.stack([1 - both**split, 1 - both ** (1 - split)], 1) * rng.choice([-1, 1], (n, 2))
    is_shift = rng.random(n) < 0.5
    shape[is_shift, :2] += (shift * shape[:, 2:4])[is_shift]
    # each side by itself; the sum of what they lose is what the overlap loses
    share = rng.dirichlet([1, 1, 1, 1], n) * (1 - target)[:, None] * rng.choice([-1, 1], (n, 4))
    sides = share * np.tile(shape[:, 2:4], 2)
    redrawn = shape.copy()
    redrawn[:, :2] += (sides[:, 2:] + sides[:, :2]) / 2
    redrawn[:, 2:4] += sides[:, 2:] - sides[:, :2]
    labels.shape[rows] = np.where(is_shift[:, None], shape, redrawn)
    wobble = rng.random(n) < 0.3
    labels.corners[rows[wobble]] *= rng.uniform(0.9, 1.0, (int(wobble.sum()), _N_CORNERS))


def _carry_off(rng: np.random.Generator, labels: Labels, rows: np.ndarray) -> None:
    """Move labels to elsewhere in the image; most are dragged, the others drawn anew."""
    n = len(rows)
    angle = rng.uniform(0, 2 * np.pi, n)
    way = rng.uniform(0.8, 6, n) * np.hypot(labels.shape[rows, 2], labels.shape[rows, 3])
    labels.shape[rows, 0] += np.cos(angle) * way
    labels.shape[rows, 1] += np.sin(angle) * way
    anew = rows[rng.random(n) < 0.3]
    labels.shape[anew, 2:4] *= np.exp(rng.normal(0, 0.05, (len(anew), 2)))


def _added(rng: np.random.Generator, old: Labels, n: int) -> Labels:
    """Draw new labels, half of them beside one that is there, of its class."""
    like = rng.integers(0, len(old), n)
    added = old.take(like)
    is_box = added.kind != 3
    size = added.shape[:, 2:4] * np.exp(rng.normal(0, 0.25, (n, 2)))
    beside = added.shape[:, :2] + rng.normal(0, 0.9, (n, 2)) * added.shape[:, 2:4]
    anywhere = rng.uniform(0, 1, (n, 2)) * np.nan_to_num(added.shape[:, :2]) * 2
    is_near = rng.random(n) < 0.5
    added.shape[is_box, 2:4] = size[is_box]
    at = np.where(is_near[:, None], beside, anywhere)
    added.shape[is_box, :2] = at[is_box]
    far = is_box & ~is_near
    added.class_[far] = rng.integers(0, N_CLASSES, int(far.sum()))
    added.class_[~is_box] = N_CLASSES + rng.integers(0, len(WHOLE), int((~is_box).sum()))
    added.corners[:] = rng.uniform(0.6, 1.0, added.corners.shape)
    return added


def _ids(
    rng: np.random.Generator, old: Labels, new: Labels, truth: np.ndarray, ids: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of both sides, 0 for none."""
    old_id = 1 + np.arange(len(old))
    fresh = len(old) + 1 + np.arange(len(new))
    kept = np.where(truth >= 0, old_id[truth], fresh)
    if ids == "kept":
        return old_id, kept
    if ids == "lost":
        return old_id, np.zeros(len(new), np.int64)
    if ids == "renumbered":
        return old_id, 1 + rng.permutation(len(new))
    chosen = np.arange(len(new))
    if ids == "one_in_twenty_lies":
        chosen = np.flatnonzero(rng.random(len(new)) < 0.05)
    at = chosen[np.lexsort((rng.random(len(chosen)), new.annotator[chosen], new.asset[chosen]))]
    lies = kept.copy()
    # each takes the id of the next one in its image; the last of an image that of the first
    group = new.asset[at] * 8 + new.annotator[at]
    first = np.searchsorted(group, group, side="left")
    last = np.searchsorted(group, group, side="right") - 1
    here = np.arange(len(at))
    lies[at] = kept[at[np.where(here == last, first, here + 1)]]
    return old_id, lies


def _keys(labels: Labels, ids: np.ndarray) -> Keys:
    batch = batch_of(labels, ids)
    return keys_of(batch, labels.asset + 1, np.zeros(len(labels), np.int64))


def batch_of(labels: Labels, ids: np.ndarray) -> pa.RecordBatch:
    """Return labels with the columns that identity is decided by."""
    geometry, box = _outlines(labels)
    kinds = pa.DictionaryArray.from_arrays(
        pa.array(labels.kind.astype(np.int32)), ["box", "polygon", "rotated_box", "class"]
    )
    names = [f"class-{code}" for code in range(N_CLASSES)] + list(WHOLE)
    values = {
        "asset": pa.repeat("", len(labels)).dictionary_encode(),
        "annotator": pa.DictionaryArray.from_arrays(
            pa.array(labels.annotator.astype(np.int32)), ["ann", "bob", "cy"]
        ),
        "class": pa.DictionaryArray.from_arrays(pa.array(labels.class_.astype(np.int32)), names),
        "kind": kinds,
        "geometry": geometry,
        "attributes": pa.DictionaryArray.from_arrays(
            pa.array(labels.is_occluded.astype(np.int32)), ["{}", '{"occluded":true}']
        ),
        "origin": "human",
        "source_id": pa.array([str(i) if i else None for i in ids.tolist()], pa.string()),
        "position": np.arange(len(labels)),
    }
    values |= {name: pa.array(box[:, i], from_pandas=True) for i, name in enumerate(columns.BOX)}
    return columns.batch_of(columns.LABELS, values, len(labels))


def _outlines(labels: Labels) -> tuple[pa.Array, np.ndarray]:
    """Return geometries and hulls, rounded as each image's tool rounds."""
    at, half, turn = labels.shape[:, :2], labels.shape[:, 2:4] / 2, np.deg2rad(labels.shape[:, 4])
    factor = 10.0 ** labels.decimals[:, None]

    def rounded(values: np.ndarray) -> np.ndarray:
        return np.rint(values * factor) / factor

    box = rounded(np.concatenate([at - half, at + half], axis=1))
    angle = np.linspace(0, 2 * np.pi, _N_CORNERS, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)[None] * labels.corners[:, :, None]
    points = rounded((at[:, None] + ring * half[:, None]).reshape(len(labels), -1))
    reach = np.abs(np.stack([np.cos(turn), np.sin(turn)], 1))
    turned = np.stack(
        [
            half[:, 0] * reach[:, 0] + half[:, 1] * reach[:, 1],
            half[:, 0] * reach[:, 1] + half[:, 1] * reach[:, 0],
        ],
        axis=1,
    )
    is_polygon, is_turned = labels.kind == 1, labels.kind == 2
    xy = points.reshape(len(labels), _N_CORNERS, 2)
    box[is_polygon] = np.concatenate([xy.min(axis=1), xy.max(axis=1)], axis=1)[is_polygon]
    box[is_turned] = rounded(np.concatenate([at - turned, at + turned], axis=1))[is_turned]
    box[labels.kind == 3] = np.nan
    n_values = np.where(is_polygon, 2 * _N_CORNERS, np.where(is_turned, 5, 0))
    flat = np.concatenate([points, rounded(labels.shape)], axis=1)
    start = np.where(is_polygon, 0, 2 * _N_CORNERS)
    width = flat.shape[1]
    index = np.repeat(
        np.arange(len(labels)) * width + start - (np.cumsum(n_values) - n_values), n_values
    )
    values = flat.reshape(-1)[index + np.arange(int(n_values.sum()))]
    has = n_values > 0
    inner = np.concatenate([[0], np.cumsum(n_values[has])]).astype(np.int32)
    outer = np.concatenate([[0], np.cumsum(has)]).astype(np.int32)
    parts = pa.ListArray.from_arrays(pa.array(inner), pa.array(values))
    geometry = pa.ListArray.from_arrays(pa.array(outer), parts, mask=pa.array(~has))
    return geometry, box
