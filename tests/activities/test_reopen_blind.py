"""What would spoil a reopened dispute: a packet that tells, a reader who has seen it, a batch that is in use."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest

from lineage.activities import batches, reopen, trace
from lineage.activities.agreement import agreement_of
from lineage.activities.context import Project
from lineage.activities.draws import drawn
from lineage.activities.ingest import import_labels
from lineage.activities.packets import write
from lineage.activities.reopen import DisputeOrder, write_packets
from lineage.activities.reopened import reopened
from lineage.errors import BadInput, Refused
from lineage.store import read
from lineage.terms import DrawReason
from tests.activities.test_reopen import PEOPLE, World, labelled, schools
from tests.conftest import make_batch
from tests.exports import label_studio

pytestmark = pytest.mark.slow

BOTH = (DrawReason.DISPUTE, DrawReason.DECOY)


@pytest.fixture
def world(project: Project, tmp_path: Path) -> World:
    """Eight people in two schools, two of them on each of 160 images."""
    # what is drawn follows from the seed, so that what is asked of a draw is asked of the same one
    own = replace(project, entropy=random.Random(5).randbytes)
    made = World(own, tmp_path, schools(np.random.default_rng(1)))
    made.record(160)
    return made


def opened(world: World, *words: str, batch: str = "fresh", n: int = 20) -> reopen.Reopened:
    one, other = words or ("cat", "dog")
    order = DisputeOrder(one, other, PEOPLE, batch, n=n)
    return reopen.reopen(world.project, order, world.folder / "out")


def test_the_numbers_of_images_do_not_tell_disputed_from_undisputed(world: World) -> None:
    """Decoys lie among the disputed images, not at the front of the archive."""
    opened(world, n=24)
    rows = drawn(world.project.ledger, BOTH, 1_000).to_pylist()
    asset = {
        reason: np.unique([row["asset"] for row in rows if row["reason"] == reason])
        for reason in BOTH
    }
    spread = 160 / np.sqrt(12)
    for reason in BOTH:
        assert abs(asset[reason].mean() - 80) < 3 * spread / np.sqrt(len(asset[reason])), reason


def test_the_place_in_a_packet_does_not_tell_disputed_from_undisputed(world: World) -> None:
    found = opened(world, n=24)
    rows = drawn(world.project.ledger, BOTH, 1_000).to_pylist()
    with world.project.store.reading() as connection:
        names = read.asset_names(connection, {row["asset"] for row in rows})
    decoys = {
        (row["annotator"], names[row["asset"]]) for row in rows if row["reason"] == DrawReason.DECOY
    }
    places: list[float] = []
    for packet in found.packets:
        images = re.findall(r"i\d+\.png", packet.path.read_text())
        at = [place for place, name in enumerate(images) if (packet.annotator, name) in decoys]
        places += (np.array(at) / (len(images) - 1)).tolist()
    assert len(places) >= 24
    assert abs(np.mean(places) - 0.5) < 2.5 * 0.3 / np.sqrt(len(places))


def test_a_batch_with_answers_of_its_own_is_refused(world: World) -> None:
    """Its opinions would no longer count among all."""
    before = agreement_of(world.project).scope
    with pytest.raises(Refused, match="b1 holds answers") as caught:
        opened(world, batch="b1")
    assert caught.value.slug == "dispute-batch"
    assert agreement_of(world.project).scope["n_answers"] == before["n_answers"]


def test_a_closed_batch_is_refused(world: World) -> None:
    batches.create(world.project, batches.BatchOrder("shut", "detection", "things@1.0"))
    batches.close(world.project, "shut")
    with pytest.raises(Refused, match="closed"):
        opened(world, batch="shut")


def test_who_put_right_a_label_has_seen_the_image(project: Project, tmp_path: Path) -> None:
    """A correction is no answer, and yet its maker is not blind."""
    make_batch(project, {"cat": ["box"], "dog": ["box"], "bus": ["box"]})
    key = iter(range(1, 10_000))
    tasks = [
        (
            f"i{n:03d}.png",
            [
                labelled(next(key), PEOPLE[0], "cat"),
                labelled(next(key), PEOPLE[1], "dog" if n < 10 else "cat"),
            ],
        )
        for n in range(60)
    ]
    introduced = ("other.png", [labelled(next(key), p, "cat") for p in PEOPLE[2:5]])
    import_labels(project, [label_studio(tmp_path / "one.json", [*tasks, introduced])], "b1")
    for name, answers in tasks:
        if name < "i005":
            # the third person moves a box that the first one drew
            answers[0]["result"][1]["value"]["width"] = 21.0
            answers[0]["updated_by"] = {"email": PEOPLE[2]}
            answers[0]["updated_at"] = "2026-03-03T10:00:00.000000Z"
    import_labels(project, [label_studio(tmp_path / "two.json", [*tasks, introduced])], "b1")
    people = {name: pseudonym for pseudonym, name in trace.names_of(project).items()}
    corrected = {
        row["asset"]
        for part in project.ledger.scan("revisions", ("asset", "annotator", "updated_by"))
        for row in part.to_pylist()
        if people[PEOPLE[2]] in (row["annotator"], row["updated_by"])
    }
    assert len(corrected) == 6, "five corrections, and the image of their own"
    reopen.reopen(project, DisputeOrder("cat", "dog", PEOPLE[2:5], "fresh"), tmp_path / "out")
    asked = {
        row["asset"]
        for row in drawn(project.ledger, BOTH, 1_000).to_pylist()
        if row["annotator"] == people[PEOPLE[2]]
    }
    assert asked
    assert not asked & corrected


def test_packets_of_another_key_are_refused(world: World) -> None:
    """Where the key was lost, the same packet cannot be written again, and another must not be."""
    found = opened(world)
    (world.project.root / ".lineage" / "sampling.key").unlink()
    with pytest.raises(Refused) as caught:
        write_packets(world.project, str(found.draw), world.folder / "again")
    assert caught.value.slug == "draw-key"
    assert not (world.folder / "again").exists()


def test_a_dispute_is_the_same_either_way_round(world: World) -> None:
    """Opened as cat against dog and then as dog against cat: its fresh opinions are counted together."""
    first = opened(world, "cat", "dog", batch="one", n=12)
    world.answer(first)
    second = opened(world, "dog", "cat", batch="two", n=12)
    world.answer(second)
    found = reopened(world.project)
    assert found["cat", "dog"] == found["dog", "cat"]
    told = [row for row in agreement_of(world.project).disputes if row["n_fresh"]]
    assert [row["n_fresh"] for row in told] == [round(found["cat", "dog"].n_disputes)]
    assert found["cat", "dog"].n_disputes > 12


def test_what_was_opened_is_not_opened_again(world: World) -> None:
    opened(world, batch="one", n=10)
    opened(world, "dog", "cat", batch="two", n=10)
    rows = drawn(world.project.ledger, (DrawReason.DISPUTE,), 1_000).to_pylist()
    of_draw: dict[str, set[int]] = {}
    for row in rows:
        of_draw.setdefault(row["draw"], set()).add(row["revision"])
    one, two = of_draw.values()
    assert not one & two


def test_one_person_by_two_names_is_one_person(world: World) -> None:
    people = {name: pseudonym for pseudonym, name in trace.names_of(world.project).items()}
    twice = (PEOPLE[0], people[PEOPLE[0]])
    with pytest.raises(BadInput, match="people asked: 1"):
        reopen.reopen(
            world.project, DisputeOrder("cat", "dog", twice, "fresh"), world.folder / "out"
        )


def test_answers_count_as_they_come_in(world: World) -> None:
    found = opened(world)
    assert reopened(world.project) == {}
    names = trace.names_of(world.project)
    n = []
    for at in range(1, len(found.packets) + 1):
        part = reopen.Reopened(
            found.activity, found.draw, found.batch, 0, 0, 0, 0, (), found.packets[at - 1 : at]
        )
        world.answer(part)
        fresh = reopened(world.project).get(("cat", "dog"))
        n.append(0 if fresh is None else round(fresh.n_disputes))
    assert names
    assert n == sorted(n)
    assert n[0] == 0
    assert n[-1] == found.n_drawn


def test_a_packet_for_cvat_comes_back_through_its_reader(world: World) -> None:
    """A list of names and a configuration go out; CVAT's own XML comes in, a file for each person."""
    order = DisputeOrder("cat", "dog", PEOPLE, "fresh", n=12, tool="cvat")
    found = reopen.reopen(world.project, order, world.folder / "out")
    names = trace.names_of(world.project)
    for packet in found.packets:
        images = packet.path.read_text().splitlines()
        assert len(images) == packet.n_images
        assert all(re.fullmatch(r"i\d{3}\.png", name) for name in images)
        path = world.folder / f"{packet.annotator}.xml"
        path.write_text(cvat(names[packet.annotator], images, world))
        import_labels(world.project, [path], "fresh")
    fresh = reopened(world.project)["cat", "dog"]
    assert round(fresh.n_disputes) == found.n_drawn


def cvat(person: str, images: list[str], world: World) -> str:
    """Return one person's answers as CVAT exports them: a task, whoever it is assigned to, boxes in px."""
    told = []
    for at, name in enumerate(images):
        class_ = world.say(PEOPLE.index(person), int(name[1:4]))
        told.append(
            f'<image id="{at}" name={quoteattr(name)} width="640" height="480">'
            f'<box label="{class_}" source="manual" occluded="0" '
            f'xtl="64" ytl="48" xbr="192" ybr="144" z_order="0"></box></image>'
        )
    labels = "".join(f"<label><name>{one}</name></label>" for one in ("cat", "dog", "bus"))
    user = f"<username>{person}</username><email>{person}</email>"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta><task>'
        f"<id>1</id><name>fresh</name><size>{len(images)}</size><mode>annotation</mode>"
        f"<labels>{labels}</labels><assignee>{user}</assignee></task></meta>"
        f"{''.join(told)}</annotations>\n"
    )


def test_a_packet_has_the_same_bytes_whatever_its_labels(world: World, tmp_path: Path) -> None:
    """More labels on the images, by others and of other classes, do not show in a packet."""
    images = list(range(1, 21))
    key = b"k" * 32
    for tool in ("label-studio", "cvat"):
        one = write(world.project, tmp_path / f"{tool}-1", tool, {"a-x": images}, "b1", key=key)
        before = one[0].path.read_bytes()
        world.say = lambda person, image: "bus"
        batches_ = {row.tag for row in batches.list_all(world.project)}
        if "more" not in batches_:
            batches.create(world.project, batches.BatchOrder("more", "detection", "things@1.0"))
            tasks = [
                (f"i{n:03d}.png", [labelled(50_000 + n, "new@a.example", "bus")]) for n in range(20)
            ]
            import_labels(world.project, [label_studio(tmp_path / "more.json", tasks)], "more")
        two = write(world.project, tmp_path / f"{tool}-2", tool, {"a-x": images}, "b1", key=key)
        assert two[0].path.read_bytes() == before
