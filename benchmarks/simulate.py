"""Labels of a simulated world, beside reading the same files back with the standard parser.

    python benchmarks/simulate.py [N_IMAGES]

The world is drawn without pixels; the peer parses every Label Studio export that came out with
`json.loads`, which is the least that whoever uses the world must do. 2,000,000 images are a
matter of minutes when 1,000,000 labels take seconds.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    n_images = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    folder = Path(tempfile.mkdtemp(prefix="lineage-bench-"))
    try:
        subprocess.run(
            [sys.executable, "-m", "lineage", "-C", folder, "--quiet", "init"], check=True
        )
        params = yaml.safe_load((folder / "params.yaml").read_text()) or {}
        params["simulate"] = yaml.safe_load((ROOT / "params.yaml").read_text())["simulate"]
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        command = [sys.executable, "-m", "lineage", "-C", folder, "simulate", "--no-pixels"]
        started = time.perf_counter()
        subprocess.run([*command, "--images", str(n_images)], check=True, stdout=subprocess.DEVNULL)
        ours = time.perf_counter() - started
        started = time.perf_counter()
        exports = sorted(folder.rglob("*.json"))
        n_bytes = sum(len(json.dumps(json.loads(p.read_bytes()))) for p in exports)
        peer = time.perf_counter() - started
        print(f"{n_images:,} images in {ours:.1f} s; 2,000,000 in {ours * 2e6 / n_images:.0f} s")
        print(
            f"json.loads and dumps of its {n_bytes / 1e6:.0f} MB of JSON: {peer:.1f} s; ratio {ours / peer:.1f}"
        )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
