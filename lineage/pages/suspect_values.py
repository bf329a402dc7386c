"""What a page of suspects is made of, before it is a page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lineage.pages.values import Row

Slice = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """What a label said at one time.

    Parameters
    ----------
    class_
        Its class.
    annotator
        Pseudonym.
    rings
        Outlines as ``[x0, y0, x1, y1, ...]``, px; empty for a class of the whole image.
    """

    class_: str
    annotator: str
    rings: Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Relabelled:
    """A label that changed between the two versions.

    Parameters
    ----------
    annotation, asset
        The ledger's number, and the image's name.
    change
        A word of `lineage.terms.Change`.
    before, after
        What the good and the bad run were given; None where it was not there.
    picture
        The image's bytes; None where no file was found.
    """

    annotation: int
    asset: str
    change: str
    before: Said | None
    after: Said | None
    picture: bytes | None


@dataclass(frozen=True, slots=True)
class Suspected:
    """A suspect; numbers as `lineage.activities.isolate_report` has them, None where that has none.

    Parameters
    ----------
    rank, slice, n_changed, gain, effect, effect_lo, share, aliases, step, is_evidence
        As there; people by pseudonym.
    n_check, n_controls
        Labels to look at again, and matched ones beside them.
    recheck
        ``n_wrong, n, n_wrong_controls, n_controls, p_value``; None while too few verdicts are in.
    predicate
        Words for ``recompute --without``; None where there are none.
    flows
        Rows ``batch, annotator, n``: its changed labels.
    shown
        Some of its changed labels.
    is_check_shown
        Whether any of these are among those to look at again.
    """

    rank: int
    slice: Slice
    n_changed: int
    gain: float
    effect: float | None
    effect_lo: float | None
    share: float | None
    aliases: Sequence[Slice]
    step: int
    is_evidence: bool
    n_check: int = 0
    n_controls: int = 0
    recheck: Row | None = None
    predicate: str | None = None
    flows: Sequence[Row] = ()
    shown: Sequence[Relabelled] = ()
    is_check_shown: bool = False


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Everything on a page of suspects.

    Parameters
    ----------
    project, as_of
        Its name, and the place in the log.
    options
        The options that name the files of the question on a command line, with a leading space; or empty.
    bad, good, bad_version, good_version
        The runs, and what they are pinned to.
    mode, is_weak, n_changed, n_units, threshold, evidence
        As `lineage.activities.isolate_report` has them; threshold None where there is none.
    suspects
        Likeliest first.
    eval_moved
        Whether the evaluation set moved; None: not asked.
    notes
        In words.
    flows
        Rows ``batch, annotator, n``: all changed labels.
    changes
        By dimension, rows ``{dimension: value, n_added, ...}``.
    names
        The name to show of each pseudonym; who is not in it is shown by pseudonym.
    """

    project: str
    as_of: str
    options: str
    bad: str
    good: str
    bad_version: str
    good_version: str
    mode: str
    is_weak: bool
    n_changed: int
    n_units: int
    threshold: float | None
    evidence: bool
    suspects: Sequence[Suspected] = ()
    eval_moved: Mapping[str, object] | None = None
    notes: Sequence[str] = ()
    flows: Sequence[Row] = ()
    changes: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The command line that asks the same question on a terminal."""
        runs = shlex.join(["--bad", self.bad, "--good", self.good])
        return f"lineage isolate {runs}{self.options}"

    @property
    def diff_command(self) -> str:
        """The command line that tells what changed."""
        return f"lineage diff {self.good_version} {self.bad_version}"

    @property
    def n_labels_changed(self) -> int:
        """Labels that differ between the versions."""
        return sum(int(str(row["n"])) for row in self.flows)

    def name(self, pseudonym: object) -> str:
        """Return how a person is shown."""
        return self.names.get(str(pseudonym), str(pseudonym))
