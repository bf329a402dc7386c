"""Ways to falsify a project, many times each: whether an audit finds it and names the first bad label.

    python benchmarks/tampering.py [TRIES [PART_OF_A_KIND]]

The world is `tests/faults/world.py`: small, real, in DVC and Git; the ways, with what each holds
for the truth, are `tests/faults/tampering.py`. A try is seeded by its kind and number. ``noted`` counts
tries of which an audit says something, and finds nothing wrong. ``void`` counts draws that changed
nothing (a byte of the store that no row uses, a row that cannot be added); another is drawn instead.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.faults import crash, tampering


def main() -> None:
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    part = sys.argv[2] if len(sys.argv) > 2 else ""
    crash.warm_up()
    print(
        f"{'kind':54}{'tries':>6}{'found':>6}{'noted':>6}{'labels':>7}{'named':>6}{'void':>5}  found as"
    )
    sums = [0, 0, 0, 0, 0]
    with tempfile.TemporaryDirectory(prefix="lineage-bench-") as folder:
        root = crash.in_child(lambda: tampering.prepare(Path(folder) / "base"))
        if not isinstance(root, Path):
            raise SystemExit(str(root))
        for kind in tampering.KINDS:
            if part not in kind:
                continue
            row = tampering.tamper(root, Path(folder), kind, tries=tries)
            counts = (row.tries, row.found, row.noted, row.labels, row.named)
            sums = [a + b for a, b in zip(sums, counts, strict=True)]
            told = ", ".join(name for name, _ in row.kinds.most_common(4))
            numbers = "".join(f"{n:>{w}}" for n, w in zip(counts, (6, 6, 6, 7, 6), strict=True))
            print(f"{kind:54}{numbers}{row.void:>5}  {told}", flush=True)
            for missed in row.missed[:3]:
                print(f"    {missed[:300]}")
    print(f"{sums[1]} of {sums[0]} found, {sums[2]} more told in a note")
    print(f"{sums[4]} of {sums[3]} first bad labels named right")


if __name__ == "__main__":
    main()
