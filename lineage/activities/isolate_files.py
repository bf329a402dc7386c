"""Which outcomes `isolate` explains: the files it is given, and which of its three ways of asking they allow.

Best first: the good model against the new labels; both runs on units that carry provenance; both runs on
a gold set that carries none.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import outcomes, position, trace
from lineage.activities.context import Project
from lineage.activities.isolate_labels import Side
from lineage.activities.outcomes import Judged, Predictions
from lineage.errors import BadInput, Usage
from lineage.formats import predictions as formats
from lineage.formats.predictions import outcomes as tables
from lineage.formats.predictions.known import Key
from lineage.segments import parquet_writer
from lineage.store import read

NEW_LABELS, LINKED, GOLD = "new_labels", "linked", "gold"
MODES = ("auto", NEW_LABELS, LINKED, GOLD)
UNITS = ("auto", "label", "image")
_HINT = "docs/isolate.md shows the three kinds of files"


@dataclass(frozen=True, slots=True)
class Sources:
    """Files about the two runs.

    Parameters
    ----------
    errors
        Tables of outcomes, all of one kind; or the good run's predictions.
    predictions_good, predictions_bad
        What the runs' models found.
    truth
        A COCO file with the images and categories that ids of predictions refer to.
    model_classes, first_class
        Names of classes that stand as numbers in predictions, in the model's order (those of the bad run's
        version by name, as our YOLO export numbers them), and the number of the first.
    mode, unit
        One of `MODES`; one of `UNITS`.
    threshold
        Score from which on a detection counts; None: where the good run's F1 is best.
    eval_old, eval_new
        Versions of the evaluation set, to see whether it moved.
    """

    errors: Sequence[Path] = ()
    predictions_good: Path | None = None
    predictions_bad: Path | None = None
    truth: Path | None = None
    model_classes: Sequence[str] = ()
    first_class: int | None = None
    mode: str = "auto"
    unit: str = "auto"
    threshold: float | None = None
    eval_old: str | None = None
    eval_new: str | None = None


def options_of(sources: Sources) -> str:
    """Return the options that name files, as they stand on a command line, with a leading space."""
    words = [word for path in sources.errors for word in ("--errors", str(path))]
    plain = Sources()
    for field in fields(sources):
        value = getattr(sources, field.name)
        if field.name != "errors" and value != getattr(plain, field.name):
            told = ",".join(value) if isinstance(value, tuple) else str(value)
            words += [f"--{field.name.replace('_', '-')}", told]
    return "".join(f" {shlex.quote(word)}" for word in words)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be explained.

    Parameters
    ----------
    mode
        ``new_labels``, or ``errors``: of both runs, whether linked or on gold.
    table
        `columns.OUTCOMES`: all of labels, or all of images and classes.
    outcome
        ndarray of float64, shape (n,): NaN where it is not known.
    is_by_label
        Whether they are of labels.
    notes
        What was taken for granted.
    bad
        The bad run's predictions, where there are any.
    """

    mode: str
    table: pa.Table
    outcome: np.ndarray
    is_by_label: bool
    notes: Sequence[str]
    bad: Predictions | None


def asked_of(project: Project, sources: Sources, good: Side, bad: Side) -> Asked:
    """Read the files and settle the way of asking.

    Raises
    ------
    Usage
        ``isolate-files``: no file, or options that do not go together.
    BadInput
        ``isolate-mode``: the files do not hold what the mode needs; ``outcomes-refused``: no row could
        be read; ``no-such-file``; and what readers raise.
    """
    _refuse_words(sources)
    told = _Files(project, sources, good, bad)
    parts = [told.of(path) for path in sources.errors]
    predicted = None
    if sources.predictions_good is not None:
        predicted = told.predictions(sources.predictions_good)
    bad_found = (
        None if sources.predictions_bad is None else told.predictions(sources.predictions_bad)
    )
    if predicted is not None:
        parts.append(told.judged(predicted, bad_found))
    if not parts:
        raise Usage("isolate-files", "name a file of outcomes or predictions: --errors", hint=_HINT)
    tables_ = {
        "label": pa.concat_tables([part.labels for part in parts]),
        "image": pa.concat_tables([part.images for part in parts]),
    }
    unit = sources.unit
    if unit == "auto":
        unit = "label" if tables_["label"].num_rows else "image"
    table = tables_[unit].unify_dictionaries()
    if table.num_rows == 0:
        raise BadInput("outcomes-refused", f"the files hold no outcome of any {unit}", hint=_HINT)
    mode, outcome = _outcome(table, sources.mode)
    _refuse_repeats(table)
    notes = [*told.notes, *(note for part in parts for note in part.notes)]
    return Asked(mode, table, outcome, unit == "label", notes, bad_found)


def _refuse_words(sources: Sources) -> None:
    for name, value, known in (("mode", sources.mode, MODES), ("unit", sources.unit, UNITS)):
        if value not in known:
            raise Usage(
                "isolate-files", f"--{name} is {value!r}, expected one of {', '.join(known)}"
            )
    if (sources.eval_old is None) != (sources.eval_new is None):
        raise Usage("isolate-files", "--eval-old and --eval-new go together")
    if sources.eval_old is not None and sources.predictions_bad is None:
        raise Usage(
            "isolate-files",
            "whether the evaluation set moved is told from the bad run's predictions on it",
            hint="--predictions-bad FILE",
        )


def _outcome(table: pa.Table, asked: str) -> tuple[str, np.ndarray]:
    """Return what is to be explained, and whether it is of new labels or of errors."""
    good, bad, disagrees = (
        table[name].fill_null(np.nan).to_numpy() for name in ("good", "bad", "disagrees")
    )
    has_new, has_errors = np.isfinite(disagrees).any(), np.isfinite(bad - good).any()
    if asked == NEW_LABELS and not has_new:
        raise BadInput(
            "isolate-mode",
            "the files do not say where the good run disagrees with labels (column disagrees)",
            hint=_HINT,
        )
    if asked in (LINKED, GOLD) and not has_errors:
        raise BadInput(
            "isolate-mode",
            "the files do not hold errors of both runs on the same units (columns good, bad)",
            hint=_HINT,
        )
    if has_new and asked in ("auto", NEW_LABELS):
        return NEW_LABELS, disagrees
    return "errors", bad - good


def _refuse_repeats(table: pa.Table) -> None:
    """Refuse units that several files speak of; within one file its reader does."""
    if table["annotation"].null_count == 0:
        n = table.num_rows - len(table["annotation"].unique())
    else:
        keys = ["asset", "class"]
        plain = pa.table([table[name].cast(pa.string()) for name in keys], names=keys)
        n = table.num_rows - plain.group_by(keys).aggregate([([], "count_all")]).num_rows
    if n:
        raise BadInput(
            "outcomes-refused",
            f"{n:,} units have several outcomes, expected one each",
            hint="give each unit's outcome in one file only",
        )


class _Known(formats.Known):
    """Images and classes on record; any image where ``takes_any``."""

    takes_any = False

    def asset_of(self, key: Key) -> str | None:
        """Return the image that a name means; of a stranger, the name."""
        found = super().asset_of(key)
        return key if found is None and self.takes_any and isinstance(key, str) else found


class _Files:
    """Reads files about two runs; what could not be read is told."""

    def __init__(self, project: Project, sources: Sources, good: Side, bad: Side) -> None:
        facts = trace.asset_facts(project, position.resolve(project, None))
        names = facts["name"].to_pylist() if facts.num_rows else []
        extents = [facts[name].to_pylist() if names else [] for name in ("width", "height")]
        sizes = {
            name: (width, height)
            for name, width, height in zip(names, *extents, strict=True)
            if width is not None and height is not None
        }
        with project.store.reading() as connection:
            n_annotations = read.head(connection).annotation
        self.notes: list[str] = []
        self._violations: list[pa.Table] = []
        self._root = project.root
        self._annotations = np.arange(1, n_annotations + 1)
        self._sources = sources
        self._good, self._bad = good, bad
        self._known = _Known(
            names,
            classes=sources.model_classes
            or sorted(bad.labels["class"].cast(pa.string()).unique().to_pylist()),
            first_class=sources.first_class,
            size_of=sizes.get,
            truth=sources.truth,
        )

    def of(self, path: Path) -> Judged:
        """Return a file's outcomes; predictions are taken for the good run's."""
        self._refuse_missing(path)
        if formats.sniff(path) == "table" and tables.is_outcomes(path):
            # a gold set need not be on record: only its classes and folders are asked for
            self._known.takes_any = self._sources.mode in ("auto", GOLD)
            found = outcomes.read_outcomes(path, self._known, self._annotations)
            self._known.takes_any = False
            self._tell(path, found.violations, found.labels.num_rows + found.images.num_rows)
            return found
        self.notes.append(f"{path.name} holds predictions, taken for the good run's")
        return self.judged(self.predictions(path), None)

    def predictions(self, path: Path) -> Predictions:
        """Return a model's predictions."""
        self._refuse_missing(path)
        found = outcomes.read_predictions(path, self._known)
        self._tell(path, found.violations, found.table.num_rows)
        return found

    def judged(self, good: Predictions, bad: Predictions | None) -> Judged:
        """Return outcomes of predictions; of both runs only where that is asked, for the better way needs one."""
        how = self._sources
        if how.mode in (LINKED, GOLD) and bad is not None:
            self.notes.append(
                f"errors of both runs are told against the labels of {self._good.version}"
            )
            return outcomes.judge(self._good.labels, good, bad, threshold=how.threshold)
        return outcomes.judge(self._bad.labels, good, threshold=how.threshold)

    def _refuse_missing(self, path: Path) -> None:
        if not path.exists():
            raise BadInput("no-such-file", f"no file {path}", hint="check the path")

    def _tell(self, path: Path, violations: pa.Table, n_read: int) -> None:
        """Tell what could not be read, and keep all of it where imports keep theirs."""
        if violations.num_rows == 0:
            return
        self._violations.append(violations)
        kept = self._root / ".lineage" / "violations.parquet"
        with parquet_writer(kept, columns.VIOLATIONS) as writer:
            for table in self._violations:
                writer.write_table(table)
        rules = Counter(violations["rule"].cast(pa.string()).to_pylist())
        first = violations.slice(0, 1).to_pylist()[0]
        told = (
            f"{violations.num_rows:,} of {violations.num_rows + n_read:,} rows of {path.name} are no use: "
            + ", ".join(f"{n:,} {rule}" for rule, n in rules.most_common())
            + f"; the first: {first['path']} is {first['value']}, expected {first['expected']}"
            + f"; the whole table: {kept}"
        )
        if n_read == 0:
            raise BadInput("outcomes-refused", told, hint=_HINT, where=str(path))
        self.notes.append(told)


def eval_moved(
    project: Project, sources: Sources, bad: Predictions | None, rng: np.random.Generator
) -> dict[str, object] | None:
    """Return whether the evaluation set moved; None where it is not asked.

    Raises
    ------
    NotFound
        ``no-version``.
    """
    from lineage.activities import version

    if sources.eval_old is None or sources.eval_new is None or bad is None:
        return None
    old, new = (version.labels_of(project, name) for name in (sources.eval_old, sources.eval_new))
    told = outcomes.eval_moved(bad, old.labels, new.labels, rng, threshold=sources.threshold)
    return {"old": sources.eval_old, "new": sources.eval_new, **told}
