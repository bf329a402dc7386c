"""From two pinned runs and a file of outcomes to the labels at fault, on planted ones; and from there to proof."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineage.activities import (
    isolate_check,
    recompute_without,
    review_only,
    runs,
    version,
)
from lineage.activities.context import Project, open_project
from lineage.activities.isolate import isolate
from lineage.activities.isolate_files import Sources
from lineage.activities.isolate_labels import labels_of, side_of
from lineage.activities.isolate_report import IsolateReport
from lineage.activities.review_draw import ReviewOrder, draw
from lineage.activities.review_import import import_answers
from lineage.activities.review_packets import export
from lineage.errors import BadInput, NotFound, Refused, Usage
from lineage.settings import Recipe
from tests.activities.isolating import (
    CLASSES,
    Made,
    eve_slips,
    mail,
    make,
    outcomes,
    table,
)
from tests.activities.reviewing import Maker, images_of

Row = dict[str, Any]


@pytest.fixture(scope="module")
def made(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A project in which one person's labels of one batch went wrong; nothing is recorded into it."""
    root = tmp_path_factory.mktemp("isolated") / "proj"
    shutil.copytree(empty_project, root)
    return make(open_project(root, agent="tess@team.example"))


def asked(made: Made, path: Path, **how: Any) -> IsolateReport:
    return isolate(made.project, bad="bad", good="good", errors=[path], sources=Sources(**how))


def told(made: Made, tmp_path: Path, **how: Any) -> IsolateReport:
    return asked(made, table(tmp_path / "o.csv", outcomes(made), "annotation", "disagrees"), **how)


def test_the_planted_fault_is_named_with_its_size_and_the_words_that_leave_it_out(
    made: Made, tmp_path: Path
) -> None:
    found = told(made, tmp_path)
    first = found.suspects[0]
    eve = made.pseudonym("eve")
    assert (found.mode, found.evidence, found.is_weak) == ("new_labels", True, False)
    assert first.slice == {"annotator": eve, "batch": "b2"}
    assert first.is_evidence
    assert first.gain > found.threshold
    assert not any(one.is_evidence for one in found.suspects[1:])
    changed = found.changes.filter(found.changes["batch"].cast("string").to_numpy() == "b2")
    of_eve = [row for row in changed.to_pylist() if row["annotator"] == eve]
    assert first.n_changed == len(of_eve)
    wrong = len(made.wrong) / len(of_eve)
    assert first.effect_lo < 0.84 * wrong < first.effect + 0.15
    assert first.predicate == f"annotator={eve} batch=b2"
    assert found.n_units == made.labels.num_rows
    assert found.n_changed == found.changes.num_rows


def test_provenance_is_told_in_every_dimension_none_being_a_word_of_its_own(made: Made) -> None:
    good, bad = (side_of(made.project, run) for run in ("good", "bad"))
    labels = labels_of(made.project, good, bad)
    rows = made.labels.to_pylist()
    assert labels.annotation.tolist() == [row["annotation"] for row in rows]
    for name in ("annotator", "schema", "batch", "stage", "class"):
        told = [labels.words[name][code] for code in labels.codes[name]]
        assert told == [row[name] for row in rows]
    assert [labels.words[name] for name in ("tool", "reviewer", "vendor")] == [
        ["label-studio"],
        ["none"],
        ["none"],
    ]
    weeks = [labels.words["week"][code] for code in labels.codes["week"]]
    days = [row["labelled_at"] or made.project.clock() for row in rows]
    assert weeks == [f"{day:%G-W%V}" for day in days]
    was = {row["annotation"]: row["revision"] for row in made.before.to_pylist()}
    assert labels.is_changed.tolist() == [was[r["annotation"]] != r["revision"] for r in rows]


def test_labels_to_look_at_again_are_the_same_each_time_and_matched_by_class(
    made: Made, tmp_path: Path
) -> None:
    first, again = (told(made, tmp_path).suspects[0] for _ in range(2))
    assert (first.check, first.controls) == (again.check, again.controls)
    assert (len(first.check), len(first.controls)) == (40, 100)
    assert not {*first.check} & {*first.controls}
    rows = made.labels.select(["annotation", "class", "annotator", "batch"]).to_pylist()
    row_of = {row["annotation"]: row for row in rows}
    eve = made.pseudonym("eve")
    suspects, controls = ([row_of[one] for one in some] for some in (first.check, first.controls))
    assert all((row["annotator"], row["batch"]) == (eve, "b2") for row in suspects)
    assert all((row["annotator"], row["batch"]) != (eve, "b2") for row in controls)
    shares = [
        [sum(row["class"] == name for row in some) / len(some) for name in CLASSES]
        for some in (suspects, controls)
    ]
    assert np.allclose(shares[0], shares[1], atol=0.01)


def test_the_check_file_does_not_tell_suspects_from_controls(made: Made, tmp_path: Path) -> None:
    found = told(made, tmp_path)
    path = tmp_path / "check.csv"
    written = isolate_check.write(made.project, path, found)
    numbers = review_only.named_in(path)
    first = found.suspects[0]
    assert {*numbers.tolist()} == {*first.check, *first.controls}
    assert written.n_labels == 140
    assert [row["batch"] for row in written.batches] == ["b1", "b2"]
    assert path.read_text().splitlines()[0] == "annotation,asset"
    order = [int(line.split(",")[0]) in first.check for line in path.read_text().splitlines()[1:]]
    # shuffled: suspects lie among controls, not before or behind them
    assert 20 < np.flatnonzero(order).mean() < 120
    assert not all(order[:40])


def test_errors_of_both_runs_name_it_too_by_label_and_by_image_and_class(
    made: Made, tmp_path: Path
) -> None:
    rng = np.random.default_rng(4)
    by_label: list[Row] = []
    units: dict[tuple[Any, Any], dict[str, Any]] = {}
    for row in outcomes(made):
        pair = {"good": int(rng.random() < 0.05), "bad": row["disagrees"]}
        by_label.append({**row, **pair})
        unit = units.setdefault((row["asset"], row["class"]), {"good": 0, "bad": 0})
        units[row["asset"], row["class"]] = {name: max(unit[name], pair[name]) for name in pair}
    path = table(tmp_path / "l.csv", by_label, "annotation", "good", "bad")
    by_image = [{"asset": a, "class": c, **pair} for (a, c), pair in units.items()]
    other = table(tmp_path / "i.csv", by_image, "asset", "class", "good", "bad")
    for file in (path, other):
        found = asked(made, file)
        assert found.mode == "linked"
        assert found.evidence
        assert found.suspects[0].slice == {"annotator": made.pseudonym("eve"), "batch": "b2"}


def test_gold_without_provenance_gives_hints_and_says_that_they_are_weak(
    made: Made, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    path = tmp_path / "g.csv"
    rows = [{"annotation": row["annotation"], "disagrees": 0} for row in outcomes(made)[:1]]
    assert asked_fails(made, table(path, rows, "annotation", "disagrees"), "isolate-covers")
    gold = [
        {"asset": asset, "class": class_, "good": 0, "bad": int(rng.random() < lost)}
        for asset in made.before["asset"].unique().to_pylist()
        for class_, lost in (("cat", 0.4), ("dog", 0.4), ("bus", 0.02))
    ]
    found = asked(made, table(path, gold, "asset", "class", "good", "bad"), mode="gold")
    assert (found.mode, found.is_weak, found.evidence) == ("gold", True, False)
    assert any(note.startswith("weak evidence") for note in found.notes)
    assert all(not one.is_evidence for one in found.suspects)


def asked_fails(made: Made, path: Path, slug: str, **how: Any) -> str:
    with pytest.raises((BadInput, Usage)) as caught:
        asked(made, path, **how)
    assert caught.value.slug == slug
    return str(caught.value)


def test_files_that_say_nothing_of_what_changed_are_refused_with_numbers(
    made: Made, tmp_path: Path
) -> None:
    path = tmp_path / "o.csv"
    changed = {*isolate_changed(made)}
    same = [row for row in outcomes(made) if row["annotation"] not in changed]
    message = asked_fails(made, table(path, same, "annotation", "disagrees"), "isolate-covers")
    assert f"none of the {len(changed):,} labels that changed" in message
    asked_fails(made, table(path, same, "asset", "class"), "predictions-format")
    asked_fails(made, table(path, same, "annotation", "disagrees"), "isolate-mode", mode="linked")
    asked_fails(made, path, "isolate-files", mode="best")
    asked_fails(made, path, "isolate-files", eval_old="v1")
    unknown = [{"annotation": 10**6 + at, "disagrees": 1} for at in range(5)]
    asked_fails(made, table(path, unknown, "annotation", "disagrees"), "outcomes-refused")
    asked_fails(made, tmp_path / "none.csv", "no-such-file")
    with pytest.raises(Usage):
        isolate(made.project, bad="bad", good="good")
    with pytest.raises(NotFound):
        isolate(made.project, bad="worse", good="good", errors=[path])
    twice = table(path, outcomes(made), "annotation", "disagrees")
    with pytest.raises(BadInput, match="several outcomes"):
        isolate(made.project, bad="bad", good="good", errors=[twice, twice])


def isolate_changed(made: Made) -> Sequence[int]:
    both = zip(made.before.to_pylist(), made.labels.to_pylist(), strict=True)
    return [now["annotation"] for was, now in both if was["revision"] != now["revision"]]


def test_few_of_what_changed_is_noted_and_so_is_what_could_not_be_read(
    made: Made, tmp_path: Path
) -> None:
    changed = {*isolate_changed(made)}
    rows = outcomes(made)
    some = [row for at, row in enumerate(rows) if row["annotation"] not in changed or at % 3 == 0]
    some.append({"annotation": 999_999, "disagrees": 1})
    path = table(tmp_path / "o.csv", some, "annotation", "disagrees")
    notes = asked(made, path).notes
    assert any(f"of the {len(changed):,} labels that changed have an outcome" in n for n in notes)
    assert any("1 unknown-annotation" in note and "999999" in note for note in notes)


def test_a_diff_without_a_fault_gives_no_evidence(made: Made, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    rows = [{**row, "disagrees": int(rng.random() < 0.1)} for row in outcomes(made)]
    found = asked(made, table(tmp_path / "o.csv", rows, "annotation", "disagrees"))
    assert not found.evidence
    assert all(not one.is_evidence and one.gain <= found.threshold for one in found.suspects)


def test_two_runs_of_the_same_labels_differ_in_nothing(made: Made, tmp_path: Path) -> None:
    path = table(tmp_path / "o.csv", outcomes(made), "annotation", "disagrees")
    found = isolate(made.project, bad="bad", good="bad", errors=[path])
    assert (found.n_changed, found.evidence, list(found.suspects)) == (0, False, [])
    assert "the two versions hold the same labels" in found.notes
    with pytest.raises(Refused, match="nothing to look at again"):
        isolate_check.write(made.project, tmp_path / "c.csv", found)


@pytest.mark.slow
def test_a_label_that_went_away_counts_on_its_image_and_class(
    project: Project, tmp_path: Path
) -> None:
    def lost(person: str, batch: str, class_: str, luck: float) -> str | None:
        gone = (person, batch, class_) == ("bob", "b1", "cat") and luck < 0.7
        return None if gone else class_

    made = make(project, lost)
    left = {*made.labels["annotation"].to_pylist()}
    gone = [row for row in made.before.to_pylist() if row["annotation"] not in left]
    missed = {(row["asset"], row["class"]) for row in gone}
    rng = np.random.default_rng(7)
    units = sorted({(row["asset"], row["class"]) for row in made.before.to_pylist()})
    rows = [
        {"asset": a, "class": c, "good": 0, "bad": int(rng.random() < (0.8 if (a, c) in missed else 0.05))}
        for a, c in units
    ]  # fmt: skip
    found = asked(made, table(tmp_path / "o.csv", rows, "asset", "class", "good", "bad"))
    bob = made.pseudonym("bob")
    assert found.evidence
    assert (
        found.suspects[0].slice.items() <= {"annotator": bob, "batch": "b1", "class": "cat"}.items()
    )
    by_label = table(tmp_path / "l.csv", outcomes(made), "annotation", "disagrees")
    assert any(f"{len(gone):,} labels went away" in note for note in asked(made, by_label).notes)


@pytest.mark.slow
def test_predictions_do_as_well_and_tell_whether_the_evaluation_set_moved(
    made: Made, tmp_path: Path
) -> None:
    pytest.importorskip("pycocotools")
    was = predicted(made.before.to_pylist(), tmp_path / "good.json", torch=True)
    found = asked(made, was)
    assert found.mode == "new_labels"
    assert any("taken for the good run's" in note for note in found.notes)
    eve = made.pseudonym("eve")
    assert found.suspects[0].slice == {"annotator": eve, "batch": "b2"}
    now = predicted(made.labels.to_pylist(), tmp_path / "bad.csv")
    both: dict[str, Any] = {
        "predictions_good": was,
        "predictions_bad": now,
        "eval_old": "v1",
        "eval_new": "v2",
    }
    found = isolate(made.project, bad="bad", good="good", sources=Sources(**both))
    moved = found.eval_moved
    assert found.mode == "new_labels"
    assert moved is not None
    assert (moved["old"], moved["new"], moved["has_moved"]) == ("v1", "v2", True)
    still = {**both, "eval_old": "v2"}
    again = isolate(made.project, bad="bad", good="good", sources=Sources(**still)).eval_moved
    assert again is not None
    assert not again["has_moved"]
    linked = isolate(made.project, bad="bad", good="good", sources=Sources(**both, mode="linked"))
    assert linked.mode == "linked"
    assert linked.suspects[0].slice == {"annotator": eve, "batch": "b2"}


def predicted(rows: Sequence[Row], path: Path, *, torch: bool = False) -> Path:
    """Write what a model found that learned these labels by heart."""
    corners = ("x_min", "y_min", "x_max", "y_max")
    if not torch:
        scored = [{**row, "score": 0.9} for row in rows]
        return table(path, scored, "asset", "class", "score", *corners)
    images: dict[str, dict[str, list[object]]] = {}
    for row in rows:
        one = images.setdefault(row["asset"], {"boxes": [], "labels": [], "scores": []})
        one["boxes"].append([row[name] for name in corners])
        one["labels"].append(row["class"])
        one["scores"].append(0.9)
    path.write_text(json.dumps(images))
    return path


@pytest.mark.slow
def test_a_fault_that_is_all_of_what_changed_is_held_against_what_did_not(
    project: Project, tmp_path: Path
) -> None:
    made = make(project, eve_slips, moved=0.0)
    found = told(made, tmp_path)
    first = found.suspects[0]
    assert found.evidence
    assert first.slice == {"annotator": made.pseudonym("eve"), "batch": "b2"}
    assert [*first.aliases] == [{"annotator": made.pseudonym("eve")}, {"batch": "b2"}]
    assert any("compared with what did not change" in note for note in found.notes)
    rng = np.random.default_rng(8)
    rows = [{**row, "disagrees": int(rng.random() < 0.1)} for row in outcomes(made)]
    path = table(tmp_path / "n.csv", rows, "annotation", "disagrees")
    assert not asked(made, path).evidence


@pytest.mark.slow
def test_no_provenance_in_sixty_clean_diffs_is_suspected_more_than_seldom(
    made: Made, tmp_path: Path
) -> None:
    n_alarmed = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rows = [{**row, "disagrees": int(rng.random() < 0.1)} for row in outcomes(made)]
        path = table(tmp_path / "o.csv", rows, "annotation", "disagrees")
        n_alarmed += asked(made, path).evidence
    assert n_alarmed <= 6


@pytest.mark.slow
def test_the_words_of_a_suspect_build_the_version_without_it(
    project: Project, tmp_path: Path
) -> None:
    made = make(project)
    found = told(made, tmp_path)
    words = found.suspects[0].predicate
    assert words is not None
    done = recompute_without.without(project, found.bad_version, [words])
    eve = made.pseudonym("eve")
    of_eve = [r for r in made.labels.to_pylist() if (r["annotator"], r["batch"]) == (eve, "b2")]
    assert done.n_left_out == len(of_eve)


@pytest.mark.slow
def test_a_blind_check_of_the_named_labels_proves_the_suspicion(
    project: Project, tmp_path: Path
) -> None:
    made = make(project)
    found = told(made, tmp_path)
    assert found.suspects[0].recheck is None
    path = tmp_path / "check.csv"
    isolate_check.write(project, path, found)
    wanted = {*review_only.named_in(path).tolist()}
    maker = Maker(tmp_path)
    rows = made.labels.to_pylist()
    was = {row["annotation"]: row["class"] for row in made.before.to_pylist()}
    n_drawn = 0
    for batch in ("b1", "b2"):
        order = ReviewOrder(batch, (mail("sara"),), only=path)
        drawn = draw(project, order)
        assert drawn.draw is not None
        n_drawn += drawn.n_drawn
        (packet,) = export(project, drawn.draw, tmp_path / f"out-{batch}", tool="label-studio")
        answers = {}
        for name in images_of(packet):
            boxes = [
                (was[r["annotation"]], 100 * r["x_min"] / 640, 100 * r["y_min"] / 480,
                 100 * (r["x_max"] - r["x_min"]) / 640, 100 * (r["y_max"] - r["y_min"]) / 480)
                for r in rows if r["asset"] == name
            ]  # fmt: skip
            answers[name] = [maker.answer(mail("sara"), boxes)]
        import_answers(project, [maker.label_studio(answers)], batch)
        with pytest.raises(Refused, match="none waits for review"):
            draw(project, order)
    assert n_drawn == len(wanted)
    proof = told(made, tmp_path).suspects[0].recheck
    assert proof is not None
    first = found.suspects[0]
    assert (proof.n, proof.n_controls) == (40, 100)
    assert proof.n_wrong == len(made.wrong & {*first.check})
    assert proof.n_wrong_controls == 0
    version.build(project, Recipe(splits={"train": 1.0}), tag="v3")
    runs.pin(project, "third", version="v3", is_checked=False)
    sides = [side_of(project, run) for run in ("good", "third")]
    labels = labels_of(project, *sides)
    assert labels.words["reviewer"] == ["none", made.pseudonym("sara")]
    assert (labels.codes["reviewer"] == 1).sum() > 100
    assert proof.p_value < 1e-6


def test_a_file_of_labels_to_review_is_a_column_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_text("annotation,asset\n3,a.png\n1,b.png\n3,a.png\n")
    assert review_only.named_in(path).tolist() == [1, 3]
    for text in ("annotation\n", "asset\na.png\n", "annotation\n1\nx\n"):
        path.write_text(text)
        with pytest.raises(BadInput) as caught:
            review_only.named_in(path)
        assert caught.value.slug == "review-only"
    with pytest.raises(BadInput, match="no file"):
        review_only.named_in(tmp_path / "none.csv")
