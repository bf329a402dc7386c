"""Drift: how soon it is seen and who is named, beside METHODS 3.1; and how often nothing is taken for it.

    python benchmarks/drift.py [N_WORLDS]

Three tables. METHODS' own worlds (10 annotators, 20 classes, 150 pairs a class and week, 16 weeks) with
its four faults: mean delay in weeks, the first drifting week being 1, beside the published figure. Worlds
without a fault, METHODS' and those of `lineage simulate`: how many raise any alarm, with Wilson's interval,
beside the stated share. And `lineage simulate`'s faults: the week in which the first alarm names the person.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lineage.calc.intervals import wilson
from lineage.simulate.settings import PEOPLE
from tests.calc import test_drift as published
from tests.calc.test_drift import Fault
from tests.quality import test_drift as simulated
from tests.quality import worlds

ALPHA = 0.05
N_FAULTY = 60
FAULTS = (
    ("3 of 10, 15 %", Fault(0.15, 3), 3.8),
    ("1 of 10, 15 %", Fault(0.15, 1), 3.2),
    ("3 of 10, to 25 % in 4 weeks", Fault(0.25, 3, 4), 4.0),
    ("3 of 10, 40 %", Fault(0.40, 3), 1.5),
)


def main() -> None:
    n_worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    delays()
    clean(n_worlds)
    named()


def delays() -> None:
    print(
        f"{'fault':30}{'published':>10}{'ours':>7}{'+-':>6}{'right name':>12}{'never':>7}{'too soon':>9}"
    )
    for name, fault, told in FAULTS:
        waits, n_right, n_never, n_soon = [], 0, 0, 0
        for seed in range(N_FAULTY):
            raised = published.charted(published.world(np.random.default_rng(500 + seed), fault)[0])
            if not raised:
                n_never += 1
                waits.append(published.N_WEEKS - published.SINCE)
                continue
            top = raised[0]
            n_soon += top.week < published.SINCE
            n_right += top.annotator < fault.n_drifters and (top.said, top.own) == (0, 1)
            waits.append(max(top.week - published.SINCE + 1, 0))
        error = np.std(waits) / np.sqrt(len(waits))
        print(
            f"{name:30}{told:10.1f}{np.mean(waits):7.1f}{error:6.2f}{n_right / N_FAULTY:12.0%}"
            f"{n_never:7}{n_soon:9}",
            flush=True,
        )


def clean(n_worlds: int) -> None:
    n_alarmed: dict[str, int] = {}

    def note(name: str, raised: object) -> None:
        n_alarmed[name] = n_alarmed.get(name, 0) + bool(raised)

    for seed in range(n_worlds):
        pairs, gold = published.world(np.random.default_rng(seed), Fault())
        note("METHODS' worlds, annotators", published.charted(pairs))
        note("METHODS' worlds, classes", published.rated(pairs))
        note("METHODS' worlds, against gold", published.rated(gold, follows_week=False))
        for name, n, more in _CLEAN:
            made = worlds.settings(1_000 + seed, n, **more)
            weeks = worlds.compared(worlds.opinions(made))
            note(f"simulate, {name}, annotators", any(simulated.cell_alarms(weeks)))
            note(f"simulate, {name}, classes", any(simulated.class_alarms(weeks)))
    print(f"\n{n_worlds} worlds without a fault; any alarm is promised in at most {ALPHA:.0%}")
    for name, n in sorted(n_alarmed.items()):
        low, high = wilson(n, n_worlds)
        print(f"{name:50}{n:5}{n / n_worlds:8.1%}  {low:.1%} to {high:.1%}")


_CLEAN: Sequence[tuple[str, int, dict[str, float]]] = (
    ("two opinions", 3_000, {"overlap_fraction": 1.0, "gold_fraction": 0}),
    ("four opinions", 1_500, {"overlap_fraction": 1.0, "gold_fraction": 0, "opinions_per_overlap": 4}),
    ("hidden gold for all", 15_000, {}),
)  # fmt: skip


def named() -> None:
    print("\nsimulate, 20,000 images, 8 weeks: weeks until the first alarm that names the person")
    print(f"{'fault':34}{'mean':>6}{'worst':>7}{'never':>7}  of 30; alarms before it began")
    for name, fault, who, since in (
        ("goran hurries from week 4", simulated.HURRIED, "goran", 4),
        ("erin skips from week 3", worlds.SPLIT, "erin", 3),
        ("femi renames from week 3", worlds.SPLIT, "femi", 3),
    ):
        waits, n_never, n_soon = [], 0, 0
        for seed in range(30):
            found = simulated.cell_alarms(simulated.planted(seed, fault))
            n_soon += any(found[: since - 1])
            weeks = [
                week + 1
                for week, alarms in enumerate(found)
                if week + 1 >= since and any(PEOPLE[a.annotator] == who for a in alarms)
            ]
            n_never += not weeks
            waits += [weeks[0] - since + 1] if weeks else []
        print(f"{name:34}{np.mean(waits):6.1f}{max(waits):7}{n_never:7}  {n_soon}", flush=True)


if __name__ == "__main__":
    main()
