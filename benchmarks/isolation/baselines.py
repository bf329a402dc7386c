"""What others would blame: each ranks slices of the same worlds, best first.

- most changed: the slice with the most changed units;
- worst error rate: of the bad run, slices of 50 units and more;
- SliceLine's score (Sagadeeva and Boehm, SIGMOD 2021), on the bad run's errors or on newly wrong units;
- DivExplorer's t (Pastor, de Alfaro and Baralis, SIGMOD 2021) on the paired difference: a slice against all;
- the paired difference within classes, a slice against the rest of its class: all units, or changed ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.isolation.worlds import N_CLASSES, WORDS, Slice, World

_LEAST, _LEAST_CHANGED = 50, 20
_ALPHA = 0.95
_N = 3

Scored = Iterator[tuple[tuple[str, ...], np.ndarray, np.ndarray]]


def best(scored: Scored, n: int = _N) -> list[Slice]:
    """Return the slices of the greatest scores."""
    found = []
    for names, keys, score in scored:
        for at in np.argsort(-score, kind="stable")[:n]:
            found.append((-float(score[at]), _slice(names, int(keys[at]))))
    return [slice_ for _, slice_ in sorted(found)[:n]]


def _slice(names: tuple[str, ...], key: int) -> Slice:
    if len(names) == 1:
        return ((names[0], key),)
    first, second = divmod(key, WORDS[names[1]])
    return ((names[0], first), (names[1], second))


def _keys(codes: dict[str, np.ndarray]) -> Iterator[tuple[tuple[str, ...], np.ndarray, int]]:
    names = list(WORDS)
    for number, name in enumerate(names):
        yield (name,), codes[name], WORDS[name]
        for other in names[number + 1 :]:
            key = codes[name] * WORDS[other] + codes[other]
            yield (name, other), key, WORDS[name] * WORDS[other]


def _by_sums(
    codes: dict[str, np.ndarray],
    value: np.ndarray,
    least: int,
    score: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> Scored:
    for names, key, size in _keys(codes):
        n = np.bincount(key, minlength=size)
        kept = np.flatnonzero(n >= least)
        total, squares = np.bincount(key, value, size), np.bincount(key, value**2, size)
        yield names, kept, score(n[kept].astype(float), total[kept], squares[kept])


def most_changed(world: World) -> list[Slice]:
    codes, value = _changed(world)
    return best(_by_sums(codes, value, 1, lambda n, *_: n))


def worst_rate(world: World) -> list[Slice]:
    return best(_by_sums(world.codes, world.bad, _LEAST, lambda n, total, _: total / n))


def sliceline(world: World, *, newly: bool, only_changed: bool = False) -> list[Slice]:
    error = ((world.bad > world.good) if newly else world.bad).astype(float)
    codes, least = world.codes, _LEAST
    if only_changed:
        error, least = error[world.is_changed], _LEAST_CHANGED
        codes, _ = _changed(world)
    n_all, mean = len(error), max(float(error.mean()), 1e-12)

    def score(n: np.ndarray, total: np.ndarray, _: np.ndarray) -> np.ndarray:
        return _ALPHA * (total / n / mean - 1) - (1 - _ALPHA) * (n_all / n - 1)

    return best(_by_sums(codes, error, least, score))


def divexplorer(world: World, *, only_changed: bool = False) -> list[Slice]:
    codes, value, least = world.codes, world.outcome, _LEAST
    if only_changed:
        codes, value = _changed(world)
        least = _LEAST_CHANGED
    mean, scatter = float(value.mean()), float(value.var()) / len(value)

    def score(n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
        own = np.maximum(squares / n - (total / n) ** 2, 0) / n
        return (total / n - mean) / np.sqrt(own + scatter)

    return best(_by_sums(codes, value, least, score))


def stratified(world: World, *, only_changed: bool) -> list[Slice]:
    """Rank by z of Mantel-Haenszel's mean difference within classes."""
    codes, value, least = world.codes, world.outcome, _LEAST
    if only_changed:
        codes, value = _changed(world)
        least = _LEAST_CHANGED
    return best(_within_classes(codes, value, least))


def _within_classes(codes: dict[str, np.ndarray], value: np.ndarray, least: int) -> Scored:
    class_ = codes["class"]
    n_all = np.bincount(class_, minlength=N_CLASSES).astype(float)
    total = np.bincount(class_, value, N_CLASSES)
    mean = total / np.maximum(n_all, 1)
    variance = np.bincount(class_, value**2, N_CLASSES) / np.maximum(n_all, 1) - mean**2
    for names, key, size in _keys(codes):
        pair = key * N_CLASSES + class_
        n = np.bincount(pair, minlength=size * N_CLASSES).reshape(size, -1).astype(float)
        kept = np.flatnonzero(n.sum(axis=1) >= least)
        n = n[kept]
        own = np.bincount(pair, value, size * N_CLASSES).reshape(size, -1)[kept]
        rest = n_all - n
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = np.where((n > 0) & (rest > 0), n * rest / n_all, 0)
            difference = np.where(weight > 0, own / n - (total - own) / rest, 0)
            scatter = np.where(weight > 0, variance * (1 / n + 1 / rest), 0)
            z = (weight * difference).sum(axis=1) / np.sqrt((weight**2 * scatter).sum(axis=1))
            # a slice of whole classes has no rest within them: against everything else instead
            units, lost = n.sum(axis=1), own.sum(axis=1)
            others = len(value) - units
            apart = lost / units - (value.sum() - lost) / others
            whole = apart / np.sqrt(value.var() * (1 / units + 1 / others))
        found = np.where(weight.sum(axis=1) > 0, z, whole)
        yield names, kept, np.where(np.isfinite(found), found, -np.inf)


def _changed(world: World) -> tuple[dict[str, np.ndarray], np.ndarray]:
    at = np.flatnonzero(world.is_changed)
    return {name: code[at] for name, code in world.codes.items()}, world.outcome[at]


BASELINES: dict[str, Callable[[World], list[Slice]]] = {
    "most changed slice": most_changed,
    "worst error rate of the bad run": worst_rate,
    "SliceLine on bad-run errors": lambda world: sliceline(world, newly=False),
    "SliceLine on newly wrong": lambda world: sliceline(world, newly=True),
    "paired difference, t (DivExplorer)": divexplorer,
    "class-stratified paired z": lambda world: stratified(world, only_changed=False),
    "changed only: SliceLine, newly wrong": lambda world: sliceline(
        world, newly=True, only_changed=True
    ),
    "changed only: paired t (DivExplorer)": lambda world: divexplorer(world, only_changed=True),
    "changed only: class-stratified z": lambda world: stratified(world, only_changed=True),
}
