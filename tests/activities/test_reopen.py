"""Disputes reopened: blind packets, people who have not seen it, and a verdict from what comes back."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineage.activities import batches, packets, reopen, trace
from lineage.activities.agreement import agreement_of
from lineage.activities.context import Project
from lineage.activities.disputes_screen import screen
from lineage.activities.draws import drawn
from lineage.activities.ingest import import_labels
from lineage.activities.packets import write
from lineage.activities.reopen import DisputeOrder, write_packets
from lineage.errors import BadInput, NotFound, Refused
from lineage.terms import DrawReason
from tests.cli.conftest import lineage as run
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

PEOPLE = [f"p{n}@a.example" for n in range(1, 9)]
Say = Any


def labelled(key: int, person: str, class_: str | None) -> dict[str, Any]:
    """Return an answer: a plain bus, and the object at issue where it is seen."""
    boxes = [region(f"b{key}", "bus", 60.0, 60.0, 20.0, 20.0)]
    if class_ is not None:
        boxes.append(region(f"o{key}", class_, 10.0, 10.0, 20.0, 20.0))
    return annotation(key, {"email": person}, boxes)


class World:
    """Images whose object some read as a cat and some as a dog; ``say(person, image)`` gives the class."""

    def __init__(self, project: Project, folder: Path, say: Say) -> None:
        self.project, self.folder, self.say = project, folder, say
        self.rng = np.random.default_rng(9)
        self.key = iter(range(1, 100_000))
        make_batch(project, {"cat": ["box"], "dog": ["box"], "bus": ["box"]})

    def record(self, n_images: int) -> None:
        """Let two people of eight label each image."""
        tasks = []
        for n in range(n_images):
            pair = self.rng.choice(8, 2, replace=False)
            name = f"i{n:03d}.png"
            answers = [labelled(next(self.key), PEOPLE[p], self.say(p, n)) for p in pair.tolist()]
            tasks.append((name, answers))
        import_labels(self.project, [label_studio(self.folder / "all.json", tasks)], "b1")

    def answer(self, found: reopen.Reopened) -> None:
        """Let everybody answer their packet, through the tool's file."""
        names = trace.names_of(self.project)
        merged: dict[str, list[dict[str, Any]]] = {}
        for packet in found.packets:
            person = names[packet.annotator]
            for task in json.loads(packet.path.read_text()):
                name = task["data"]["image"].split("/")[-1]
                image = int(re.findall(r"i(\d+)\.png", name)[0])
                said = self.say(PEOPLE.index(person), image)
                merged.setdefault(task["data"]["image"], []).append(
                    labelled(next(self.key), person, said)
                )
        path = label_studio(self.folder / "fresh.json", list(merged.items()))
        import_labels(self.project, [path], found.batch)


def slips(rng: np.random.Generator) -> Say:
    return lambda person, image: "dog" if rng.random() < 0.12 else "cat"


def ambiguous(rng: np.random.Generator) -> Say:
    return lambda person, image: rng.choice(["cat", "dog"]) if image % 2 else "cat"


def schools(rng: np.random.Generator) -> Say:
    return lambda person, image: "dog" if person < 4 and image % 2 else "cat"


def biased(rng: np.random.Generator) -> Say:
    return lambda person, image: "dog" if person == 0 and image % 2 else "cat"


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (slips, "slips"),
        (ambiguous, "ambiguous"),
        (schools, "definition_split"),
        (biased, "biased_minority"),
    ],
)
def test_fresh_opinions_tell_the_four_kinds_apart(
    project: Project, tmp_path: Path, kind: Any, verdict: str
) -> None:
    # who is drawn goes by pseudonyms: forty fresh opinions may mislead, and a test may not
    project = dataclasses.replace(project, entropy=np.random.default_rng(7).bytes)
    world = World(project, tmp_path, kind(np.random.default_rng(1)))
    world.record(300)
    before = agreement_of(project)
    [dispute] = [r for r in before.disputes if {r["class"], r["as_class"]} == {"cat", "dog"}]
    assert (dispute["verdict"], dispute["n_fresh"]) == (None, 0)
    order = DisputeOrder("cat", "dog", PEOPLE, "fresh", n=40)
    found = reopen.reopen(project, order, tmp_path / "out")
    assert found.n_drawn == min(40, found.n_open)
    world.answer(found)
    after = agreement_of(project)
    [dispute] = [r for r in after.disputes if {r["class"], r["as_class"]} == {"cat", "dog"}]
    assert dispute["verdict"] == verdict
    assert dispute["n_fresh"] == found.n_drawn
    # who is asked because others differ does not count among all
    assert after.overall == before.overall
    assert after.scope["n_answers"] == before.scope["n_answers"]


def test_packets_say_nothing_but_images(project: Project, tmp_path: Path) -> None:
    world = World(project, tmp_path, schools(np.random.default_rng(1)))
    world.record(120)
    found = reopen.reopen(
        project, DisputeOrder("dog", "cat", PEOPLE, "fresh", n=20), tmp_path / "out"
    )
    rows = drawn(project.ledger, (DrawReason.DISPUTE, DrawReason.DECOY), 1_000).to_pylist()
    places: list[float] = []
    for packet in found.packets:
        tasks = json.loads(packet.path.read_text())
        assert all(list(task) == ["data"] and list(task["data"]) == ["image"] for task in tasks)
        assert packet.path.stat().st_mtime == 315_532_800
        own = [row for row in rows if row["annotator"] == packet.annotator]
        assert len(tasks) == len({row["asset"] for row in own})
        n_decoys = sum(row["reason"] == "decoy" for row in own)
        assert n_decoys >= 0.3 * len(tasks)
        # order tells nothing: disputed and undisputed images are mixed
        reason = {row["asset"]: row["reason"] for row in own}
        with project.store.reading() as connection:
            from lineage.store import read

            keys = read.asset_keys(connection, [t["data"]["image"].split("/")[-1] for t in tasks])
        at = [reason[keys[t["data"]["image"].split("/")[-1]]] == "decoy" for t in tasks]
        places += (np.flatnonzero(at) / (len(at) - 1)).tolist()
    # order tells nothing: decoys stand anywhere
    assert abs(np.mean(places) - 0.5) < 4 * 0.3 / np.sqrt(len(places))
    for row in rows:
        if row["reason"] == "dispute":
            assert row["inclusion_fraction"] == pytest.approx(found.n_drawn / found.n_open)
        else:
            assert row["revision"] is None


def test_the_bytes_of_a_packet_follow_from_its_images_alone(
    project: Project, tmp_path: Path
) -> None:
    """Whatever the labels are, and why an image is asked about: the same images, the same bytes."""
    world = World(project, tmp_path, schools(np.random.default_rng(1)))
    world.record(30)
    rng = np.random.default_rng(2)
    seen = set()
    for turn in range(6):
        images = rng.permutation(np.arange(1, 21)).tolist()
        one = write(
            project, tmp_path / f"t{turn}", "label-studio", {"a-x": images}, "b1", key=b"k" * 32
        )
        seen.add(one[0].path.read_bytes())
    assert len(seen) == 1
    other = write(project, tmp_path / "o", "label-studio", {"a-y": images}, "b1", key=b"k" * 32)
    assert other[0].path.read_bytes() not in seen, "another person, another order"


def test_nobody_is_asked_about_what_they_have_seen(project: Project, tmp_path: Path) -> None:
    world = World(project, tmp_path, schools(np.random.default_rng(1)))
    world.record(120)
    before = {
        (row["asset"], row["annotator"])
        for part in project.ledger.scan("roster", ("asset", "annotator"))
        for row in part.to_pylist()
    }
    found = reopen.reopen(
        project, DisputeOrder("cat", "dog", PEOPLE, "fresh", n=30), tmp_path / "out"
    )
    rows = drawn(project.ledger, (DrawReason.DISPUTE, DrawReason.DECOY), 1_000).to_pylist()
    assert not {(row["asset"], row["annotator"]) for row in rows} & before
    n_asked: dict[int, set[str]] = {}
    for row in rows:
        if row["reason"] == "dispute":
            n_asked.setdefault(row["revision"], set()).add(row["annotator"])
    assert {len(people) for people in n_asked.values()} == {2}
    assert len(n_asked) == found.n_drawn
    again = reopen.reopen(
        project, DisputeOrder("cat", "dog", PEOPLE, "more", n=30), tmp_path / "out"
    )
    later = drawn(project.ledger, (DrawReason.DISPUTE, DrawReason.DECOY), 1_000).to_pylist()[len(rows):]  # fmt: skip
    assert again.draw != found.draw
    assert not {(r["asset"], r["annotator"]) for r in later} & {
        (r["asset"], r["annotator"]) for r in rows
    }


def test_what_cannot_be_ordered_is_refused_and_nothing_is_written(
    project: Project, tmp_path: Path
) -> None:
    world = World(project, tmp_path, schools(np.random.default_rng(1)))
    world.record(60)
    size = len(project.ledger.positions())
    out = tmp_path / "out"
    for order, error, slug in (
        (DisputeOrder("cat", "dog", PEOPLE[:1], "fresh"), BadInput, "dispute-order"),
        (DisputeOrder("cat", "cat", PEOPLE, "fresh"), BadInput, "dispute-order"),
        (
            DisputeOrder("cat", "dog", PEOPLE, "fresh", decoy_fraction=0.1),
            BadInput,
            "dispute-order",
        ),
        (DisputeOrder("cat", "dog", PEOPLE, "fresh", tool="paper"), BadInput, "packet-tool"),
        (DisputeOrder("cat", "bus", PEOPLE, "fresh"), NotFound, "no-dispute"),
        (DisputeOrder("cat", "dog", ["p1@a.example", "stranger"], "f"), NotFound, "no-annotator"),
    ):
        with pytest.raises(error) as caught:
            reopen.reopen(project, order, out)
        assert caught.value.slug == slug
    batches.create(project, batches.BatchOrder("other", "segmentation", "things@1.0"))
    with pytest.raises(Refused, match="asks segmentation"):
        reopen.reopen(project, DisputeOrder("cat", "dog", PEOPLE, "other"), out)
    assert len(project.ledger.positions()) == size + 1
    assert not out.exists()


def test_where_everybody_has_seen_everything_it_says_who(project: Project, tmp_path: Path) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    key = iter(range(1, 1000))
    tasks = [
        (
            f"i{n}.png",
            [
                labelled(next(key), person, "cat" if p else "dog")
                for p, person in enumerate(PEOPLE[:3])
            ],
        )
        for n in range(12)
    ]
    for _, answers in tasks:
        for one in answers:
            one["result"] = one["result"][1:]
    import_labels(project, [label_studio(tmp_path / "all.json", tasks)], "b1")
    with pytest.raises(Refused, match=r"p1@a.example 0, p2@a.example 0"):
        reopen.reopen(project, DisputeOrder("cat", "dog", PEOPLE[:2], "fresh"), tmp_path / "out")


def test_packets_are_written_again_byte_for_byte(project: Project, tmp_path: Path) -> None:
    world = World(project, tmp_path, schools(np.random.default_rng(1)))
    world.record(100)
    found = reopen.reopen(
        project, DisputeOrder("cat", "dog", PEOPLE, "fresh", n=15), tmp_path / "a"
    )
    again = write_packets(project, str(found.draw), tmp_path / "b")
    assert [p.path.read_bytes() for p in again] == [p.path.read_bytes() for p in found.packets]
    found.packets[0].path.write_text("handed out and noted upon")
    with pytest.raises(Refused, match="other content"):
        write_packets(project, str(found.draw), tmp_path / "a")
    with pytest.raises(NotFound):
        write_packets(project, "draw-999", tmp_path / "a")


def test_the_secret_is_made_once_and_kept_private(project: Project) -> None:
    one = packets.secret(project)
    assert packets.secret(project) == one
    assert len(one) == 32
    path = project.root / ".lineage" / "sampling.key"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_screen_puts_first_what_goes_one_way(project: Project, tmp_path: Path) -> None:
    world = World(project, tmp_path, schools(np.random.default_rng(1)))
    world.record(200)
    [row] = [r for r in screen(project) if {r["class"], r["as_class"]} == {"cat", "dog"}]
    assert row["is_worth_opening"]
    assert float(str(row["one_sided"])) > 0.8


def test_the_commands_speak(project: Project, tmp_path: Path) -> None:
    world = World(project, tmp_path, schools(np.random.default_rng(1)))
    world.record(200)
    root = project.root
    assert "open it" in run(root, "dispute", "list").out
    people = [word for person in PEOPLE for word in ("--for", person)]
    words = [
        "dispute",
        "open",
        "--class",
        "cat",
        "--as-class",
        "dog",
        "--batch",
        "fresh",
        "-n",
        "10",
        *people,
    ]
    told = run(root, *words, "--dry-run")
    assert told.code == 0, told.err
    assert "would be drawn" in told.out
    assert not list((root / "outbox").glob("draw*"))
    done = run(root, "--json", *words).json
    assert done["n_drawn"] == 10
    assert {row["annotator"] for row in done["people"]} == set(PEOPLE)
    again = run(root, "--json", "dispute", "packet", done["draw"]).json
    assert len(again["packets"]) == len(done["packets"])
    assert run(root, "dispute", "open", "--class", "cat", "--as-class", "nothing", "--batch", "x", *people).code == 3  # fmt: skip
