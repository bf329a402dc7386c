"""`kill -9` at every step of a command: nothing committed is lost, nothing half-written is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import crash

BY_NAME = {command.name: command for command in crash.COMMANDS}


def assert_clean(tally: crash.Tally) -> None:
    counts = (tally.lost, tally.half, tally.orphans, tally.unrepeatable)
    assert counts == (0, 0, 0, 0), tally.faults
    assert tally.tries


def test_an_import_that_dies_leaves_all_or_nothing(small_fault_world: Path, tmp_path: Path) -> None:
    command = BY_NAME["import"]
    root = crash.copied(small_fault_world, tmp_path, command)
    steps, _ = crash.count_steps(root, command.words)
    assert len(steps) > 30, "the harness no longer reaches the steps"
    last_sync = len(steps) - steps[::-1].index("fsync")
    points = [(last_sync, "torn"), (len(steps) - 5, "after")]
    assert_clean(crash.crash_table(small_fault_world, tmp_path, command, points))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["import, new person", "build --tag", "version tag", "erase"])
def test_a_command_that_dies_at_any_step_can_be_repeated(
    name: str, fault_world: Path, tmp_path: Path
) -> None:
    command = BY_NAME[name]
    # an eleventh of all: both ways and torn syncs come up; benchmarks/crash.py tries more
    assert_clean(crash.crash_table(fault_world, tmp_path, command, stride=11))


@pytest.mark.slow
def test_the_real_command_killed_from_outside(fault_world: Path, tmp_path: Path) -> None:
    tally = crash.kill_table(fault_world, tmp_path, BY_NAME["import"], tries=3, seed=3)
    assert_clean(tally)
    assert tally.points, "no try was killed in time"
