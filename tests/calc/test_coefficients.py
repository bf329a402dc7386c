"""Agreement coefficients and intervals: published values, brute force, and coverage."""

from __future__ import annotations

import json
from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc import coefficients, intervals
from lineage.calc.coefficients import Tally, tally

# Krippendorff 2011: four observers, twelve units; Gwet's raw_4raters is the same table, the one
# mark on the last unit given to the third observer
KRIPPENDORFF = [
    "123321412...",
    "1233224125..",
    ".33323422513",
    "12332441251.",
]
WIKIPEDIA = ["*****34121133*3", "1*213343*******", "**21344*21133*4"]


def long(rows: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = [
        (unit, person, int(mark) - 1)
        for person, row in enumerate(rows)
        for unit, mark in enumerate(row)
        if mark.isdigit()
    ]
    unit, person, class_ = (np.array(column) for column in zip(*found, strict=True))
    return unit, person, class_


def of_confusion(confusion: list[list[int]]) -> Tally:
    """Return the tally of two annotators' table, units as their own clusters."""
    pairs = [(a, b) for a, row in enumerate(confusion) for b, n in enumerate(row) for _ in range(n)]
    unit = np.repeat(np.arange(len(pairs)), 2)
    return tally(unit, np.array(pairs).ravel(), len(confusion))


def test_krippendorffs_own_table() -> None:
    unit, person, class_ = long(KRIPPENDORFF)
    t = tally(unit, class_, 5)
    assert coefficients.alpha(t) == pytest.approx(0.743421, abs=1e-6)
    assert coefficients.ac1(t) == pytest.approx(0.77544, abs=5e-6)
    assert coefficients.ac1_error(unit, class_, 5) == pytest.approx(0.14295, abs=5e-6)
    assert coefficients.fleiss(t) == pytest.approx(0.76117, abs=5e-6)
    assert coefficients.brennan_prediger(t) == pytest.approx(0.77273, abs=5e-6)
    assert coefficients.conger(unit, person, class_, 5) == pytest.approx(0.76282, abs=5e-6)
    assert coefficients.observed(t) == pytest.approx(0.81818, abs=5e-6)


def test_the_encyclopaedias_table() -> None:
    unit, _, class_ = long(WIKIPEDIA)
    assert coefficients.alpha(tally(unit, class_, 4)) == pytest.approx(0.691358, abs=1e-6)


def test_three_abstractors_of_the_cran_vignette() -> None:
    confusion = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]
    assert coefficients.kappa(np.array(confusion)) == pytest.approx(0.7964094, abs=1e-7)
    assert coefficients.ac1(of_confusion(confusion)) == pytest.approx(0.8493305, abs=1e-7)


def test_the_two_paradox_tables() -> None:
    balanced, skewed = [[40, 9], [6, 45]], [[80, 10], [5, 5]]
    assert coefficients.observed(of_confusion(balanced)) == pytest.approx(0.85)
    assert coefficients.kappa(np.array(balanced)) == pytest.approx(0.700, abs=5e-4)
    assert coefficients.kappa(np.array(skewed)) == pytest.approx(0.318, abs=5e-4)
    assert coefficients.ac1(of_confusion(skewed)) == pytest.approx(0.808, abs=5e-4)


def test_a_rare_class_is_not_hidden_by_its_rarity() -> None:
    # METHODS 1.3, 0.3 % prevalence, precision 0.8, sensitivity 0.5: exact expectations of the
    # two-annotator table in place of a draw
    prevalence, sensitivity = 0.003, 0.5
    false = prevalence * sensitivity * 0.25 / (1 - prevalence)
    both = prevalence * sensitivity**2 + (1 - prevalence) * false**2
    one = prevalence * sensitivity * (1 - sensitivity) + (1 - prevalence) * false * (1 - false)
    n = 10_000_000
    confusion = np.round(n * np.array([[both, one], [one, 1 - both - 2 * one]]))
    k = np.array([2 * confusion[0, 0] + 2 * confusion[0, 1], 0.0])
    k[1] = 2 * n - k[0]
    agree = np.array([2 * confusion[0, 0], 2 * confusion[1, 1]])
    t = Tally(n, n, float(agree.sum() / 2), k / 2, k, agree, np.zeros((2, 6)))
    assert coefficients.specific_agreement(t)[0] == pytest.approx(0.387, abs=0.02)
    assert coefficients.alpha_by_class(t)[0] == pytest.approx(0.386, abs=0.02)
    assert coefficients.ac1(t) > 0.997
    assert coefficients.observed(t) > 0.997


opinions = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60
)


@given(opinions)
def test_alpha_is_what_counting_every_pair_gives(found: list[tuple[int, int, int]]) -> None:
    unit, class_ = np.array([u for u, _, _ in found]), np.array([c for _, _, c in found])
    coincidences: Counter[tuple[int, int]] = Counter()
    weights: dict[tuple[int, int], float] = {}
    for u in set(unit.tolist()):
        marks = class_[unit == u].tolist()
        for a, b in permutations(range(len(marks)), 2):
            key = (marks[a], marks[b])
            coincidences[key] += 1
            weights[key] = weights.get(key, 0.0) + 1 / (len(marks) - 1)
    n_k = [sum(w for (a, _), w in weights.items() if a == k) for k in range(4)]
    n = sum(n_k)
    chance = sum(n_k[a] * n_k[b] for a in range(4) for b in range(4) if a != b)
    seen = sum(w for (a, b), w in weights.items() if a != b)
    got = coefficients.alpha(tally(unit, class_, 4))
    if n < 2 or chance == 0:
        assert np.isnan(got)
    else:
        assert got == pytest.approx(1 - (n - 1) * seen / chance)


@given(opinions, st.lists(st.integers(0, 2), min_size=7, max_size=7))
def test_tallies_of_parts_add_up_to_the_tally_of_the_whole(
    found: list[tuple[int, int, int]], part_of_unit: list[int]
) -> None:
    unit, class_ = np.array([u for u, _, _ in found]), np.array([c for _, _, c in found])
    cluster = unit // 2
    part = np.array(part_of_unit)[cluster]
    whole = tally(unit, class_, 4, cluster=cluster)
    parts = [
        tally(unit[part == p], class_[part == p], 4, cluster=cluster[part == p]) for p in range(3)
    ]
    total = parts[0] + parts[1] + parts[2]
    assert (total.n_units, total.n_rated) == (whole.n_units, whole.n_rated)
    for name in ("agreeing", "share", "mentions", "coincidences", "moments"):
        np.testing.assert_allclose(getattr(total, name), getattr(whole, name), atol=1e-9)


def test_renaming_classes_and_shuffling_rows_changes_nothing() -> None:
    unit, _, class_ = long(KRIPPENDORFF)
    order = np.random.default_rng(0).permutation(len(unit))
    renamed = np.array([3, 0, 4, 1, 2])[class_]
    before, after = tally(unit, class_, 5), tally(unit[order], renamed[order], 5)
    assert coefficients.alpha(after) == pytest.approx(coefficients.alpha(before), abs=1e-12)
    np.testing.assert_allclose(
        coefficients.alpha_by_class(after)[[3, 0, 4, 1, 2]], coefficients.alpha_by_class(before)
    )


def test_nothing_to_disagree_about_is_no_number() -> None:
    same = tally(np.array([0, 0, 1, 1]), np.zeros(4, int), 2)
    assert np.isnan(coefficients.alpha(same))
    alone = tally(np.arange(4), np.array([0, 1, 0, 1]), 2)
    assert np.isnan(coefficients.alpha(alone))
    assert np.isnan(coefficients.observed(alone))
    nothing = tally(np.zeros(0, int), np.zeros(0, int), 2)
    assert np.isnan(coefficients.specific_agreement(nothing)).all()


def _annotators(
    rng: np.random.Generator, n: int, image: np.ndarray, rate: tuple[float, float, float]
) -> np.ndarray:
    """Return two annotators' opinions on each unit; images are hard or easy for both alike."""
    prevalence, sensitivity, false = rate
    truth = rng.random(n) < prevalence
    hard = rng.normal(0, 1.5, int(image.max()) + 1)[image]

    def logistic(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    say = np.where(
        truth,
        logistic(np.log(sensitivity / (1 - sensitivity)) + hard),
        logistic(np.log(false / (1 - false)) - hard),
    )
    return (rng.random((2, n)) < say).astype(np.int64)


@pytest.mark.slow
def test_the_clustered_interval_covers_what_it_promises() -> None:
    # METHODS 1.3: coverage .953 by image; prevalence 3 %, images of five
    rng = np.random.default_rng(5)
    n_images, n_tries = 4_000, 200
    image = np.repeat(np.arange(n_images), 5)
    unit = np.tile(np.arange(len(image)), 2)
    n_more = 60 * len(image)
    truth_image = np.repeat(np.arange(n_more // 5), 5)
    big = _annotators(rng, n_more, truth_image, (0.03, 0.8, 0.006))
    whole = tally(np.tile(np.arange(n_more), 2), big.ravel(), 2)
    truth = coefficients.alpha_by_class(whole)[1], coefficients.specific_agreement(whole)[1]
    covered = np.zeros(2)
    for _ in range(n_tries):
        seen = _annotators(rng, len(image), image, (0.03, 0.8, 0.006))
        t = tally(unit, seen.ravel(), 2, cluster=np.tile(image, 2))
        for at, interval in enumerate((intervals.alpha_interval, intervals.specific_interval)):
            low, high = interval(t)
            covered[at] += low[1] <= truth[at] <= high[1]
    # three standard errors of a coverage of 0.95 over the tries
    slack = 3 * np.sqrt(0.95 * 0.05 / n_tries)
    assert (covered / n_tries > 0.95 - slack).all(), covered / n_tries


@pytest.mark.parametrize("expected", [10, 20])
def test_few_positives_are_covered_too(expected: int) -> None:
    # METHODS 1.3: .95 with ten expected positives and more, where the plain delta method fails
    rng = np.random.default_rng(expected)
    n, s = 20_000, 0.85
    share = expected / n
    false = share * s * 0.15 / 0.85 / (1 - share)
    both = s * s * share + false * false * (1 - share)
    one = 2 * s * (1 - s) * share + 2 * false * (1 - false) * (1 - share)
    truth = 2 * both / (2 * both + one)
    n_covered = n_tries = 0
    for agreed, apart in zip(rng.binomial(n, both, 1500), rng.binomial(n, one, 1500), strict=True):
        if agreed + apart == 0:
            continue
        unit = np.repeat(np.arange(agreed + apart + 1), 2)
        class_ = np.concatenate([np.ones(2 * agreed), np.tile([1, 0], apart), np.zeros(2)])
        low, high = intervals.specific_interval(tally(unit, class_.astype(np.int64), 2))
        n_covered += low[1] <= truth <= high[1]
        n_tries += 1
    assert n_covered / n_tries > 0.93


@pytest.mark.parametrize("n", [20, 60, 4000])
def test_perfect_agreement_has_an_interval_however_much_there_is_of_it(n: int) -> None:
    unit = np.repeat(np.arange(n), 2)
    low, high = intervals.specific_interval(tally(unit, unit % 2 * 0, 1))
    q = intervals.wilson(n, n)[0]
    assert low[0] == pytest.approx(2 * q / (1 + q))
    assert high[0] == pytest.approx(1)


def _yaml(path: Path) -> dict[int, dict[int, bool]]:
    import yaml

    found: dict[int, dict[int, bool]] = yaml.safe_load(path.read_text())
    return found


def test_real_crowds_have_the_published_coefficients(shared_data: Path) -> None:
    published = json.loads((shared_data / "reference_numbers.json").read_text())
    said = _yaml(shared_data / "bluebirds" / "bluebirds" / "labels.yaml")
    rows = [(u, p, int(c)) for p, marks in said.items() for u, c in marks.items()]
    ducks = np.loadtxt(
        shared_data / "bluebirds" / "ducks" / "labels.txt", dtype=np.int64, skiprows=1
    )
    for name, table in (("bluebirds", np.array(rows)), ("ducks_240x53", ducks)):
        unit, person, class_ = table.T
        wanted, t = published[name], tally(unit, class_, 2)
        assert len(unit) == wanted["ratings"]
        assert coefficients.alpha(t) == pytest.approx(
            wanted["krippendorff_alpha_nominal"], abs=1e-9
        )
        assert coefficients.ac1(t) == pytest.approx(wanted["gwet_ac1"], abs=5e-6)
        assert coefficients.fleiss(t) == pytest.approx(wanted["fleiss_irrCAC"], abs=5e-6)
        assert coefficients.brennan_prediger(t) == pytest.approx(
            wanted["brennan_prediger"], abs=5e-6
        )
        assert coefficients.conger(unit, person, class_, 2) == pytest.approx(
            wanted["conger"], abs=5e-6
        )
