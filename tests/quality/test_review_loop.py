"""The QA loop by the commands of docs/review.md, on a simulated world: from a pilot to final labels."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineage.settings import load_params
from lineage.simulate import WorldSettings, from_params, scenes
from lineage.simulate.seniors import iou
from lineage.simulate.settings import CLASSES
from tests.cli.conftest import REPOSITORY, Ran, lineage

PAGE = (REPOSITORY / "docs" / "review.md").read_text("utf-8").split("## The whole loop")[1]
READY, REVIEW, SETTLE, SENIOR, FINALISE, LAST = (
    block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S)
)
PARAMS = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)[0]
TOOLS = {"vol-cvat": "xml", "vol-ls": "json"}
CAME, STANDS = (
    f"SELECT asset, class, x_min, y_min, x_max, y_max FROM {rest}"
    for rest in ("revisions WHERE operation = 'add' AND origin <> 'adjudicated'", "labels WHERE 1")
)
MOST_ROUNDS = 5
SMALL = (
    "lineage simulate",
    "lineage schema add schemas/street/v2.0.json",
    "lineage schema lock street@2.0",
    "lineage batch create b1 --task detection --schema street@2.0",
    "lineage import inbox/label_studio/*.json --batch b1",
    "lineage review draw --batch b1 --for rita@team.example --for sam@team.example --fraction 1",
    "lineage review export DRAW",
    "lineage simulate answer outbox/draw-* --out inbox/review --error 0",
    "lineage review import inbox/review/*/*.json --batch b1",
    "lineage review adjudicate --batch b1 --for alice@crew-a.example --for bruno@crew-a.example --out outbox/fresh",
    "lineage simulate answer outbox/fresh/draw-* --out inbox/fresh --error 0",
    "lineage review import inbox/fresh/*/*.json --batch b1",
    "lineage review adjudicate --batch b1",
)
ONCE = ("simulate", "batch create", "build")
"""Commands that are refused a second time, for what they make stands."""


@dataclass
class Loop:
    """A project, and what its commands said."""

    root: Path
    draw: str = ""
    said: dict[str, list[Any]] = field(default_factory=dict)
    again: set[tuple[str, ...]] = field(default_factory=set)
    restless: list[str] = field(default_factory=list)
    first: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def size(self) -> int:
        """Return the length of the log."""
        return int((self.root / "ledger" / "checkpoint").read_text().split("\n")[1])

    def run(self, line: str, *, is_last: bool = True) -> None:
        """Run a line of the page, and, where it is to be the last of its kind, once more: nothing may change."""
        for words in self._commands(shlex.split(line, comments=True)):
            done = lineage(Path(), "--json", *words)
            assert done.code == 0, f"{words}: {done.out[-800:]} {done.err}"
            name = _name(words)
            self.said.setdefault(name, []).append(done.json)
            if name == "review draw" and done.json["draw"]:
                self.draw = done.json["draw"]
            if is_last:
                self._again(words, name)

    def _again(self, words: list[str], name: str) -> None:
        if tuple(words) in self.again:
            return
        self.again.add(tuple(words))
        files = _files(self.root)
        size, done = self.size() if name not in ONCE else 0, lineage(Path(), "--json", *words)
        if name in ONCE:
            # what it makes stands already
            assert done.code == 3, done.err
        elif done.code != 0 or self.size() != size or _files(self.root) != files:
            self.restless.append(" ".join(words))

    def _commands(self, words: list[str]) -> Iterator[list[str]]:
        assert words[0] == "lineage"
        found: list[list[str]] = [[]]
        for word in words[1:]:
            names = [word.replace("DRAW", self.draw)]
            if "*" in word:
                names = sorted(p.relative_to(self.root).as_posix() for p in self.root.glob(word))
            if not names:
                # no packet of that kind was written
                return
            if found[0][-1:] == ["--decisions"]:
                # one senior's file at a time
                found = [[*one, name] for name in names for one in found]
            else:
                found = [[*one, *names] for one in found]
        yield from found

    def status(self, batch: str) -> Mapping[str, Any]:
        """Return where a batch's review stands."""
        found: Mapping[str, Any] = self._asked("review", "status", "--batch", batch)
        return found

    def _asked(self, *words: str) -> Any:
        done: Ran = lineage(Path(), "--json", *words)
        assert done.code == 0, done.err
        return done.json

    def sql(self, query: str) -> list[Any]:
        """Return the rows of a query."""
        rows: list[Any] = self._asked("sql", query)["rows"]
        return rows

    def settle(self, batch: str) -> None:
        """Ask for opinions until nobody is asked any more, and then the senior."""
        own = re.compile(rf"{batch}\b|/(fresh-)?{batch.removeprefix('vol-')}\b")
        for _ in range(MOST_ROUNDS):
            for line in filter(own.search, SETTLE):
                self.run(line)
            found = self.said["review adjudicate"][-1]
            if not (found["n_ordered"] or found["n_waiting"]):
                break
        for line in filter(own.search, SENIOR):
            self.run(line)

    def review(self, batch: str, draw: str) -> None:
        """Let reviewers answer a further draw."""
        short, ending = batch.removeprefix("vol-"), TOOLS[batch]
        tool = "cvat" if ending == "xml" else "label-studio"
        self.run(f"lineage review export {draw} --to {tool} --out outbox/{short}")
        self.run(f"lineage simulate answer outbox/{short}/draw-* --out inbox/review/{short}")
        self.run(f"lineage review import inbox/review/{short}/*/*.{ending} --batch {batch}")
        self.settle(batch)

    def finalise(self, line: str) -> Any:
        """Decide what can be decided: the rest of a lot that was sent back is a lot again."""
        for _ in range(MOST_ROUNDS):
            before = self.size()
            self.run(line, is_last=False)
            if self.size() == before:
                break
        return self.said["review finalize"][-1]

    def finish(self, line: str) -> None:
        """Go round with a batch until it is final."""
        batch = shlex.split(line)[shlex.split(line).index("--batch") + 1]
        for fraction in (0.7, 1.0, 1.0, 1.0):
            found = self.finalise(line)
            if found["is_finalised"]:
                return
            draws = [one["draw"] for one in self.said["review finalize"] if one["draw"]]
            if any(one["what"] == "draw" for one in found["waits_for"]):
                people = "--for rita@team.example --for sam@team.example --floor 0"
                self.run(f"lineage review draw --batch {batch} --fraction {fraction} {people}")
                draws.append(self.draw)
            for draw in dict.fromkeys(draws):
                if self._is_of(draw, batch):
                    self.review(batch, draw)
        raise AssertionError(f"{batch}: {self.status(batch)['waits_for']}")

    def _is_of(self, draw: str, batch: str) -> bool:
        query = f"SELECT batch FROM activity WHERE seq = {int(draw.removeprefix('draw-'))}"
        return self.sql(query) == [[batch]]


def _name(words: list[str]) -> str:
    name = " ".join(words[: 2 if words[0] in ("schema", "batch", "gold", "review") else 1])
    return "simulate answer" if words[:2] == ["simulate", "answer"] else name


def _files(root: Path) -> dict[str, bytes]:
    """Return everything that a command may write and that is not the log itself."""
    folders = ("inbox/review", "inbox/fresh", "inbox/decided", "outbox", "reports", "data")
    return {
        path.as_posix(): path.read_bytes()
        for folder in folders
        for path in (root / folder).rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def loop(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """The page's commands, run in order; settling again until nobody is asked any more."""
    root = tmp_path_factory.mktemp("loop") / "lineage"
    shutil.copytree(empty_project, root)
    shutil.copytree(REPOSITORY / "schemas", root / "schemas", dirs_exist_ok=True)
    (root / "params.yaml").write_text(PARAMS)
    # the same draw in every run
    (root / ".lineage" / "sampling.key").write_bytes(bytes(range(32)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("LINEAGE_AGENT", "tess@team.example")
        found = Loop(root)
        for line in (*READY, *REVIEW):
            found.run(line)
        for batch in TOOLS:
            found.settle(batch)
        assert [line.split()[2] for line in FINALISE] == ["finalize", "finalize", "status"]
        for line in FINALISE[:2]:
            found.finalise(line)
        found.first = {batch: found.status(batch) for batch in TOOLS}
        found.finish(FINALISE[0])
        for line in LAST:
            found.run(line)
        found.finish(FINALISE[1])
        for line in LAST:
            found.run(line.replace("--tag reviewed", "--tag all"))
        yield found


def lots(loop: Loop, decision: str) -> set[str]:
    """Return whose lots were decided so."""
    return {
        str(lot["annotator"]).removeprefix("cvat:").split("@")[0]
        for found in loop.said["review finalize"]
        for lot in found["lots"]
        if lot["decision"] == decision
    }


def wrong(world: WorldSettings, rows: Sequence[Sequence[Any]], least: float = 0.75) -> float:
    """Return the share of labels (asset, class, sides) that are not what is there, or not where it is."""
    there = scenes.seen(world, np.arange(world.n_images))
    # nobody draws a box of less than four pixels
    boxes = scenes.clipped(there.visible, world)
    names = {scenes.asset_name(world, image): image for image in range(world.n_images)}
    n_wrong = 0
    for name, class_, *sides in rows:
        start, stop = np.searchsorted(there.image, [names[name], names[name] + 1])
        best = max(range(start, stop), key=lambda at: iou(sides, boxes[at]))
        is_right = CLASSES[there.class_code[best]] == class_
        n_wrong += not is_right or iou(sides, boxes[best]) < least
    return n_wrong / len(rows)


def n_recorded(loop: Loop, batch: str) -> int:
    """Return how many labels a batch must have: those that came in, and missed objects that were added."""
    imported = sum(one["n_added"] for one in loop.said["import"] if one["batch"] == batch)
    settled = [one for one in loop.said["review adjudicate"] if one["batch"] == batch]
    by_rule = sum(one.get("n_added", 0) for one in settled if one["activity"])
    return imported + by_rule + sum(one.get("by_result", {}).get("added", 0) for one in settled)


def test_a_small_loop_finds_what_was_planted_and_puts_it_right(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(REPOSITORY / "schemas", project_root / "schemas", dirs_exist_ok=True)
    (project_root / "params.yaml").write_text(
        "simulate: {seed: 5, n_images: 60, images_per_scene: 20, n_weeks: 1, overlap_fraction: 0, gold_fraction: 0, "
        "draw_pixels: false, faults: [{kind: hurried, annotator: bruno}]}\n"
    )
    monkeypatch.chdir(project_root)
    monkeypatch.setenv("LINEAGE_AGENT", "tess@team.example")
    loop = Loop(project_root)
    for line in SMALL:
        loop.run(line, is_last="adjudicate --batch b1" in line)
    loop.finalise("lineage review finalize --batch b1")
    assert loop.restless == []
    came, stands = (loop.sql(f"{query} AND batch = 'b1'") for query in (CAME, STANDS))
    final = loop.sql(f"{STANDS} AND batch = 'b1' AND stage = 'final'")
    world = from_params(load_params(project_root).simulate)
    judged = loop.said["review import"][0]
    n_wrong = round(wrong(world, came) * len(came))
    assert judged["n_judged"] == len(came)
    n_disputed = judged["n_judged"] - judged["n_agree"]
    # the reviewer's own boxes lie a little beside the truth
    assert abs(n_disputed - n_wrong) <= 6 < n_wrong
    assert wrong(world, final, 0.5) <= wrong(world, came, 0.5) / 3
    # reviewers who see everything leave nothing out; what two fresh people do not settle waits for others
    labelled = {row[0] for row in stands}
    there = scenes.seen(world, np.arange(world.n_images)).image
    n_there = sum(scenes.asset_name(world, image) in labelled for image in there.tolist())
    assert len(came) + 20 < n_there - 4 <= len(stands) <= n_there
    status = loop.status("b1")
    assert sum(status["funnel"].values()) == n_recorded(loop, "b1")
    assert status["n_contested"] < n_disputed
    # all was checked, so what was disputed is known
    assert status["error"]["mean"] == pytest.approx(n_disputed / len(came))


@pytest.mark.slow
def test_the_pilot_and_the_gold_open_the_volume_batches(loop: Loop) -> None:
    checks = loop.said["batch check"]
    assert [one["is_ready"] for one in checks] == [True, True]
    assert all(not one["overrides"] for one in checks)


@pytest.mark.slow
def test_a_second_run_of_any_command_changes_nothing(loop: Loop) -> None:
    assert loop.restless == []
    assert len(loop.again) > 40


@pytest.mark.slow
def test_good_lots_are_accepted_and_the_hurried_one_goes_back_until_all_is_final(
    loop: Loop,
) -> None:
    first = next(one for one in loop.said["review finalize"] if one["batch"] == "vol-cvat")
    decided = {lot["annotator"]: lot for lot in first["lots"]}
    assert decided["cvat:goran"]["decision"] == "reject"
    assert decided["cvat:goran"]["classes"]
    assert {"erin", "hana"} & lots(loop, "accept")
    assert first["n_drawn"] > 100
    assert loop.first["vol-cvat"]["funnel"]["pending"] == first["n_drawn"]
    for batch in TOOLS:
        last = loop.status(batch)
        assert last["state"] == "final"
        assert not last["waits_for"]


@pytest.mark.slow
def test_the_funnel_loses_no_label(loop: Loop) -> None:
    for batch in TOOLS:
        last = loop.status(batch)["funnel"]
        ended = {name: last[name] for name in ("final", "rejected")}
        assert sum(ended.values()) == sum(last.values()) == n_recorded(loop, batch)
        first = loop.first[batch]
        begun = sum(first["funnel"].values())
        assert n_recorded(loop, batch) - begun in range(len(loop.said["review adjudicate"]) * 50)
        assert first["n_done"] + first["funnel"]["pending"] >= first["n_drawn"]
    told = [one for found in loop.said["review status"] for one in found["batches"]]
    assert len(told) > 4
    assert all(one["n_done"] <= one["n_drawn"] for one in told)
    drawn = {b: [one["n_drawn"] for one in told if one["batch"] == b] for b in TOOLS}
    assert all(own == sorted(own) for own in drawn.values())


@pytest.mark.slow
def test_both_tools_and_the_senior_had_their_part(loop: Loop) -> None:
    forms = {one["labels"]["format"] for one in loop.said["review import"]}
    assert forms == {"cvat", "label-studio"}
    fresh = [one for one in loop.said["review adjudicate"] if one.get("n_ordered")]
    assert fresh
    decided = [one for one in loop.said["review adjudicate"] if "by_result" in one]
    assert sum(sum(one["by_result"].values()) for one in decided) > 0
    assert {one["by"] for one in decided} == {"vera@team.example"}


@pytest.mark.slow
def test_a_version_takes_what_is_final_and_names_what_it_leaves_out(loop: Loop) -> None:
    early, late = (one["version"] for one in loop.said["build"])
    left = {row["batch"]: row["reason"] for row in early["excluded"]}
    assert "not finalised" in left["vol-cvat"]
    assert set(early["counts"]["stage"]) == {"final"}
    assert set(early["counts"]["batch"]) == {"vol-ls"}
    final = {batch: loop.status(batch)["funnel"]["final"] for batch in TOOLS}
    assert late["counts"]["batch"] == final
    assert not {row["batch"] for row in late["excluded"]} & set(TOOLS)


@pytest.mark.slow
def test_the_labels_are_better_than_they_came(loop: Loop) -> None:
    world = from_params(load_params(loop.root).simulate)
    query = (
        "SELECT asset, class, x_min, y_min, x_max, y_max FROM {} WHERE batch = 'vol-cvat' AND {}"
    )
    came = loop.sql(query.format("revisions", "operation = 'add' AND origin <> 'adjudicated'"))
    stands = loop.sql(query.format("labels", "1 = 1"))
    assert wrong(world, stands) < 0.6 * wrong(world, came)
