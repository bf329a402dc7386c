"""Ids as evidence: believed where content bears them out, and not where it speaks for another.

A file names, for some of its labels, which older label each one is (a *hint*).
Exporters renumber, tools copy numbers along with shapes, so a hint is held against content before
it counts. Three things can be said of one:

- content *agrees*: it is equal, or the class is the same and the boxes overlap by half, or the boxes
  nearly coincide;
- content is *against* it: the label, or the one that it is said to be, is found unchanged
  elsewhere, or overlaps by half with another of its class that no better hint claims;
- content is silent: the label was changed beyond recognition, and nothing else looks like it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineage.calc.geometry import iou
from lineage.calc.matching import How, Pairing

_HONEST_FRACTION = 0.9
_IOU, _NEARLY_IOU = 0.5, 0.8


@dataclass(frozen=True, slots=True)
class Verdict:
    """What content says of the hints of one sort.

    Parameters
    ----------
    n_known, n_agree, n_against
        Hints; those that content agrees with; those that content is against, with the labels that
        are found unchanged under a hint that names nobody.
    is_refuted
        ndarray of bool, by newer row: content is against its hint.
    """

    n_known: int
    n_agree: int
    n_against: int
    is_refuted: np.ndarray

    @property
    def is_honest(self) -> bool:
        """Whether hints are to be heeded where content is silent."""
        told = self.n_agree + self.n_against
        return self.n_known > 0 and self.n_agree >= _HONEST_FRACTION * told


def confirm(pairing: Pairing, hint: np.ndarray) -> None:
    """Pair free labels with those that their hints name, where content is equal.

    Parameters
    ----------
    pairing
        What is found so far.
    hint
        ndarray of int64, by newer row: an older row, -1 for none; no older row twice.
    """
    rows = _heedable(pairing, hint)
    equal = pairing.old.content[hint[rows]] == pairing.new.content[rows]
    _pair(pairing, hint, rows[equal])


def heed(pairing: Pairing, hint: np.ndarray, *, but: np.ndarray | None = None) -> None:
    """Pair free labels with those that their hints name, save those of ``but``."""
    rows = _heedable(pairing, hint)
    _pair(pairing, hint, rows if but is None else rows[~but[rows]])


def weigh(pairing: Pairing, hint: np.ndarray, is_named: tuple[np.ndarray, np.ndarray]) -> Verdict:
    """Hold hints against content, once labels of equal content are paired.

    Parameters
    ----------
    pairing
        After `confirm` and `matching.exact`.
    hint
        As in `confirm`.
    is_named
        ndarrays of bool, by older and by newer row: whether a label has an id of this sort.
    """
    known = np.flatnonzero(hint >= 0)
    named = hint[known]
    is_kept = pairing.of_new[known] == named
    is_open = pairing.free(named, known)
    is_borne_out = np.zeros(len(known), bool)
    is_borne_out[is_open] = _borne_out(pairing, named[is_open], known[is_open])
    wanted_old, wanted_new = _wanted(pairing, known[is_borne_out], named[is_borne_out])
    silent = is_open & ~is_borne_out
    elsewhere = np.where(silent, wanted_old[named] | wanted_new[known], ~is_open & ~is_kept)
    is_refuted = np.zeros(len(hint), bool)
    is_refuted[known[elsewhere]] = True
    strangers = np.flatnonzero((pairing.of_new >= 0) & (hint < 0) & is_named[1])
    n_renamed = int(is_named[0][pairing.of_new[strangers]].sum())
    n_agree = int(is_kept.sum() + is_borne_out.sum())
    return Verdict(len(known), n_agree, int(elsewhere.sum()) + n_renamed, is_refuted)


def _heedable(pairing: Pairing, hint: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(hint >= 0)
    return rows[pairing.free(hint[rows], rows)]


def _pair(pairing: Pairing, hint: np.ndarray, rows: np.ndarray) -> None:
    pairing.add(hint[rows], rows, How.NAMED, np.full(len(rows), np.nan))


def _borne_out(pairing: Pairing, at_old: np.ndarray, at_new: np.ndarray) -> np.ndarray:
    is_class = pairing.old.class_code[at_old] == pairing.new.class_code[at_new]
    box_old, box_new = pairing.old.box[at_old], pairing.new.box[at_new]
    overlap = np.nan_to_num(iou(box_old, box_new))
    is_whole = np.isnan(box_old[:, 0]) & np.isnan(box_new[:, 0])
    return (is_class & ((overlap >= _IOU) | is_whole)) | (overlap >= _NEARLY_IOU)


def _wanted(
    pairing: Pairing, claimed_new: np.ndarray, claimed_old: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tell, by older and newer row, who overlaps well with one of its class that nobody claims."""
    at_old, at_new, _ = pairing.overlaps()
    is_claimed_old = np.zeros(len(pairing.old), bool)
    is_claimed_new = np.zeros(len(pairing.new), bool)
    is_claimed_old[claimed_old] = True
    is_claimed_new[claimed_new] = True
    keep = pairing.old.class_code[at_old] == pairing.new.class_code[at_new]
    keep &= ~is_claimed_old[at_old] & ~is_claimed_new[at_new]
    wanted_old, wanted_new = np.zeros(len(pairing.old), bool), np.zeros(len(pairing.new), bool)
    wanted_old[at_old[keep]] = True
    wanted_new[at_new[keep]] = True
    return wanted_old, wanted_new
