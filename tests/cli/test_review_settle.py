"""`review adjudicate`, `finalize` and `gate` on the command line: what a person sees, and what a script gets."""

from __future__ import annotations

import json
from pathlib import Path

from lineage.activities.context import Project
from tests.activities.reviewed import Said, World, flipped, mail
from tests.cli.conftest import Run
from tests.cli.test_json import differences, documented, parse

FIRST = "i0000.png"


def shown(run: Run, world: World, *words: str, code: int = 0) -> str:
    ran = run(world.project.root, *words)
    assert ran.code == code, ran.out + ran.err
    return ran.out + ran.err


def test_a_batch_on_its_way_to_final(run: Run, project: Project, tmp_path: Path) -> None:
    world = World(project, tmp_path, 8, n_each=3)
    world.label({"p1": 0.0})
    world.introduce(["r1", "f1", "f2", "senior"])
    assert "nothing was drawn" in shown(run, world, "review", "gate")
    world.draw(["r1"])

    def says(person: str, said: Said) -> Said:
        if said is not world.truth[FIRST]:
            return said
        _, x, y = said[0]
        return [*{"r1": flipped(said)[:1], "f1": [("bus", x, y)], "f2": []}[person], *said[1:]]

    world.answer(says)
    ask = ("review", "adjudicate", "--batch", "b1")
    assert "1 want one more opinion of somebody new: --for NAME" in shown(run, world, *ask)
    for person in ("f1", "f2"):
        told = shown(run, world, *ask, "--for", mail(person))
        assert "one more opinion: 1 asked for now" in told
        assert f"images for {mail(person)}" in told
        world.answer(says)
    told = shown(run, world, *ask, "--to", "cvat")
    assert "for a senior: 1 asked now, 0 asked before; 1 ambiguous" in told
    [sheet] = (project.root / "outbox").glob("senior-*/decisions.csv")
    assert str(sheet) in told
    assert list(sheet.parent.glob("pictures/*.svg"))
    text = sheet.read_text().rstrip("\n")
    sheet.write_text(text[: -len(",")] + "unsure,\n" if text.endswith(",,") else text)
    decide = (*ask, "--decisions", str(sheet))
    assert "[usage]" in shown(run, world, *decide, code=2)
    assert "[decisions-own]" in shown(run, world, *decide, "--by", mail("r1"), code=3)
    assert "1 unsure: they stay open" in shown(run, world, *decide, "--by", mail("senior"))
    sheet.write_text(sheet.read_text().replace("unsure", "both wrong"))
    ran = run(world.project.root, "--json", *decide, "--by", mail("senior"))
    row = (Path(__file__).parents[2] / "docs" / "json.md").read_text("utf-8")
    shape = parse(row.split("(with `--decisions`: `")[1].split("`)")[0])
    assert list(differences(shape, ran.json)) == []
    assert (ran.json["by"], ran.json["by_result"]["rejected"]) == (mail("senior"), 1)
    assert "1 came late" in shown(run, world, *decide, "--by", mail("senior"))
    assert "nothing of b1 is contested" in shown(run, world, *ask)

    done = ("review", "finalize", "--batch", "b1")
    told = shown(run, world, *done, "--dry-run")
    assert "would become final" in told
    assert mail("p1") in told
    assert "a-" in shown(run, world, *done, "--dry-run", "--pseudonyms")
    told = shown(run, world, *done, "--for", mail("f1"), "--for", mail("f2"))
    assert "error " in told
    report = json.loads(run(world.project.root, "--json", "review", "gate").out)
    assert list(differences(documented()["review gate"], report)) == []
    assert json.loads((project.root / "reports" / "review.json").read_text())["batches"]
    assert "@" not in (project.root / "reports" / "review.json").read_text().replace("@1.0", "")
