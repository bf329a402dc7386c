"""Many processes that write to one project at once, on both stores, through the command line.

    python benchmarks/concurrency.py [WRITERS [IMPORTS [IMAGES]]]

Each writer imports IMPORTS files into a batch of its own and as many into one of all; the first also
freezes versions, the second draws reviews. Beside it, one process does the same alone, one command
after the other. ``busy`` counts commands that ended because others were writing; ``waited`` those
that said for whom they wait (after three seconds).
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests import postgres
from tests.faults import concurrency


def main() -> None:
    writers, imports, n_images = (
        int(word) for word in [*sys.argv[1:], *("8", "3", "40")[len(sys.argv) - 1 :]]
    )
    names = (
        "writers",
        "imports",
        "labels",
        "lost",
        "doubled",
        "busy",
        "waited",
        "wall s",
        "alone s",
    )
    print(f"{'store':12}" + "".join(f"{name:>9}" for name in names))
    with tempfile.TemporaryDirectory(prefix="lineage-bench-") as folder, ExitStack() as stack:
        server = stack.enter_context(postgres.server())
        for store in ("sqlite", "postgres"):
            urls: list[str | None] = [None, None]
            if store == "postgres":
                urls = [stack.enter_context(postgres.database(server)) for _ in urls]
            row = concurrency.measure(
                Path(folder) / store, urls, writers=writers, imports=imports, n_images=n_images
            )
            counts = (row.writers, row.imports, row.labels, row.lost, row.duplicated, row.busy)
            numbers = "".join(f"{n:>9,}" for n in (*counts, row.waited))
            print(
                f"{row.store:12}{numbers}{row.seconds:>9.1f}{row.alone_seconds:>9.1f}", flush=True
            )
            for fault in row.faults[:5]:
                print(f"    {fault[:300]}")


if __name__ == "__main__":
    main()
