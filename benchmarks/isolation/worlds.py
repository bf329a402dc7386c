"""Worlds whose fault is known: labels of two pinned versions, and what two models got wrong.

As METHODS 6.2 describes them: 20 annotators who specialise in classes and work in crews, 40 batches nested
in 12 weeks and three guideline versions, four stages; 15 % of labels changed between the versions, 60 % in
the last weeks. Both models err by how difficult an object is and share three quarters of their luck; from
run to run every class moves a little, and all together by half a point. A fault makes a share of the
*changed* labels of one slice newly wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KINDS = ("annotator", "batch", "schema x class", "annotator x class", "stage x batch")
N_CLASSES, N_ANNOTATORS, N_BATCHES, N_WEEKS, N_STAGES, N_SCHEMAS = 20, 20, 40, 12, 4, 3
N_CONTEXTS = 15
WORDS = {
    "annotator": N_ANNOTATORS,
    "schema": N_SCHEMAS,
    "batch": N_BATCHES,
    "stage": N_STAGES,
    "class": N_CLASSES,
    "week": N_WEEKS,
}
_LATE, _CHANGED_LATE, _CHANGED_EARLY = 8, 0.6, 0.15
_SHARED = 0.75

Slice = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class World:
    """Units with provenance; the fault's slices; outcomes of the good and of the bad run (1 is wrong)."""

    codes: dict[str, np.ndarray]
    is_changed: np.ndarray
    faults: tuple[Slice, ...]
    is_bad: np.ndarray
    good: np.ndarray
    bad: np.ndarray

    @property
    def outcome(self) -> np.ndarray:
        """What the bad run lost on each unit: -1, 0 or 1."""
        return self.bad - self.good

    def of(self, slice_: Slice) -> np.ndarray:
        """Tell which changed units lie in a slice."""
        return self.is_changed & member(self.codes, slice_)


def member(codes: dict[str, np.ndarray], slice_: Slice) -> np.ndarray:
    found = np.ones(len(next(iter(codes.values()))), bool)
    for name, value in slice_:
        found &= codes[name] == value
    return found


def provenance(n: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draw who labelled what, when and how, and which labels changed."""
    share = np.arange(1, N_CLASSES + 1) ** -0.9
    class_ = rng.choice(N_CLASSES, n, p=share / share.sum())
    batch = rng.integers(0, N_BATCHES, n)
    week = batch * N_WEEKS // N_BATCHES
    schema = np.digitize(week, [5, 9])
    early = rng.random(n) < 0.05
    schema[early] = rng.integers(0, N_SCHEMAS, int(early.sum()))
    tastes = 0.7 * rng.dirichlet(np.full(N_ANNOTATORS, 0.6), N_CLASSES) + 0.3 / N_ANNOTATORS
    crews = 0.6 * rng.dirichlet(np.full(N_ANNOTATORS, 0.8), N_BATCHES) + 0.4 / N_ANNOTATORS
    chance = np.cumsum(tastes[:, None] * crews[None], axis=2)
    chance /= chance[:, :, -1:]
    annotator = np.empty(n, np.int64)
    draws = rng.random(n)
    for start in range(0, n, 100_000):
        at = slice(start, start + 100_000)
        annotator[at] = (draws[at, None] > chance[class_[at], batch[at]]).sum(axis=1)
    stage = np.where(rng.random(n) < 0.6, 0, rng.integers(1, N_STAGES, n))
    is_changed = rng.random(n) < np.where(week >= _LATE, _CHANGED_LATE, _CHANGED_EARLY)
    codes = {
        "annotator": np.minimum(annotator, N_ANNOTATORS - 1),
        "schema": schema,
        "batch": batch,
        "stage": stage,
        "class": class_,
        "week": week,
    }
    return codes, is_changed


def fault(kind: str, codes: dict[str, np.ndarray], rng: np.random.Generator) -> Slice:
    """Choose a slice of a kind that holds 60 units at least and 15 % of all at most."""
    n = len(codes["class"])
    while True:
        slice_ = _slice(kind, rng)
        if 60 <= member(codes, slice_).sum() <= 0.15 * n:
            return slice_


def _slice(kind: str, rng: np.random.Generator) -> Slice:
    match kind:
        case "annotator":
            return (("annotator", int(rng.integers(N_ANNOTATORS))),)
        case "batch":
            return (("batch", int(rng.integers(24, N_BATCHES))),)
        case "schema x class":
            return (("schema", 2), ("class", int(rng.integers(1, 12))))
        case "annotator x class":
            return (
                ("annotator", int(rng.integers(N_ANNOTATORS))),
                ("class", int(rng.integers(8))),
            )
        case _:
            return (
                ("stage", int(rng.integers(1, N_STAGES))),
                ("batch", int(rng.integers(N_BATCHES))),
            )


def world(n: int, kinds: tuple[str, ...], strength: float, seed: int) -> World:
    """Make a world of paired errors (mode B): no kinds, no fault."""
    rng = np.random.default_rng([n, seed, len(kinds), *(KINDS.index(kind) for kind in kinds)])
    codes, is_changed = provenance(n, rng)
    faults = tuple(fault(kind, codes, rng) for kind in kinds)
    is_bad = np.zeros(n, bool)
    for slice_ in faults:
        is_bad |= member(codes, slice_) & is_changed & (rng.random(n) < strength)
    difficulty = rng.beta(0.6, 2.4, n)
    drop = (rng.normal(0, 0.015, N_CLASSES) + 0.005)[codes["class"]]
    luck = rng.random(n)
    other = np.where(rng.random(n) < _SHARED, luck, rng.random(n))
    good = luck < difficulty
    bad = (other < np.clip(difficulty + drop, 0, 1)) | is_bad
    return World(codes, is_changed, faults, is_bad, good.astype(float), bad.astype(float))


def disagreement(world: World, seed: int) -> np.ndarray:
    """Draw whether the good model contradicts each new label (mode A); labels that it knows are easier."""
    rng = np.random.default_rng([seed, 65])
    n = len(world.is_bad)
    difficulty = rng.beta(0.6, 2.4, n) * np.where(world.is_changed, 1.0, 0.7)
    drop = rng.normal(0, 0.02, N_CLASSES)[world.codes["class"]]
    chance = np.where(world.is_bad, 0.85, np.clip(difficulty + drop, 0, 1))
    return (rng.random(n) < chance).astype(float)


@dataclass(frozen=True, slots=True)
class Gold:
    """Gold evaluation without provenance (mode C): the cell of every label, and of every gold object."""

    cell: np.ndarray
    gold_cell: np.ndarray
    outcome: np.ndarray


def gold(world: World, n_gold: int, seed: int, *, pull: float = 2.0) -> Gold:
    """Evaluate a world on gold objects: a cell errs by the wrong labels of its kind, and of its class."""
    rng = np.random.default_rng([seed, 67])
    codes, n_cells = world.codes, N_CLASSES * N_CONTEXTS
    contexts = np.cumsum(rng.dirichlet(np.full(N_CONTEXTS, 0.5), N_BATCHES), axis=1)
    draws = rng.random(len(world.is_bad))
    context = (draws[:, None] > contexts[codes["batch"]]).sum(axis=1).clip(0, N_CONTEXTS - 1)
    cell = codes["class"] * N_CONTEXTS + context
    held = np.bincount(cell, minlength=n_cells)
    wrong = np.bincount(cell, world.is_bad, n_cells)
    by_class = wrong.reshape(N_CLASSES, -1).sum(axis=1) / held.reshape(N_CLASSES, -1).sum(axis=1)
    exposure = 0.6 * wrong / np.maximum(held, 1) + 0.4 * np.repeat(by_class, N_CONTEXTS)
    chance = (held + 0.5) / (held + 0.5).sum()
    gold_cell = rng.choice(n_cells, n_gold, p=chance)
    difficulty, luck = rng.beta(0.6, 2.4, n_gold), rng.random(n_gold)
    other = np.where(rng.random(n_gold) < _SHARED, luck, rng.random(n_gold))
    drift = rng.normal(0, 0.012, N_CLASSES)[gold_cell // N_CONTEXTS]
    drift += rng.normal(0, 0.012, n_cells)[gold_cell] + pull * exposure[gold_cell]
    before, after = luck < difficulty, other < np.clip(difficulty + drift, 0, 1)
    return Gold(cell, gold_cell, after.astype(float) - before)
