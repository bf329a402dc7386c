"""Packets for reviewers are blind: nothing of the labels, of people or of times shows in them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from lineage.activities import trace
from lineage.activities.context import Project, open_project
from lineage.activities.ingest import import_labels
from lineage.activities.review_import import import_answers
from lineage.activities.review_log import drawn_of
from lineage.activities.review_packets import export
from lineage.activities.review_status import status
from lineage.activities.select import Selector
from lineage.errors import BadInput, NotFound, Refused
from tests.activities.reviewing import (
    ANN,
    BOB,
    EVE,
    SARA,
    TOM,
    Maker,
    answered,
    begun,
    drawn,
    images_of,
    known,
    packets_of,
    thing,
)

N_IMAGES = 160
PEOPLE = (ANN, BOB, EVE)
CLASSES = ("cat", "dog", "bus")


@pytest.fixture(scope="module")
def labelled(
    empty_project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Project]:
    """Make projects that differ in their labels only: the same images, the same key."""

    def make(seed: int, folder: Path) -> Project:
        shutil.copytree(empty_project, folder / "proj")
        project = begun(known(open_project(folder / "proj", agent="tess@team.example")))
        rng = np.random.default_rng(seed)
        maker = Maker(folder)
        # everybody is on record in the same order, whoever labels what
        images: dict[str, list[dict[str, object]]] = {
            "first.png": [maker.answer(person, [thing("owl")]) for person in PEOPLE]
        }
        for n in range(N_IMAGES):
            things = [
                thing(str(rng.choice(CLASSES)), int(place))
                for place in rng.choice(12, rng.integers(1, 5), replace=False)
            ]
            at = f"2026-0{rng.integers(1, 10)}-1{rng.integers(0, 9)}T1{rng.integers(0, 9)}:00:00Z"
            images[f"i{n:04d}.png"] = [
                maker.answer(str(rng.choice(PEOPLE)), things, created_at=at, updated_at=at)
            ]
        import_labels(project, [maker.label_studio(images)], "b1")
        return project

    return make


def test_relabelled_redated_and_reassigned_images_give_the_same_bytes(
    labelled: Callable[..., Project], tmp_path: Path
) -> None:
    """Three worlds with other labels, times and people: packets of the same images are the same."""
    found: list[list[set[str]]] = []
    for seed in range(3):
        folder = tmp_path / str(seed)
        folder.mkdir()
        project = labelled(seed, folder)
        draw = drawn(project, fraction=0.5)
        assert draw.draw is not None
        assert len(set(drawn_of(project, "b1", 10**6).stratum.tolist())) > 6
        # who has which image follows from who labelled it, so images are compared, not people
        found.append(
            [
                {
                    line
                    for one in export(project, draw.draw, folder / tool, tool=tool)
                    for line in one.path.read_text().replace(",\n", "\n").splitlines()
                }
                for tool in ("label-studio", "cvat")
            ]
        )
    assert found[0] == found[1] == found[2]
    assert len(found[0][1]) > N_IMAGES // 3


def test_one_persons_packet_is_the_same_bytes_whatever_the_labels(
    labelled: Callable[..., Project], tmp_path: Path
) -> None:
    found = []
    for seed in range(2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        project = labelled(seed, folder)
        draw = drawn(project, (SARA,), fraction=0.5)
        assert draw.draw is not None
        [packet] = export(project, draw.draw, folder / "out", tool="label-studio")
        found.append((packet.annotator, packet.path.read_bytes(), packet.path.stat().st_mtime_ns))
    assert found[0] == found[1]


def test_the_order_of_a_packet_says_nothing_of_the_labels(
    labelled: Callable[..., Project], tmp_path: Path
) -> None:
    """The rank correlation with class, person, time and number of labels is as under 200 permutations."""
    project = labelled(1, tmp_path)
    draw = drawn(project, (SARA,), fraction=1.0)
    assert draw.draw is not None
    [packet] = export(project, draw.draw, tmp_path / "out", tool="cvat")
    order = images_of(packet)
    told: dict[str, list[tuple[str, str, str]]] = {}
    for row in trace.labels(project, Selector(batches=("b1",)), 10**6).to_pylist():
        said = (row["class"], row["annotator"], str(row["labelled_at"]))
        told.setdefault(row["asset"], []).append(said)
    attributes: list[Sequence[object]] = [[told[name][0][at] for name in order] for at in range(3)]
    attributes.append([len(told[name]) for name in order])
    attributes.append(order)
    rng = np.random.default_rng(5)
    place = np.arange(len(order))
    for values in attributes:
        code = np.unique(np.array(values), return_inverse=True)[1]
        seen = abs(np.corrcoef(place, code)[0, 1])
        chance = [abs(np.corrcoef(place, rng.permutation(code))[0, 1]) for _ in range(200)]
        assert (np.array(chance) >= seen).mean() > 0.01


def test_packets_are_the_same_bytes_whenever_they_are_asked_for(
    project: Project, tmp_path: Path
) -> None:
    begun(known(project))
    maker = Maker(tmp_path)
    maker.record(project, {f"i{n:03d}.png": {ANN: [thing("cat")]} for n in range(30)})
    first = drawn(project, fraction=0.4)
    before = packets_of(project, first, tmp_path / "one")
    drawn(project, fraction=1.0)
    assert packets_of(project, first, tmp_path / "two") == before
    for path in (tmp_path / "one").rglob("*.*"):
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == other.read_bytes()
        assert path.stat().st_mtime == other.stat().st_mtime == 315_532_800
    # beside themselves they may be written again, other content is not written over
    packets_of(project, first, tmp_path / "one")
    next(iter((tmp_path / "two").rglob("a-*.json"))).write_text("[]\n")
    with pytest.raises(Refused) as caught:
        packets_of(project, first, tmp_path / "two")
    assert caught.value.slug == "packet-exists"


def test_a_task_is_an_address_and_nothing_else(project: Project, tmp_path: Path) -> None:
    begun(known(project))
    Maker(tmp_path).record(project, {"i1.png": {ANN: [thing("cat")]}})
    found = drawn(project, (SARA,))
    assert found.draw is not None
    [packet] = export(project, found.draw, tmp_path / "out", tool="label-studio")
    assert json.loads(packet.path.read_text()) == [{"data": {"image": "i1.png"}}]
    assert ANN not in (packet.path.parent / "config.xml").read_text()


def test_what_a_reviewer_has_already_is_not_asked_again(project: Project, tmp_path: Path) -> None:
    """New labels on an image that somebody has wait for that person's one answer."""
    begun(known(project))
    maker = Maker(tmp_path)
    maker.record(project, {"i1.png": {ANN: [thing("cat")]}, "i2.png": {ANN: [thing("cat")]}})
    first = drawn(project, (SARA,))
    maker.record(project, {"i1.png": {BOB: [thing("dog", 3)]}, "i3.png": {BOB: [thing("cat")]}})
    second = drawn(project, (TOM,))
    assert second.n_drawn == 2
    assert packets_of(project, first, tmp_path / "out") == {
        SARA: packets_of(project, first, tmp_path / "out")[SARA]
    }
    assert packets_of(project, second, tmp_path / "out") == {TOM: ["i3.png"]}


def test_labels_are_shown_without_people_and_count_in_no_estimate(
    project: Project, tmp_path: Path
) -> None:
    begun(known(project))
    maker = Maker(tmp_path)
    maker.record(project, {f"i{n}.png": {ANN: [thing("cat"), thing("dog", 1)]} for n in range(4)})
    found = drawn(project, (SARA,), shows_labels=True)
    assert found.draw is not None
    [packet] = export(project, found.draw, tmp_path / "out", tool="label-studio")
    text = packet.path.read_text()
    tasks = json.loads(text)
    assert [r["value"]["rectanglelabels"] for r in tasks[0]["predictions"][0]["result"]] == [
        ["cat"],
        ["dog"],
    ]
    people = trace.names_of(project)
    for word in ("lineage", "b1", "meta", "2026", "submitted", *people, *people.values()):
        assert word not in text
    with pytest.raises(BadInput, match="cannot"):
        export(project, found.draw, tmp_path / "out", tool="cvat")
    packets = {SARA: [f"i{n}.png" for n in range(4)]}
    answers = answered(maker, packets, lambda person, name: [thing("cat")])
    assert import_answers(project, [answers], "b1").n_judged == 8
    stand = status(project, "b1")
    assert (stand.n_not_blind, stand.n_done) == (8, 8)
    assert (stand.error["n"], stand.error["mean"]) == (0, None)


def test_packets_of_another_key_or_draw_are_refused(project: Project, tmp_path: Path) -> None:
    begun(known(project))
    Maker(tmp_path).record(project, {"i1.png": {ANN: [thing("cat")]}})
    found = drawn(project, (SARA,))
    assert found.draw is not None
    with pytest.raises(NotFound, match=found.draw) as caught:
        export(project, "draw-99", tmp_path, tool="cvat")
    assert caught.value.slug == "no-draw"
    with pytest.raises(BadInput) as wrong:
        export(project, found.draw, tmp_path, tool="paint")
    assert wrong.value.slug == "packet-tool"
    (project.root / ".lineage" / "sampling.key").unlink()
    with pytest.raises(Refused) as lost:
        export(project, found.draw, tmp_path, tool="cvat")
    assert lost.value.slug == "draw-key"
