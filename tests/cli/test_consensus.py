"""``lineage consensus``: the screen that a person sees, and the list that it writes."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lineage import columns
from tests.cli.conftest import Run


def test_a_run_says_what_is_settled_and_why_the_rest_is_not(run: Run, world: Path) -> None:
    out = world / "objects.csv"
    ran = run(world, "consensus", "--dry-run", "--out", str(out))
    assert ran.code == 0, ran.err
    first = ran.out.splitlines()[0]
    assert "settled" in first
    assert "nothing was written (--dry-run)" in first
    assert "for review, by reason" in ran.out
    assert "too few of those who were asked drew it" in ran.out
    assert f"wrote {out}" in ran.out
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    told = run(world, "--json", "consensus", "--dry-run").json
    assert len(rows) == told["n_units"] == told["n_settled"] + told["n_for_review"]
    assert sum(row["is_settled"] == "true" for row in rows) == told["n_settled"]
    assert sum("quorum" in row["reasons"].split(",") for row in rows) == told["by_reason"]["quorum"]


def test_a_second_run_adds_nothing_and_the_labels_leave_by_name(run: Run, world: Path) -> None:
    done = run(world, "--json", "consensus").json
    assert done["n_added"] > 0
    assert {row["activity"] is None for row in done["batches"]} == {False}
    again = run(world, "--json", "consensus").json
    assert (again["n_added"], again["n_unchanged"]) == (0, done["n_added"])
    assert {row["activity"] for row in again["batches"]} == {None}
    tag = done["batches"][0]["batch"]
    labels = run(world, "--json", "labels", "--batch", tag).json
    assert {label["annotator"] for label in labels["labels"]} == {"lineage-consensus"}
    assert {label["origin"] for label in labels["labels"]} == {"consensus"}


def test_the_list_may_be_parquet(run: Run, world: Path) -> None:
    out = world / "objects.parquet"
    assert run(world, "consensus", "--dry-run", "--out", str(out)).code == 0
    assert pq.read_schema(out).names == columns.CONSENSUS.names


@pytest.mark.parametrize(
    ("words", "code", "slug"),
    [
        (["--stage", "contested"], 2, "usage"),
        (["--iou", "40"], 2, "usage"),
        (["--batch-out", "w01-ls", "--batch", "w02-ls"], 3, "consensus-batch"),
        (["--batch", "nowhere"], 3, "no-batch"),
        (["--out", "list.txt"], 3, "table-format"),
        (["--out", "nowhere/list.csv"], 3, "no-such-file"),
    ],
)
def test_what_cannot_be_is_refused(
    run: Run, built_world: Path, words: list[str], code: int, slug: str
) -> None:
    ran = run(built_world, "--json", "consensus", *words)
    assert (ran.code, ran.json["error"]["slug"]) == (code, slug)


def test_nothing_answered_twice_says_what_to_order(run: Run, built_world: Path) -> None:
    asset = run(built_world, "--json", "labels", "--batch", "w01-ls").json["labels"][0]["asset"]
    ran = run(built_world, "consensus", "--batch", "w01-ls", "--asset", asset, "--dry-run")
    assert ran.code == 0, ran.err
    assert "order overlap" in ran.out
