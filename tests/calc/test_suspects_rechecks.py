"""Blind re-checks of a suspect: matched controls, and Fisher's test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from lineage.calc.rechecks import confirm, matched_controls


def scene(seed: int, n: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    class_ = np.minimum(rng.geometric(0.4, n) - 1, 4)
    return rng.random(n) < 0.1, rng.random(n) < 0.5, class_


def test_controls_have_the_suspects_classes_and_none_of_their_slice() -> None:
    is_suspect, is_changed, class_ = scene(1)
    drawn = matched_controls(
        np.random.default_rng(2), is_suspect, is_changed=is_changed, class_code=class_
    )
    assert (len(set(drawn.suspects)), len(set(drawn.controls))) == (40, 100)
    assert (is_suspect & is_changed)[drawn.suspects].all()
    assert not is_suspect[drawn.controls].any()
    assert is_changed[drawn.controls].all()
    assert drawn.n_unchanged == drawn.n_unmatched == 0
    mix = np.bincount(class_[drawn.suspects], minlength=5) * 100 / 40
    assert np.abs(np.bincount(class_[drawn.controls], minlength=5) - mix).max() < 1


def test_the_same_seed_draws_the_same() -> None:
    is_suspect, is_changed, class_ = scene(3)
    first, again = (
        matched_controls(
            np.random.default_rng(4), is_suspect, is_changed=is_changed, class_code=class_
        )
        for _ in range(2)
    )
    assert first.suspects.tolist() == again.suspects.tolist()
    assert first.controls.tolist() == again.controls.tolist()


def test_unchanged_labels_fill_in_and_what_is_missing_is_said() -> None:
    is_suspect = np.arange(100) < 10
    is_changed = np.arange(100) < 30
    class_ = np.zeros(100, int)
    is_excluded = np.arange(100) >= 70
    drawn = matched_controls(
        np.random.default_rng(5),
        is_suspect,
        is_changed=is_changed,
        class_code=class_,
        is_excluded=is_excluded,
    )
    assert drawn.suspects.tolist() == list(range(10))
    assert drawn.controls.tolist() == list(range(10, 70))
    assert (drawn.n_unchanged, drawn.n_unmatched) == (40, 40)


def test_an_empty_slice_draws_nothing() -> None:
    none = np.zeros(10, bool)
    drawn = matched_controls(
        np.random.default_rng(6), none, is_changed=~none, class_code=np.zeros(10, int)
    )
    assert len(drawn.suspects) == len(drawn.controls) == 0


@pytest.mark.parametrize(
    ("wrong", "checked", "others", "controls"),
    [(9, 40, 4, 100), (0, 40, 0, 100), (40, 40, 100, 100), (1, 7, 30, 90), (5, 5, 0, 20)],
)
def test_the_p_value_is_fishers(wrong: int, checked: int, others: int, controls: int) -> None:
    found = confirm(wrong, checked, others, controls)
    table = [[wrong, checked - wrong], [others, controls - others]]
    assert found.p_value == pytest.approx(fisher_exact(table, alternative="greater").pvalue)
    assert found.suspect_fraction == wrong / checked


def test_more_wrong_than_checked_is_refused() -> None:
    with pytest.raises(ValueError, match="part of those checked"):
        confirm(5, 4, 0, 10)


def test_of_none_checked_nothing_is_said() -> None:
    found = confirm(0, 0, 0, 0)
    assert np.isnan(found.suspect_fraction)
    assert found.p_value == 1
