"""A deep audit of a project, beside hashing the same bytes and the same rows.

    python benchmarks/audit.py [N_LABELS] [PROJECT]

The peer reads every file of `ledger/segments` through SHA-256, decodes every revision and takes its
leaf hash (`canonical_rows`, `leaf_digests`): the least that "every byte and every row" can mean. The
audit also decodes into columns, compares every row of the store and rebuilds versions. Each runs in
a process of its own; seconds are its CPU's, memory is its peak. Aim: at most 2 times the peer.
"""

from __future__ import annotations

import gc
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))


def main() -> None:
    n_labels = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    folder = Path(tempfile.mkdtemp(prefix="lineage-bench-"))
    try:
        project = Path(sys.argv[2]) if len(sys.argv) > 2 else folder / "project"
        if not project.exists():
            # in a process of its own: a child's peak begins at its parent's
            subprocess.run(
                [sys.executable, __file__, "--make", str(n_labels), str(folder)], check=True
            )
        for name in ("hash", "quick", "deep", "versions"):
            result = step(name, project)
            print(f"{name:10} {result['seconds']:7.2f} s {result['peak_mb']:7,.0f} MB")
            if name == "hash":
                floor = result["seconds"]
            elif name == "deep":
                print(f"deep / hash = {result['seconds'] / floor:.2f} (aim: <= 2)")
    finally:
        shutil.rmtree(folder)


def made(folder: Path, n_labels: int) -> None:
    from import_coco import make_project, write_export

    from lineage.activities.context import open_project
    from lineage.activities.ingest import import_labels

    export = folder / "export.json"
    write_export(export, n_labels)
    root = make_project(folder / "project")
    import_labels(open_project(root), [export], "w01")


def step(name: str, project: Path) -> dict[str, float]:
    words = [sys.executable, __file__, "--step", name, str(project)]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def run(name: str, root: Path) -> None:
    from lineage.activities.audit import audit
    from lineage.activities.context import locate

    # as the command line does
    gc.set_threshold(1_000_000, 20, 100)
    project = locate(root)
    if name == "versions":
        from lineage.activities import version
        from lineage.activities.context import open_project

        version.build(open_project(root))
    start = time.process_time()
    if name == "hash":
        hashed(root)
    else:
        found = audit(project, deep=name != "quick")
        assert found.ok, found.findings
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


def hashed(root: Path) -> None:
    from lineage.identity import canonical_rows, leaf_digests
    from lineage.segments import file_sha256, read_parquet

    for path in sorted((root / "ledger" / "segments").iterdir()):
        file_sha256(path)
        if path.suffix == ".parquet":
            table = path.name.split(".")[1]
            for batch in read_parquet(path):
                leaf_digests(canonical_rows(batch, f"lineage:{table}:1"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        made(Path(sys.argv[3]), int(sys.argv[2]))
    elif sys.argv[1:2] == ["--step"]:
        run(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
