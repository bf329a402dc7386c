"""Proofs and the audit of the log at size: a log of many activities, and a part of many labels.

Run: ``python benchmarks/proofs.py [ACTIVITIES] [LABELS]`` (10,000 and 1,000,000). Beside it stands
the floor: SHA-256 once over each row's canonical bytes, which any proof has to compute.
"""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage.activities import audit_log, project
from lineage.activities.context import Project, locate
from lineage.activities.prove import prove
from lineage.columns import REVISIONS
from lineage.identity import MerkleAccumulator, canonical_json, canonical_rows, log_leaf
from lineage.segments import Checkpoint, Ledger, Part, SegmentWriter, header_name

_CHUNK = 65_536


@contextmanager
def told(what: str) -> Iterator[None]:
    """Print what a block took."""
    start = time.perf_counter()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{what:52} {time.perf_counter() - start:8.2f} s   peak {peak} MB so far", flush=True)


def rows_of(seq: int, first: int, n: int) -> pa.RecordBatch:
    """Return labels with boxes of their own."""
    number = np.arange(first, first + n)
    constant = {
        "operation": "add",
        "identity": "new",
        "annotator": "a-x",
        "class": "car",
        "kind": "box",
        "attributes": "{}",
        "stage": "submitted",
        "schema": "street@1.0",
        "batch": "b1",
        "origin": "human",
    }
    values: dict[str, pa.Array] = {"revision": number, "annotation": number, "asset": number // 10}
    values["seq"] = np.full(n, seq)
    for at, name in enumerate(("x_min", "y_min", "x_max", "y_max")):
        values[name] = number * 0.37 % 900 + 20.0 * (at > 1)
    columns = []
    for field in REVISIONS:
        if field.name in constant:
            columns.append(
                pa.array([constant[field.name]] * n).dictionary_encode().cast(field.type)
            )
        elif field.name in values:
            columns.append(pa.array(values[field.name], field.type))
        else:
            columns.append(pa.nulls(n, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=REVISIONS)


def part_of(ledger: Ledger, seq: int, n_labels: int) -> Part:
    """Write one part of so many labels."""
    writer = SegmentWriter(ledger, seq)
    for first in range(1, n_labels + 1, _CHUNK):
        writer.append("revisions", rows_of(seq, first, min(_CHUNK, n_labels + 1 - first)))
    (part,) = writer.close()
    ledger.publish(seq)
    return part


def filled(root: Path, n_activities: int, n_labels: int) -> Project:
    """Make a project whose log is so long, and whose middle activity is so large."""
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    project.init(root, name="bench")
    found = locate(root)
    ledger, tree = found.ledger, MerkleAccumulator()
    ledger.create()
    for seq in range(1, n_activities + 1):
        part = part_of(ledger, seq, n_labels) if seq == n_activities // 2 else None
        header = {
            **{"seq": seq, "activity": f"{seq:012x}", "kind": "import", "agent": "a-x"},
            **{"at": "2026-01-01T00:00:00+00:00", "code_version": "0", "batch": "b1"},
            **{"parameters": {"path": "x" * 200}, "sources": [], "version": 3, "outcome": {}},
            **{"entities": {}, "first_revision": 1 if part else None},
            **{"n_revisions": part.n_rows if part else 0, "previous_root": tree.root().hex()},
            "parts": [] if part is None else [{n: getattr(part, n) for n in Part.__slots__}],
        }
        (ledger.segments / header_name(seq)).write_bytes(canonical_json(header) + b"\n")
        tree.extend([log_leaf(header)])
    ledger.write_checkpoint(Checkpoint("bench", n_activities, tree.root().hex()))
    return found


def main() -> None:
    """Measure."""
    n_activities, n_labels = (*map(int, sys.argv[1:3]), *(10_000, 1_000_000)[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory() as folder:
        with told(f"written: {n_activities:,} activities, {n_labels:,} labels"):
            found = filled(Path(folder), n_activities, n_labels)
        with told("the log's audit"):
            findings, _ = audit_log.findings(found)
        print(f"{'':52} {len(findings)} findings")
        with told("a proof of one label"):
            proof = prove(found, n_labels // 3)
        path = Path(folder) / "proof.json"
        path.write_text(json.dumps(proof))
        with told(f"its check by docs/verify_proof.py ({path.stat().st_size:,} bytes)"):
            script = Path(__file__).parent.parent / "docs" / "verify_proof.py"
            subprocess.run([sys.executable, "-I", script, path], check=True, capture_output=True)
        with told("floor: canonical bytes and one SHA-256 a label"):
            for first in range(1, n_labels + 1, _CHUNK):
                n = min(_CHUNK, n_labels + 1 - first)
                rows = canonical_rows(rows_of(1, first, n), "lineage:revisions:1")
                for row in rows.to_pylist():
                    hashlib.sha256(row).digest()


if __name__ == "__main__":
    main()
