"""What `isolate` found: frozen values, for a screen, a page or a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Recheck:
    """What blind verdicts on a suspect's labels and on matched ones prove.

    Parameters
    ----------
    n_wrong, n, n_wrong_controls, n_controls
        Labels of the slice that were disputed, of those judged; and of the controls.
    p_value
        Of Fisher's exact test, one-sided: the chance of so many wrong ones in the slice were it like the rest.
    """

    n_wrong: int
    n: int
    n_wrong_controls: int
    n_controls: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Suspect:
    """A slice of the changed labels that explains a regression.

    Parameters
    ----------
    rank
        1, 2, 3 ...; ``step`` tells with how many faults taken out before it was found.
    slice
        Value by dimension (annotator, schema, batch, stage, class, week, tool, reviewer, vendor); people
        by pseudonym.
    n_changed
        Units of the slice that differ between the two versions.
    gain
        Evidence for it, `lineage.calc.suspects`.
    effect, effect_lo
        Mean rise of the error on its changed units over what unchanged units of the same classes show, and
        the lower end of its 95 % interval.
    share_explained
        Of all that became worse.
    aliases
        Slices of nearly the same units, which the data cannot tell apart.
    check, controls
        Annotations to re-check blindly, and matched ones beside them.
    predicate
        The slice in the words of `recompute --without`; None where they cannot say it.
    recheck
        What verdicts on ``check`` and ``controls`` prove so far; None: too few are in.
    members
        Every annotation of the slice that changed, for a page to show some of them.
    """

    rank: int
    slice: Mapping[str, str]
    n_changed: int
    gain: float
    effect: float
    effect_lo: float
    share_explained: float
    aliases: Sequence[Mapping[str, str]]
    step: int
    is_evidence: bool
    check: Sequence[int]
    controls: Sequence[int]
    predicate: str | None
    recheck: Recheck | None = None
    members: pa.Array = field(default_factory=lambda: pa.array([], pa.int64()))


@dataclass(frozen=True, slots=True)
class IsolateReport:
    """Which labels are to blame for a worse model.

    Parameters
    ----------
    bad, good
        Names of the runs; ``bad_version`` and ``good_version`` what they are pinned to.
    mode
        ``new_labels`` (the good model against new labels), ``linked`` (both runs on units that carry
        provenance) or ``gold`` (no provenance: weak evidence).
    n_changed, n_units
        Units that differ between the versions, and all.
    threshold
        Gain from which on there is evidence.
    evidence
        Whether any slice passes it; where not, the suspects are the likeliest and no more.
    eval_moved
        Whether the ground truth itself moved, with the figures that tell; None: not asked.
    changes
        `columns.DIFF` of the two versions.
    """

    bad: str
    good: str
    bad_version: str
    good_version: str
    mode: str
    is_weak: bool
    n_changed: int
    n_units: int
    threshold: float
    evidence: bool
    suspects: Sequence[Suspect]
    eval_moved: Mapping[str, object] | None
    notes: Sequence[str]
    changes: pa.Table
