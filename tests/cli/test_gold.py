"""``lineage gold`` as it is typed: what it says, and with which exit code it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

PEDESTRIANS = ("--class", "pedestrian", "--schema", "street@2.0")


@pytest.mark.slow
def test_from_declaring_to_dropping(run: Run, world: Path) -> None:
    def said(*words: str, code: int = 0) -> str:
        ran = run(world, "gold", *words)
        assert ran.code == code, ran.out + ran.err
        return ran.out + ran.err

    # the world's own gold is out of the way
    assert "gold no more" in said("drop", "--batch", "gold", "--reason", "hana draws better")
    chosen = ("--annotator", "hana", "--schema", "street@2.0")
    edge = ("--edge-case-from", "occluded:partially=partially_occluded")
    assert "no edge case 'partially_occluded'" in said(
        "add", *chosen, "--class", "car", "--edge-case", "partially_occluded", code=3
    )
    assert "would be gold" in said("add", *chosen, "--dry-run")
    assert "labels gold, 0 unchanged" in said("add", *chosen)
    assert "0 labels gold" in said("add", *chosen)
    assert "partially_occluded" in said("add", *chosen, "--class", "pedestrian", *edge)
    listed = said("list")
    assert "corrected since" in listed
    assert "partially_occluded" in listed
    assert "images/scene-" in said("list", "--labels", "--class", "dog")
    told = said("coverage", "--schema", "street@2.0")
    assert "walking_a_bicycle" in told
    assert "missing, at 1 gold label each" in told
    assert said("coverage", "--schema", "street@2.0", "--require", code=1) == told
    score = said("score")
    for word in ("by annotator", "decision", "by class of gold", "by edge case", "taken for"):
        assert word in score
    assert "hana" not in score
    assert "goran" in score
    assert "a-" in said("score", "--pseudonyms")
    drawn = said("draw", "--batch", "w02-ls", "--for", "erin", "--images", "4")
    assert "wrote" in drawn
    [file] = (world / "outbox").glob("*/*.txt")
    assert len(file.read_text().split()) == 4
    assert "gold no more" in said("drop", *chosen[:2], "--reason", "hana drew what she saw")
    assert "no gold yet" in said("list")
    assert "nobody to score" in said("score")


@pytest.mark.parametrize(
    ("words", "code", "slug"),
    [
        (["add"], 2, "usage"),
        (["add", "--class", "zebra"], 3, "gold-none-chosen"),
        (["add", "--annotation", "99999999"], 3, "no-annotation"),
        (["add", *PEDESTRIANS, "--edge-case", "upside_down"], 3, "gold-edge-case"),
        (["add", *PEDESTRIANS, "--edge-case-from", "occluded"], 2, "usage"),
        (["add", *PEDESTRIANS, "--under", "street@9.0"], 3, "no-schema"),
        (["drop", "--class", "zebra"], 3, "gold-none-chosen"),
        (["drop"], 2, "usage"),
        (["list", "--as-of", "99999"], 3, "as-of-future"),
        (["coverage", "--schema", "street"], 3, "schema-ref"),
        (["score", "--week", "soon"], 3, "week-unreadable"),
        (["draw", "--batch", "nowhere", "--for", "erin"], 3, "no-batch"),
        (["draw", "--batch", "w01-ls"], 2, "usage"),
    ],
)
def test_failures_name_what_is_wrong(
    run: Run, built_world: Path, words: list[str], code: int, slug: str
) -> None:
    ran = run(built_world, "--json", "gold", *words)
    assert (ran.code, ran.json["error"]["slug"]) == (code, slug)
