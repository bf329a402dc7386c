"""Agreement cut in two ways at once: pair and class, week and class, annotator and class; and what began when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from lineage.activities.gather import Block
from lineage.activities.opinions import Opinions, Words, week_text
from lineage.activities.tellings import number
from lineage.calc import coefficients, comparisons, intervals
from lineage.calc.coefficients import Tally
from lineage.calc.comparisons import Pairs
from lineage.calc.intervals import TOO_FEW

Row = dict[str, object]
_NEVER = np.iinfo(np.int64).max


@dataclass(slots=True)
class Cuts:
    """Sums over blocks, by value and class; only values that were met take room.

    Parameters
    ----------
    words
        What codes stand for.
    pair, week, annotator
        Per value, mentions by class; a pair's value is ``first * n_annotators + second``.
    batch_week, schema_week
        ndarrays of int64: first week of each, `_NEVER` where none was met.
    """

    words: Words
    pair: dict[int, Tally]
    week: dict[int, Tally]
    annotator: dict[int, Tally]
    batch_week: np.ndarray
    schema_week: np.ndarray

    def add(self, block: Block) -> None:
        """Add a block's counts."""
        pairs, labels = block.pairs, block.labels
        n_people, n_classes = len(self.words.annotators), len(self.words.classes)
        week = np.append(labels.week, -1)
        later = np.maximum(week[pairs.label_first], week[pairs.label_second])
        both = np.tile(np.arange(len(pairs.unit)), 2)
        twice = Pairs(*(getattr(pairs, f.name)[both] for f in fields(pairs)))
        people = np.concatenate([pairs.first, pairs.second]).astype(np.int64)
        pair = pairs.first * np.int64(n_people) + pairs.second
        for held, found, image, value in (
            (self.pair, pairs, block.image, pair),
            (self.week, pairs, block.image, later),
            (self.annotator, twice, block.image[both], people),
        ):
            for at, tally in _by_class(found, image, value, n_classes):
                held[at] = held[at] + tally if at in held else tally
        for first, code in ((self.batch_week, labels.batch), (self.schema_week, labels.schema)):
            known = labels.week >= 0
            np.minimum.at(first, code[known], labels.week[known])

    def pair_rows(self, people: Sequence[str], classes: Sequence[str]) -> list[Row]:
        """Return a row for every pair and class; of some people and classes only, where any are given."""
        n, names = len(self.words.annotators), self.words.annotators
        rows = self._rows(self.pair, lambda at: {"a": names[at // n], "b": names[at % n]}, classes)
        return [row for row in rows if not people or {row["a"], row["b"]} & set(people)]

    def week_rows(self, classes: Sequence[str]) -> list[Row]:
        """Return a row for every week and class, oldest first."""
        return self._rows(self.week, lambda at: {"week": week_text(at)}, classes)

    def annotator_rows(self, people: Sequence[str], classes: Sequence[str]) -> list[Row]:
        """Return a row for every annotator and class."""
        names = self.words.annotators
        rows = self._rows(self.annotator, lambda at: {"annotator": names[at]}, classes)
        return [row for row in rows if not people or row["annotator"] in people]

    def begin_rows(self) -> list[Row]:
        """Return when each batch and schema version first has labels that are compared, oldest first."""
        met = [
            (int(week), what, name)
            for what, names, first in (
                ("batch", self.words.batches, self.batch_week),
                ("schema", self.words.schemas, self.schema_week),
            )
            for name, week in zip(names, first.tolist(), strict=True)
            if week != _NEVER
        ]
        return [{"week": week_text(w), "what": what, "name": name} for w, what, name in sorted(met)]

    def _rows(
        self, held: dict[int, Tally], named: Callable[[int], Row], classes: Sequence[str]
    ) -> list[Row]:
        rows: list[Row] = []
        for at in sorted(held):
            tally = held[at]
            f1 = coefficients.specific_agreement(tally)
            low, high = intervals.specific_interval(tally)
            for code in np.flatnonzero(tally.mentions).tolist():
                name = self.words.classes[code]
                if classes and name not in classes:
                    continue
                is_few = tally.mentions[code] < TOO_FEW
                rows.append(
                    {
                        **named(at),
                        "class": name,
                        "n_mentions": int(tally.mentions[code]),
                        "f1": None if is_few else number(f1[code]),
                        "f1_lo": None if is_few else number(low[code]),
                        "f1_hi": None if is_few else number(high[code]),
                    }
                )
        return rows


def cuts_of(opinions: Opinions) -> Cuts:
    """Return cuts to which no block has been added."""
    words = opinions.words
    never = [np.full(len(names), _NEVER) for names in (words.batches, words.schemas)]
    return Cuts(words, {}, {}, {}, *never)


def _by_class(
    pairs: Pairs, image: np.ndarray, value: np.ndarray, n_classes: int
) -> Iterator[tuple[int, Tally]]:
    """Yield each value that occurs with its mentions by class."""
    met, code = np.unique(value, return_inverse=True)
    whole = comparisons.detection(
        pairs, image, n_classes=n_classes, slice_=code, n_slices=max(len(met), 1)
    )
    for at, own in enumerate(met.tolist()):
        part = slice(at * n_classes, (at + 1) * n_classes)
        arrays = (whole.share, whole.mentions, whole.coincidences, whole.moments)
        # the other numbers are of all values together, and nobody reads them here
        yield own, Tally(0, 0, 0.0, *(array[part].copy() for array in arrays))
