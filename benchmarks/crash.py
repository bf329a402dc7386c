"""Commands that are killed at every step: what is lost, what is half-written, what is left over.

    python benchmarks/crash.py [KILLS [STRIDE [PART_OF_A_COMMAND]]]

A step is a call through which bytes, names or commits reach the disk (`tests/faults/crash.py`);
each is tried before it and after it, a sync also with half of the file's bytes on the disk; of these
points every STRIDE-th. Then the real command line is killed from outside, KILLS times at random
moments; ``points`` counts those that hit it before it had ended. ``lost`` commits, states
``half``-written, ``orphans`` (in the ledger after the next open, elsewhere after the command was repeated),
and commands that could not be repeated to the end (``stuck``) are to be 0.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.faults import crash, world


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    stride = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    part = sys.argv[3] if len(sys.argv) > 3 else ""
    chosen = [command for command in crash.COMMANDS if part in command.name]
    print(
        f"{'command':35}{'points':>7}{'tries':>6}{'lost':>5}{'half':>5}{'orphans':>8}{'stuck':>6}"
    )
    with tempfile.TemporaryDirectory(prefix="lineage-bench-") as folder:
        scratch, template = Path(folder), Path(folder) / "template"
        crash.warm_up()
        told = crash.in_child(lambda: world.build(template))
        if told != template:
            raise SystemExit(str(told))
        for command in chosen:
            show(crash.crash_table(template, scratch, command, stride=stride), command.name)
        for command in chosen:
            if kills:
                tally = crash.kill_table(template, scratch, command, tries=kills, seed=7)
                show(tally, f"kill -9: {command.name}")


def show(tally: crash.Tally, name: str) -> None:
    counts = (tally.points, tally.tries, tally.lost, tally.half, tally.orphans, tally.unrepeatable)
    widths = (7, 6, 5, 5, 8, 6)
    print(
        f"{name:35}" + "".join(f"{n:>{w}}" for n, w in zip(counts, widths, strict=True)), flush=True
    )
    for told in tally.faults[:5]:
        print(f"    {told[:300]}")


if __name__ == "__main__":
    main()
