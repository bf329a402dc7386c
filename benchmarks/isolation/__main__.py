"""Who finds a planted fault: ours, METHODS' own, and what others would blame, in one table.

    python -m benchmarks.isolation [N_WORLDS]    the tables (default 40 of each kind and setting)
    python -m benchmarks.isolation scale [MILLIONS]    20 million labels, and peak memory

Seeds are fixed: the reported worlds are none of those by which anything was chosen. A fault counts as found
when the slice named first holds nearly its changed labels (Jaccard index of at least 0.8). Every method
sees the same worlds in the same run.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np

from benchmarks.isolation.baselines import BASELINES
from benchmarks.isolation.worlds import (
    KINDS,
    N_CLASSES,
    N_CONTEXTS,
    WORDS,
    Slice,
    World,
    disagreement,
    gold,
    world,
)
from lineage.calc.bridge import Cells, bridge_rank
from lineage.calc.intervals import wilson
from lineage.calc.slices import Attribute
from lineage.calc.suspects import Ranking, Suspect, Units, did_rank
from lineage.calc.verdicts import Method

SEED = 100_000
SETTINGS = ((20_000, 0.15), (20_000, 0.30), (20_000, 0.60), (100_000, 0.15), (100_000, 0.30))
METHODS = {
    "most changed slice": (0, 0, 0, 0, 0),
    "worst error rate of the bad run": (0.01, 0.07, 0.15, 0.00, 0.02),
    "SliceLine on bad-run errors": (0, 0, 0, 0, 0),
    "SliceLine on newly wrong": (0.04, 0.39, 0.48, 0.00, 0.40),
    "paired difference, t (DivExplorer)": (0.26, 0.56, 0.72, 0.36, 0.62),
    "class-stratified paired z": (0.24, 0.49, 0.67, 0.36, 0.60),
    "changed only: class-stratified z": (0.45, 0.56, 0.59, 0.66, 0.76),
    "did_rank (METHODS 6.1)": (0.50, 0.78, 0.94, 0.86, 0.96),
}
OURS, PUBLISHED = "bayes (ours)", "did_rank (METHODS 6.1)"
OF = {PUBLISHED: Method.DID, OURS: Method.BAYES}


def units(one: World, outcome: np.ndarray | None = None) -> Units:
    attributes = tuple(Attribute(name, one.codes[name], WORDS[name]) for name in WORDS)
    told = one.outcome if outcome is None else outcome
    return Units(told, one.is_changed, one.codes["class"], N_CLASSES, attributes)


def is_found(one: World, slice_: Slice, fault: int = 0) -> bool:
    named, meant = one.of(slice_), one.of(one.faults[fault])
    return bool((named & meant).sum() >= 0.8 * max(int((named | meant).sum()), 1))


def plain(suspect: Suspect) -> Slice:
    return tuple(zip(suspect.slice.attributes, suspect.slice.values, strict=True))


def faults(n_worlds: int) -> None:
    first, third, seconds = defaultdict(list), defaultdict(list), defaultdict(float)
    claimed, right = defaultdict(list), defaultdict(list)
    by_kind = defaultdict(list)
    for setting, (n, strength) in enumerate(SETTINGS):
        for kind in KINDS:
            for seed in range(n_worlds if n < 50_000 else max(n_worlds // 2, 1)):
                one = world(n, (kind,), strength, SEED + seed)
                for name, rank in BASELINES.items():
                    start = time.process_time()
                    named = rank(one)
                    seconds[name, n] += time.process_time() - start
                    first[name, setting].append(is_found(one, named[0]))
                    third[name, setting].append(any(is_found(one, slice_) for slice_ in named))
                for name, method in OF.items():
                    start = time.process_time()
                    found = did_rank(units(one), method=method, n_first=3, n_steps=1)
                    seconds[name, n] += time.process_time() - start
                    hits = [is_found(one, plain(suspect)) for suspect in found.first]
                    first[name, setting].append(hits[0])
                    third[name, setting].append(any(hits))
                    by_kind[name, setting, kind].append(hits[0])
                    claimed[name, setting].append(found.first[0].is_evidence)
                    if found.first[0].is_evidence:
                        right[name, setting].append(hits[0])
    names = [*BASELINES, *OF]
    _table("Named first", names, first, METHODS)
    _table("Among the first three", names, third, {})
    print("\nNamed first, by kind of fault")
    for name in OF:
        for kind in KINDS:
            row = "".join(f"{np.mean(by_kind[name, at, kind]):9.2f}" for at in range(len(SETTINGS)))
            print(f"{name + ': ' + kind:44}{row}")
    print("\nEvidence claimed, and right where claimed")
    for name in OF:
        cells = (
            f"{np.mean(claimed[name, at]):5.2f}{np.mean(right[name, at] or [np.nan]):5.2f}"
            for at in range(len(SETTINGS))
        )
        print(f"{name:38}" + "  ".join(cells))
    n_run = {n: len(KINDS) * sum(len(first[OURS, at]) // len(KINDS) for at, (size, _) in enumerate(SETTINGS) if size == n) for n in (20_000, 100_000)}  # fmt: skip
    print("\nCPU milliseconds a world of 20,000 and of 100,000 units")
    for name in names:
        print(f"{name:38}" + "".join(f"{1e3 * seconds[name, n] / n_run[n]:9.0f}" for n in n_run))


def _table(title: str, names: list[str], told: dict, stated: dict[str, tuple]) -> None:
    heads = [f"{n // 1000}k {strength:.2f}" for n, strength in SETTINGS]
    n_told = [len(told[OURS, at]) for at in range(len(SETTINGS))]
    note = " (METHODS 6.2 in brackets)" if stated else ""
    print(f"\n{title}{note}; worlds: {', '.join(map(str, n_told))}")
    print(f"{'':38}" + "".join(f"{head:>13}" for head in heads))
    for name in names:
        cells = []
        for at in range(len(SETTINGS)):
            said = f" ({stated[name][at]:.2f})" if name in stated else ""
            cells.append(f"{np.mean(told[name, at]):.2f}{said}".rjust(13))
        print(f"{name:38}" + "".join(cells))
    low, high = zip(
        *(wilson(sum(told[OURS, at]), len(told[OURS, at])) for at in range(len(SETTINGS))),
        strict=True,
    )
    spans = "".join(f"{a:.2f} to {b:.2f}".rjust(13) for a, b in zip(low, high, strict=True))
    print(f"{'  95 % of ' + OURS:38}{spans}")


def clean(n_worlds: int) -> None:
    print(f"\nWorlds without a fault that show evidence (5 % allowed), {n_worlds} each")
    for name, method in OF.items():
        for label, n, is_mode_a in (
            ("20k", 20_000, False),
            ("100k", 100_000, False),
            ("20k mode A", 20_000, True),
        ):
            gain, n_false, n_run = [], 0, n_worlds if n < 50_000 else max(n_worlds // 4, 1)
            for seed in range(n_run):
                one = world(n, (), 0.0, SEED + seed)
                outcome = disagreement(one, SEED + seed) if is_mode_a else None
                found = did_rank(units(one, outcome), method=method, n_first=1, n_steps=1)
                gain.append(found.first[0].gain)
                n_false += found.first[0].is_evidence
            low, high = wilson(n_false, n_run)
            median, most, top = np.quantile(gain, [0.5, 0.95, 0.99])
            print(
                f"{name:28}{label:12}{n_false:4} of {n_run:4} = {100 * n_false / n_run:4.1f} % "
                f"({100 * low:.1f} to {100 * high:.1f}); gain: median {median:.1f}, 95 % {most:.1f}, "
                f"99 % {top:.1f}; threshold {found.threshold:.1f}"
            )


def two(n_worlds: int) -> None:
    print("\nTwo faults at once (annotator, schema x class), 60,000 units, strength 0.40")
    for name, method in OF.items():
        both, steps = 0, []
        for seed in range(n_worlds):
            one = world(60_000, ("annotator", "schema x class"), 0.4, SEED + seed)
            found: Ranking = did_rank(units(one), method=method, n_first=1)
            named = [plain(suspect) for suspect in found.steps[:2]]
            both += all(any(is_found(one, slice_, at) for slice_ in named) for at in (0, 1))
            steps.append(sum(suspect.is_evidence for suspect in found.steps))
        low, high = wilson(both, n_worlds)
        print(
            f"{name:28}both in the first two steps: {both} of {n_worlds} ({low:.2f} to {high:.2f}); "
            f"steps with evidence, mean {np.mean(steps):.2f} (METHODS 20 of 20)"
        )


def other_modes(n_worlds: int) -> None:
    print(
        "\nModes A (a good model against new labels) and C (gold without provenance), 100,000 units"
    )
    stated = {0.5: (".95", ".33", ".55"), 0.25: (".75", ".10", ".37"), 0.15: (".60", "-", "-")}
    for strength, said in stated.items():
        hits = defaultdict(list)
        for kind in KINDS:
            for seed in range(n_worlds):
                one = world(100_000, (kind,), strength, SEED + seed)
                told = units(one, disagreement(one, SEED + seed))
                for name, method in OF.items():
                    found = did_rank(told, method=method, n_first=1, n_steps=1)
                    hits[name].append(is_found(one, plain(found.first[0])))
                seen = gold(one, 20_000, SEED + seed)
                cells = Cells(
                    seen.cell,
                    seen.gold_cell,
                    seen.outcome,
                    np.arange(N_CLASSES * N_CONTEXTS) // N_CONTEXTS,
                )
                named = [
                    is_found(one, tuple(zip(x.slice.attributes, x.slice.values, strict=True)))
                    for x in bridge_rank(cells, one.is_changed, told.attributes)
                ]
                hits["C"].append(named[0])
                hits["C10"].append(any(named))
                hits["loss"].append(seen.outcome.mean())
        print(
            f"strength {strength:.2f}: A {np.mean(hits[OURS]):.2f} (did {np.mean(hits[PUBLISHED]):.2f}, METHODS "
            f"{said[0]}); C first {np.mean(hits['C']):.2f} ({said[1]}), first ten {np.mean(hits['C10']):.2f} "
            f"({said[2]}), at a loss of {100 * np.mean(hits['loss']):.2f} points; "
            f"{len(hits[OURS])} worlds"
        )


def scale(millions: float) -> None:
    """Rank slices of 20 million labels, 4 million of them changed, by seven attributes."""
    rng = np.random.default_rng(SEED)
    n = int(millions * 1e6)
    words = {"annotator": 60, "schema": 5, "batch": 400, "stage": 4, "class": 80, "week": 52, "tool": 6}  # fmt: skip
    codes = {name: rng.integers(0, size, n, dtype=np.int16) for name, size in words.items()}
    is_changed = rng.random(n, dtype=np.float32) < 0.2
    lost = rng.random(n, dtype=np.float32) < 0.05
    won = rng.random(n, dtype=np.float32) < 0.05
    outcome = lost.astype(float)
    outcome -= won
    del lost, won
    at = np.flatnonzero((codes["annotator"] == 7) & (codes["class"] == 3) & is_changed)
    outcome[at[rng.random(len(at)) < 0.3]] = 1.0
    attributes = tuple(Attribute(name, codes[name], size) for name, size in words.items())
    told = Units(outcome, is_changed, codes["class"], words["class"], attributes)
    held = _peak()
    print(f"\n{n:,} labels, {int(is_changed.sum()):,} changed, 7 attributes; alone {held:,.0f} MB")
    for name, method in (OF | {"bayes, outcomes not of -1, 0, 1": Method.BAYES}).items():
        if name.startswith("bayes, "):
            told = replace(told, outcome=outcome * 0.5)
        for n_steps in (1, 5):
            start, spent = time.perf_counter(), time.process_time()
            found = did_rank(told, method=method, n_steps=n_steps)
            taken, spent = time.perf_counter() - start, time.process_time() - spent
            print(
                f"{name:34}{n_steps} step(s) at most: {taken:5.1f} s, {spent:4.1f} s CPU, {found.n_slices:,} slices, peak "
                f"{_peak():,.0f} MB; first {plain(found.first[0])}, gain {found.first[0].gain:.0f}, "
                f"next {found.first[1].gain:.0f}; {sum(s.is_evidence for s in found.steps)} with evidence",
                flush=True,
            )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the tables, or those of the scale run."""
    if sys.argv[1:2] == ["scale"]:
        scale(float(sys.argv[2]) if len(sys.argv) > 2 else 20)
        return
    n_worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    faults(n_worlds)
    clean(10 * n_worlds)
    two(n_worlds)
    other_modes(max(n_worlds // 3, 1))


if __name__ == "__main__":
    main()
