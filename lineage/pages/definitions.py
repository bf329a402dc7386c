"""What the numbers mean, in one place: the words on hover, and the list at the page's end."""

from __future__ import annotations

from collections.abc import Mapping

from lineage.pages.tables import Column, Look
from lineage.pages.text import FEW, with_span
from lineage.pages.values import count, number

MEANS: Mapping[str, str] = {
    "F1": "positive specific agreement: of what either of two annotators mentioned, the share that the "
    "other bears out, same place and same class; a missed object counts against it",
    "interval": "of 95 %, clustered by image",
    "pairs": "n: pairs of independent opinions on one object",
    "mentions": "n: labels that were held against another annotator's answer",
    "images": "n: images that two annotators or more answered for",
    "alpha": "Krippendorff's alpha over classes, on objects that both found; - where too few were found, "
    "or only one class",
    "IoU": "mean overlap of two labels of one object",
    "missing": "pairs in which one of the two drew nothing",
    "by chance": "F1 that the labels of the next image would give",
    "fresh agree": "how two other opinions on a disputed object agree with one another; it takes four",
    "habit": "S: how far annotators take sides by habit, 0 for not at all, 1 for always",
    "p": "chance of as much habit where there is none",
    "gold errors": "share of judgements against gold that were wrong, empirical Bayes, interval of 90 %",
    FEW: "fewer than five mentions stand behind it",
}

_PAIRS = Column("n_pairs", "pairs", MEANS["pairs"], Look.COUNT)
F1 = Column(
    "f1", "F1", f"{MEANS['F1']}; interval {MEANS['interval']}", Look.FIGURE, "f1_lo", "f1_hi", FEW
)
NUMBERS = (
    Column("n_images", "images", MEANS["images"], Look.COUNT),
    _PAIRS,
    F1,
    Column("alpha", "alpha", MEANS["alpha"], Look.FIGURE),
    Column("iou_mean", "IoU", MEANS["IoU"], Look.FIGURE),
    Column("n_missing", "missing", MEANS["missing"], Look.COUNT),
)
CLASS_NUMBERS = (
    Column("n_units", "objects", "n: objects on which somebody gave the class", Look.COUNT),
    _PAIRS,
    F1,
    Column("f1_chance", "by chance", MEANS["by chance"], Look.FIGURE, none=FEW),
    Column("alpha", "alpha", MEANS["alpha"], Look.FIGURE, "alpha_lo", "alpha_hi"),
    Column("iou_mean", "IoU", MEANS["IoU"], Look.FIGURE),
    Column("n_missing", "missing", MEANS["missing"], Look.COUNT),
)
CELL_NUMBERS = (Column("n_mentions", "mentions", MEANS["mentions"], Look.COUNT), F1)


def told(row: Mapping[str, object], of: str, n: str = "n_pairs") -> str:
    """Return a row's F1 in words, for hovering."""
    value = with_span(number(row, "f1"), number(row, "f1_lo"), number(row, "f1_hi"))
    unit = "mentions" if n == "n_mentions" else "pairs"
    return f"{of}: F1 {value}, n = {count(row, n):,} {unit}"
