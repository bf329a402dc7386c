"""Start-up of the command, beside a bare interpreter: `lineage --help` against `python -c pass`.

    python benchmarks/start_up.py [N_RUNS]

Aim: under 150 ms more than the interpreter. Runs alternate, so that a busy machine hits both alike.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "lineage --help": [sys.executable, "-m", "lineage", "--help"],
}


def main() -> None:
    n_runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(n_runs):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - started)
    bare, ours = (statistics.median(seconds[name]) for name in COMMANDS)
    print(f"python -c pass {bare * 1e3:6.0f} ms")
    print(f"lineage --help {ours * 1e3:6.0f} ms, {(ours - bare) * 1e3:.0f} ms more (aim: < 150 ms)")
    print(f"ratio {ours / bare:.1f}")


if __name__ == "__main__":
    main()
