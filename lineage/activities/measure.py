"""Everything about quality in one go: agreement, drift, gold, and what is required of them.

The stage ``measure`` of the pipeline; nothing here depends on the clock, so that
the same ledger and parameters give the same files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lineage.activities import collect, trace
from lineage.activities.agreement import AgreementReport, agreement_of
from lineage.activities.context import Project
from lineage.activities.drift import DriftReport, Watch, drift_of
from lineage.activities.drift_gold import gold_of
from lineage.activities.gather import Threshold
from lineage.activities.gold_against import against_gold
from lineage.activities.gold_score import GoldScores, score
from lineage.activities.requirements import Gate, GateState, gates
from lineage.activities.trace import Choice
from lineage.settings import load_params
from lineage.settings.requirements import MeasureSettings, Requirement
from lineage.store import read

Row = Mapping[str, object]
Table = Sequence[Row]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured.

    Parameters
    ----------
    seq, root
        The log as of which it holds.
    settings
        With every requirement resolved.
    agreement, drift, gold
        The reports.
    gates
        Every requirement and how it stands.
    """

    seq: int
    root: str
    settings: MeasureSettings
    agreement: AgreementReport
    drift: DriftReport
    gold: GoldScores
    gates: Sequence[Gate]

    @property
    def n_failed(self) -> int:
        """How many requirements failed."""
        return sum(gate.state is GateState.FAILED for gate in self.gates)


def measure(project: Project, settings: MeasureSettings | None = None) -> Measured:
    """Measure quality over all labels on record.

    Parameters
    ----------
    project
        An open project.
    settings
        In place of ``measure`` in its params.yaml.

    Raises
    ------
    NotFound
        ``no-annotator``, ``no-batch``: a requirement names somebody or something that is not there.
    """
    how = settings or load_params(project.root).measure
    threshold = Threshold(how.iou, how.small_iou)
    with project.store.reading() as connection:
        head = read.head(connection)
    choice = Choice(as_of=str(head.size))
    drift = drift_of(
        project,
        threshold=threshold,
        watch=Watch(how.horizon_weeks, how.false_alarm_fraction),
        gold=gold_of(project, choice, threshold),
    )
    scores = score(project, choice, threshold=threshold)
    named = [_with_pseudonyms(project, one) for one in how.requirements]
    found = gates(
        named,
        collect.load(project, choice),
        threshold,
        drift,
        (against_gold(project, choice, threshold=threshold), scores),
    )
    return Measured(
        seq=head.size,
        root=head.root or "",
        settings=how,
        agreement=agreement_of(project, choice, threshold=threshold),
        drift=drift,
        gold=scores,
        gates=found,
    )


def _with_pseudonyms(project: Project, one: Requirement) -> Requirement:
    """Return a requirement whose people are pseudonyms, having made sure that what it names exists."""
    asked = Choice(annotator=one.annotators, batch=one.batches)
    return replace(one, annotators=trace.selector_of(project, asked).annotators)


def metrics_of(found: Measured) -> dict[str, object]:
    """Return the numbers that ``dvc metrics diff`` compares, flat by name."""
    overall = found.agreement.overall
    standing = [row for row in found.drift.alarms if row["is_standing"]]
    return {
        "agreement": {
            key: overall[key]
            for key in ("f1", "f1_lo", "f1_hi", "alpha", "iou_mean", "n_images", "n_pairs")
        },
        "f1_by_class": {str(row["class"]): row["f1"] for row in found.agreement.by_class},
        "disputes": {
            "n": sum(int(str(row["n"])) for row in found.agreement.disputes),
            "n_definition_splits": sum(
                row["verdict"] == "definition_split" for row in found.agreement.splits
            ),
        },
        "drift": {"n_alarms": len(found.drift.alarms), "n_standing": len(standing)},
        "gold": {
            "n": found.gold.scope["n_judgements"],
            "n_flagged": sum(row["decision"] == "flag" for row in found.gold.annotators),
        },
        "requirements": {
            state.value: sum(gate.state is state for gate in found.gates) for state in GateState
        },
    }


def plots_of(found: Measured) -> dict[str, Table]:
    """Return the tables that ``dvc plots`` draws, by file name."""
    classes = [
        {key: row[key] for key in ("class", "f1", "f1_lo", "f1_hi", "alpha", "n_units")}
        for row in found.agreement.by_class
    ]
    weeks = [
        {key: row[key] for key in ("week", "f1", "f1_lo", "f1_hi", "n_pairs")}
        for row in found.agreement.by_week
    ]
    confusion = [
        {"class": row["class"], "as_class": row["as_class"] or "nothing"}
        for row in found.agreement.confusion
        for _ in range(int(str(row["n"])))
    ]
    return {"f1_by_class": classes, "f1_by_week": weeks, "confusion": confusion[:_MOST_CONFUSED]}


_MOST_CONFUSED = 100_000
