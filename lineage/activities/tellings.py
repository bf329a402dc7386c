"""Counts of agreement become rows of numbers, each with its interval and what stands behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lineage.activities.opinions import Words, week_text
from lineage.calc import agreement, coefficients, intervals
from lineage.calc.agreement import Counts, Cut
from lineage.calc.intervals import TOO_FEW

Row = dict[str, object]


def numbers_of(cut: Cut | None, at: int) -> Row:
    """Return the numbers of one value of a cut; None where too few opinions stand behind one."""
    if cut is None:
        return {**dict.fromkeys(_NUMBERS), "n_images": 0, "n_pairs": 0, "n_missing": 0}
    f1 = coefficients.specific_agreement(cut.detection)[at]
    low, high = (side[at] for side in intervals.specific_interval(cut.detection))
    is_few = cut.detection.mentions[at] < TOO_FEW
    n_found = cut.mentions[at].sum() / 2
    n_places = cut.places.n[at]
    return {
        "n_images": int(cut.n_images[at]),
        "n_pairs": int(cut.n_pairs[at]),
        "f1": None if is_few else number(f1),
        "f1_lo": None if is_few else number(low),
        "f1_hi": None if is_few else number(high),
        "alpha": None if n_found < TOO_FEW else number(agreement.alphas(cut)[at]),
        "iou_mean": number(cut.places.total[at] / n_places) if n_places else None,
        "iou_lt75_fraction": number(cut.places.n_loose[at] / n_places) if n_places else None,
        "n_missing": int(cut.n_missing[at]),
    }


_NUMBERS = (
    "n_images",
    "n_pairs",
    "f1",
    "f1_lo",
    "f1_hi",
    "alpha",
    "iou_mean",
    "iou_lt75_fraction",
    "n_missing",
)


def number(value: float) -> float | None:
    """Return a number for a report: None for what is no finite number."""
    return float(value) if np.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Telling:
    """Counts, and what their codes stand for.

    Parameters
    ----------
    counts
        None where nothing could be compared.
    words
        Of the codes.
    tag_words
        Of the tags.
    first_week
        The week that is value 0.
    """

    counts: Counts | None
    words: Words
    tag_words: Sequence[str]
    first_week: int

    def overall(self) -> Row:
        """Return the numbers over everything."""
        counts = self.counts
        if counts is None:
            return {**numbers_of(None, 0), **dict.fromkeys(_OVERALL), "n_empty_pairs": 0}
        row = numbers_of(counts.whole, 0)
        mentions = counts.whole.detection.mentions[0]
        chance = float(counts.chance.sum() / mentions) if mentions else np.nan
        f1 = float(coefficients.specific_agreement(counts.whole.detection)[0])
        corrected = (f1 - chance) / (1 - chance) if chance < 1 else np.nan
        is_few = row["f1"] is None
        return {
            **row,
            "n_units": int(counts.n_units[-1]),
            "alpha": None if row["alpha"] is None else number(coefficients.alpha(counts.found)),
            "ac1": None if row["alpha"] is None else number(coefficients.ac1(counts.found)),
            "f1_chance": None if is_few else number(chance),
            "f1_corrected": None if is_few else number(corrected),
            "n_empty_pairs": counts.n_empty,
        }

    def classes(self, chosen: Sequence[str] = ()) -> list[Row]:
        """Return a row for each class, the most mentioned first."""
        counts = self.counts
        if counts is None:
            return []
        f1 = coefficients.specific_agreement(counts.classes)
        f1_lo, f1_hi = intervals.specific_interval(counts.classes)
        effect = intervals.design_effect(counts.classes)
        alpha = coefficients.alpha_by_class(counts.found)
        alpha_lo, alpha_hi = intervals.alpha_interval(counts.found)
        rows: list[Row] = []
        for at, name in enumerate(self.words.classes):
            n = counts.classes.mentions[at]
            if n == 0 or (chosen and name not in chosen):
                continue
            is_few, n_places = n < TOO_FEW, counts.places.n[at]
            few_found = counts.found.mentions[at] < TOO_FEW
            agreeing = counts.classes.coincidences[at] / 2
            rows.append(
                {
                    "class": name,
                    "n_units": int(counts.n_units[at]),
                    "n_pairs": int(n - agreeing),
                    "f1": None if is_few else number(f1[at]),
                    "f1_lo": None if is_few else number(f1_lo[at]),
                    "f1_hi": None if is_few else number(f1_hi[at]),
                    "alpha": None if few_found else number(alpha[at]),
                    "alpha_lo": None if few_found else number(alpha_lo[at]),
                    "alpha_hi": None if few_found else number(alpha_hi[at]),
                    "iou_mean": number(counts.places.total[at] / n_places) if n_places else None,
                    "iou_lt75_fraction": number(counts.places.n_loose[at] / n_places)
                    if n_places
                    else None,
                    "n_missing": int(counts.confusion[at, -1]),
                    "design_effect": number(effect[at]),
                    "f1_chance": None if is_few else number(counts.chance[at] / n),
                }
            )
        return sorted(rows, key=lambda row: (-int(str(row["n_units"])), str(row["class"])))

    def pairs(self, chosen: Sequence[str] = ()) -> list[Row]:
        """Return a row for every two annotators who compare, those who agree least first."""
        n = len(self.words.annotators)
        rows = self._rows(
            "pair", lambda at: {"a": self._person(at // n), "b": self._person(at % n)}
        )
        told = [row for row in rows if not chosen or {row["a"], row["b"]} & set(chosen)]
        return sorted(told, key=_by_f1)

    def annotators(self, chosen: Sequence[str] = ()) -> list[Row]:
        """Return a row for each annotator, who agrees least first."""
        rows = self._rows("annotator", lambda at: {"annotator": self._person(at)})
        told = [row for row in rows if not chosen or row["annotator"] in chosen]
        return sorted(told, key=_by_f1)

    def batches(self) -> list[Row]:
        """Return a row for each batch, in the order in which they were made."""
        return self._rows("batch", lambda at: {"batch": self.words.batches[at]})

    def schemas(self) -> list[Row]:
        """Return a row for each schema version."""
        return self._rows("schema", lambda at: {"schema": self.words.schemas[at]})

    def weeks(self) -> list[Row]:
        """Return a row for each week, oldest first."""
        return self._rows("week", lambda at: {"week": week_text(self.first_week + at)})

    def tags(self) -> list[Row]:
        """Return a row for each attribute value, that on which people agree least first."""
        return sorted(self._rows("tag", lambda at: {"tag": self.tag_words[at]}), key=_by_f1)

    def confusion(self) -> list[Row]:
        """Return which classes are taken for which, and how often, the most frequent first."""
        if self.counts is None:
            return []
        names = [*self.words.classes, None]
        table = self.counts.confusion
        rows: list[Row] = [
            {"class": names[a], "as_class": names[b], "n": int(table[a, b])}
            for a in range(len(names))
            for b in range(a + 1, len(names))
            if table[a, b]
        ]
        return sorted(rows, key=lambda row: -int(str(row["n"])))

    def _rows(self, dimension: str, named: object) -> list[Row]:
        if self.counts is None or dimension not in self.counts.cuts:
            return []
        cut = self.counts.cuts[dimension]
        return [
            {**named(at), **numbers_of(cut, at)}  # type: ignore[operator]
            for at in np.flatnonzero(cut.n_pairs).tolist()
        ]

    def _person(self, at: int) -> str:
        return self.words.annotators[at]


_OVERALL = ("n_units", "ac1", "f1_chance", "f1_corrected")


def _by_f1(row: Row) -> tuple[bool, float, str]:
    value = row["f1"]
    return value is None, float(str(value)) if value is not None else 0.0, str(sorted(row.items()))
