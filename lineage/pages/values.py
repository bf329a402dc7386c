"""What a quality page is made of, before it is a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one annotator said of one object.

    Parameters
    ----------
    annotator
        Pseudonym.
    class_
        None: looked, and drew nothing.
    rings
        Outlines as ``[x0, y0, x1, y1, ...]``, px of the image; empty where nothing was drawn.
    annotation
        The ledger's number of the label, None without one.
    """

    annotator: str
    class_: str | None
    rings: Sequence[Sequence[float]]
    annotation: int | None


@dataclass(frozen=True, slots=True)
class Disputed:
    """An object that people disagree on.

    Parameters
    ----------
    class_, as_class
        The two values that stand against each other; None for "drew nothing".
    asset
        The image's name.
    opinions
        Of everybody who was asked.
    picture
        The image's bytes, None where no file was found.
    """

    class_: str | None
    as_class: str | None
    asset: str
    opinions: Sequence[Opinion]
    picture: bytes | None


@dataclass(frozen=True, slots=True)
class Quality:
    """Everything on a quality page; rows as ``docs/json.md`` gives them.

    Parameters
    ----------
    project, as_of
        Its name, and the place in the log.
    options
        The options that repeat the selection on a command line, with a leading space; or empty.
    stages
        Live labels by stage.
    batches, schemas, versions
        Rows ``tag, task, schema, kind, state, n_annotations``; ``schema, state, n_labels``;
        ``version, tags, n_labels, n_assets``.
    iou_threshold, agreement
        The fields of an agreement report.
    by_pair_class, by_week_class, by_annotator_class
        Rows ``a, b`` or ``week`` or ``annotator``, then ``class, n_mentions, f1, f1_lo, f1_hi``.
    begins
        Rows ``week, what, name``: when a ``batch`` or a ``schema`` version first has labels that are
        compared.
    volumes
        Rows ``annotator, n_labels``.
    disputed
        Examples to draw.
    drift, gold
        The fields of a drift report and of gold scores; None where there are none.
    names
        The name to show of each pseudonym; who is not in it is shown by pseudonym.
    """

    project: str
    as_of: str
    options: str
    stages: Mapping[str, int]
    batches: Sequence[Row]
    schemas: Sequence[Row]
    versions: Sequence[Row]
    iou_threshold: float
    agreement: Mapping[str, object]
    by_pair_class: Sequence[Row] = ()
    by_week_class: Sequence[Row] = ()
    by_annotator_class: Sequence[Row] = ()
    begins: Sequence[Row] = ()
    volumes: Sequence[Row] = ()
    disputed: Sequence[Disputed] = ()
    drift: Mapping[str, object] | None = None
    gold: Mapping[str, object] | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def name(self, pseudonym: object) -> str:
        """Return how a person is shown."""
        return self.names.get(str(pseudonym), str(pseudonym))

    def rows(self, key: str) -> Sequence[Row]:
        """Return a table of the agreement report."""
        return rows_of(self.agreement, key)

    def is_compared(self) -> bool:
        """Tell whether there is anything to compare."""
        overall = self.agreement.get("overall")
        return isinstance(overall, Mapping) and bool(overall.get("n_pairs"))


def rows_of(report: Mapping[str, object] | None, key: str) -> Sequence[Row]:
    """Return a report's table, empty where it has none."""
    found = None if report is None else report.get(key)
    return found if isinstance(found, (list, tuple)) else ()


def number(row: Row, key: str) -> float | None:
    """Return a number of a row, None where it has none."""
    found = row.get(key)
    return float(found) if isinstance(found, (int, float)) else None


def count(row: Row, key: str) -> int:
    """Return a count of a row, 0 where it has none."""
    found = row.get(key)
    return int(found) if isinstance(found, (int, float)) else 0
