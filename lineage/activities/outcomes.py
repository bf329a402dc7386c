"""From files of predictions or outcomes to `columns.OUTCOMES`: what became of every label under each run.

Detections are matched by an evaluator (`calc.detections`); of images that are classified the likeliest class is
compared. Only images that a file of predictions names are judged: a model that was never shown an image
has missed nothing on it. Start reading at `judge`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities.outcome_codes import Coded, coded, likeliest, truth_of
from lineage.calc.detection_units import (
    Fault,
    ImageErrors,
    Moved,
    class_errors,
    faults,
    image_errors,
    moved,
)
from lineage.calc.detections import Matches, Objects, best_threshold, match, precisions
from lineage.formats import predictions as formats
from lineage.formats.predictions import outcomes as tables
from lineage.terms import Kind

_FAULTS = pa.array([None, "missed", "other_class"], pa.string())


@dataclass(frozen=True, slots=True)
class Predictions:
    """A file of predictions, read.

    Parameters
    ----------
    table
        `columns.PREDICTIONS`.
    violations
        `columns.VIOLATIONS`: every row that could not be read.
    images
        Names of the images that the model was shown, as far as the file says.
    """

    table: pa.Table
    violations: pa.Table
    images: frozenset[str]


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of every unit.

    Parameters
    ----------
    labels
        `columns.OUTCOMES`, a row for each label on an image that was shown; crowds have none.
    images
        `columns.OUTCOMES`, a row for each image and class with a label or a detection: the error is 1 - F1.
    threshold
        Score from which on a detection counts; None where nothing is drawn.
    n_not_shown, n_crowd
        Labels without an outcome: on images that no file names, and crowds.
    violations
        Of tables of outcomes.
    notes
        In words, for the report.
    """

    labels: pa.Table
    images: pa.Table
    threshold: float | None
    n_not_shown: int = 0
    n_crowd: int = 0
    violations: pa.Table = field(default_factory=columns.VIOLATIONS.empty_table)
    notes: Sequence[str] = ()


def read_predictions(path: Path, known: formats.Known) -> Predictions:
    """Read a file or folder of predictions whole.

    Raises
    ------
    BadInput
        ``predictions-format``, ``class-numbers``, and what the readers of JSON and tables raise.
    """
    found: list[pa.RecordBatch] = []
    refused: list[pa.RecordBatch] = []
    # its evaluator was shown all images of the ground truth's file
    told = map(known.asset_of, known.image_ids)
    images = {name for name in told if name is not None}
    for piece in formats.read(path, known):
        found.append(piece.predictions)
        refused.append(piece.violations)
        images |= piece.images
    table = pa.Table.from_batches(found, columns.PREDICTIONS).unify_dictionaries()
    violations = pa.Table.from_batches(refused, columns.VIOLATIONS)
    return Predictions(table, violations, frozenset(images))


def read_outcomes(path: Path, known: formats.Known, annotations: np.ndarray) -> Judged:
    """Read a table in which somebody else states the outcomes.

    Raises
    ------
    BadInput
        ``outcomes-columns``, and what the reader of tables raises.
    """
    told = list(tables.read(path, asset_of=known.asset_of, annotations=annotations))
    found = pa.Table.from_batches([one.outcomes for one in told], columns.OUTCOMES)
    is_label = pc.is_valid(found["annotation"])
    violations = pa.Table.from_batches([one.violations for one in told], columns.VIOLATIONS)
    labels, images = found.filter(is_label), found.filter(pc.invert(is_label))
    return Judged(labels, images, None, violations=violations)


def judge(
    labels: pa.Table,
    good: Predictions,
    bad: Predictions | None = None,
    *,
    threshold: float | None = None,
) -> Judged:
    """Return the errors of one run or two against labels.

    Parameters
    ----------
    labels
        `columns.DATASET`.
    good, bad
        Predictions of the good run, and of the bad one if there are any.
    threshold
        Score from which on a detection counts; None takes the one that gives the good run its best F1
        against these labels. It holds for both runs.

    Raises
    ------
    BadInput
        ``extra-missing``: pycocotools is not installed and boxes are to be matched.
    """
    runs = [run for run in (good, bad) if run is not None]
    shown = frozenset[str]().union(*(run.images for run in runs))
    is_shown = pc.is_in(labels["asset"].cast(pa.string()), pa.array(sorted(shown), pa.string()))
    kept = labels.filter(is_shown)
    is_class = pc.equal(kept["kind"].cast(pa.string()), Kind.CLASS.value)
    drawn, whole = kept.filter(pc.invert(is_class)), kept.filter(is_class)
    parts, images, used, n_crowd = [], [], None, 0
    if len(drawn) or any(len(_drawn(run.table)) for run in runs):
        names = coded([drawn, *(run.table for run in runs)])
        found = _detected(drawn, [_drawn(run.table) for run in runs], names, threshold)
        parts.append(found.labels)
        images.append(found.images)
        used, n_crowd = found.threshold, found.n_crowd
    if len(whole):
        parts.append(_classified(whole, runs))
    nothing = columns.OUTCOMES.empty_table()
    return Judged(
        pa.concat_tables([nothing, *parts]),
        pa.concat_tables([nothing, *images]),
        used,
        n_not_shown=len(labels) - len(kept),
        n_crowd=n_crowd,
        notes=_notes(used, threshold, len(labels) - len(kept), n_crowd),
    )


def _notes(used: float | None, given: float | None, n_not_shown: int, n_crowd: int) -> list[str]:
    notes = []
    if used is not None:
        why = "as asked" if given is not None else "the good run's best F1 is there"
        notes.append(f"detections count from a score of {used:.3g} on: {why}")
    if n_not_shown:
        notes.append(f"{n_not_shown:,} labels are on images of which the predictions say nothing")
    if n_crowd:
        notes.append(f"{n_crowd:,} labels are crowds, which are neither found nor missed")
    return notes


def _drawn(table: pa.Table) -> pa.Table:
    return table.filter(pc.not_equal(table["kind"].cast(pa.string()), Kind.CLASS.value))


def _detected(
    labels: pa.Table, runs: Sequence[pa.Table], names: Coded, threshold: float | None
) -> Judged:
    truth = truth_of(labels, names)
    sides: list[tuple[Objects, Matches]] = []
    for table in runs:
        found = names.objects(table)
        sides.append((found, match(truth, found)))
    if threshold is None:
        threshold = best_threshold(truth, *sides[0])
    told = [faults(truth, *side, threshold=threshold) for side in sides]
    is_unit = ~truth.is_crowd
    values = _runs([(one != Fault.NONE).astype(np.float64)[is_unit] for one in told])
    for name, one in zip(("good_fault", "bad_fault"), told, strict=False):
        values[name] = _FAULTS.take(pa.array(one[is_unit]))
    outcomes = _labelled(labels.filter(pa.array(is_unit)), values)
    errors = [image_errors(truth, *side, threshold=threshold) for side in sides]
    return Judged(outcomes, _by_image(errors, names), threshold, n_crowd=int(truth.is_crowd.sum()))


def _runs(errors: Sequence[np.ndarray]) -> dict[str, object]:
    """Return the columns of errors: of one run disagreement alone, for there is nothing to compare it with."""
    if len(errors) == 1:
        return {"disagrees": errors[0]}
    return {"good": errors[0], "bad": errors[1], "disagrees": errors[0]}


def _labelled(labels: pa.Table, values: Mapping[str, object]) -> pa.Table:
    told = {
        "annotation": labels["annotation"].combine_chunks(),
        "asset": labels["asset"].cast(pa.string()).combine_chunks(),
        "class": labels["class"].cast(pa.string()).combine_chunks(),
        **values,
    }
    return pa.Table.from_batches([columns.batch_of(columns.OUTCOMES, told, len(labels))])


def _by_image(sides: Sequence[ImageErrors], names: Coded) -> pa.Table:
    """Return a row for each image and class that either side has; where one has nothing, nothing is wrong."""
    keys = [side.image * len(names.classes) + side.class_ for side in sides]
    units = np.unique(np.concatenate(keys))
    errors = []
    for key, side in zip(keys, sides, strict=True):
        error = np.zeros(len(units))
        error[np.searchsorted(units, key)] = side.error
        errors.append(error)
    image, class_ = np.divmod(units, max(len(names.classes), 1))
    values = {
        "asset": names.assets.take(pa.array(image)),
        "class": names.classes.take(pa.array(class_)),
        **_runs(errors),
    }
    return pa.Table.from_batches([columns.batch_of(columns.OUTCOMES, values, len(units))])


def _classified(labels: pa.Table, runs: Sequence[Predictions]) -> pa.Table:
    """Judge whole-image labels: an error where the likeliest class is another."""
    asset = labels["asset"].cast(pa.string()).combine_chunks()
    class_ = labels["class"].cast(pa.string()).combine_chunks()
    errors, told = [], {}
    for name, run in zip(("good_fault", "bad_fault"), runs, strict=False):
        best = likeliest(run.table, asset)
        is_wrong = pc.not_equal(best, class_)  # null: the run says nothing of that image
        errors.append(pc.if_else(is_wrong, 1.0, 0.0))
        told[name] = pc.if_else(is_wrong, "wrong_class", pa.scalar(None, pa.string()))
    return _labelled(labels, {**_runs(errors), **told})


def eval_moved(
    predictions: Predictions,
    old: pa.Table,
    new: pa.Table,
    rng: np.random.Generator,
    *,
    threshold: float | None = None,
    n_replicates: int = 1000,
) -> dict[str, object]:
    """Evaluate one run's predictions against an older and a newer ground truth.

    Parameters
    ----------
    predictions
        Of one run, the bad one as a rule.
    old, new
        `columns.DATASET` of the evaluation set's two versions.
    rng
        Draws images for the intervals.
    threshold
        Score for recall and F1; None takes the best against the old truth.
    n_replicates
        Of the bootstrap.

    Returns
    -------
    dict
        ``n_images``, ``threshold``, ``has_moved`` (the interval of F1's difference over all classes lies off 0) and
        ``classes``: per class and ``all`` (class None): labels, AP50, recall and F1 against either truth,
        with the intervals of the differences. Where nothing is drawn, of whole images' classes: no AP50
        and no threshold, and over all classes recall is accuracy.
    """
    shown = pa.array(sorted(predictions.images), pa.string())
    old, new = (one.filter(pc.is_in(one["asset"].cast(pa.string()), shown)) for one in (old, new))
    both, table = [_drawn(one) for one in (old, new)], _drawn(predictions.table)
    is_drawn = any(len(one) for one in (*both, table))
    if not is_drawn:
        both, table = [old, new], predictions.table
    names = coded([*both, table])
    n_classes = len(names.classes)
    truths = [truth_of(one, names) for one in both]
    if is_drawn:
        found = names.objects(table)
        matches = [match(truth, found) for truth in truths]
        if threshold is None:
            threshold = best_threshold(truths[0], found, matches[0])
        errors = [
            image_errors(truth, found, one, threshold=threshold)
            for truth, one in zip(truths, matches, strict=True)
        ]
        ap = [
            precisions(truth, found, one, n_classes)[:, 0]
            for truth, one in zip(truths, matches, strict=True)
        ]
    else:
        said = pc.index_in(likeliest(table, names.assets), names.classes).fill_null(-1)
        errors = [
            class_errors(truth.image, truth.class_, np.asarray(said, np.int64), n_classes)
            for truth in truths
        ]
        ap, threshold = [np.full(n_classes, np.nan)] * 2, None
    drawn = {
        figure: moved(
            errors[0], errors[1], n_classes, rng, figure=figure, n_replicates=n_replicates
        )
        for figure in ("recall", "f1")
    }
    low, high = drawn["f1"].low[-1], drawn["f1"].high[-1]
    return {
        "n_images": len(predictions.images),
        "threshold": threshold,
        "has_moved": bool(low > 0 or high < 0),
        "classes": _by_class(names, truths, ap, drawn),
    }


def _by_class(
    names: Coded,
    truths: Sequence[Objects],
    ap: Sequence[np.ndarray],
    drawn: Mapping[str, Moved],
) -> list[dict[str, object]]:
    """Return figures against both truths, a row for each class and one for all."""
    n_classes = len(names.classes)
    counts = [np.bincount(t.class_[~t.is_crowd], minlength=n_classes) for t in truths]
    rows: list[dict[str, object]] = []
    for at, name in enumerate([*names.classes.to_pylist(), None]):
        is_all = name is None
        row: dict[str, object] = {"class": name}
        for side, word in enumerate(("old", "new")):
            row[f"n_{word}"] = int(counts[side].sum() if is_all else counts[side][at])
            row[f"ap50_{word}"] = _told(_mean(ap[side]) if is_all else ap[side][at])
        for figure, one in drawn.items():
            row[f"{figure}_old"], row[f"{figure}_new"] = _told(one.old[at]), _told(one.new[at])
            row[f"{figure}_difference"] = _told(one.new[at] - one.old[at])
            row[f"{figure}_low"], row[f"{figure}_high"] = _told(one.low[at]), _told(one.high[at])
        rows.append(row)
    return rows


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _told(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
