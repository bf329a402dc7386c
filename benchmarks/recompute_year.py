"""A year of history, then every version of it again: from a fresh clone, without a store, byte for byte.

    python benchmarks/recompute_year.py [--weeks 52] [--images 1040] [--keep DIR]

Week after week the exports of `lineage simulate` arrive in the inbox, every third week with corrections of
the week before; `dvc repro build` imports and builds, the version is tagged, committed and pushed to a DVC
remote in a directory. In between a batch is migrated to the newer label schema, and every thirteenth week
one is reviewed. Then `git clone`, `dvc pull`, and `lineage recompute --all`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from lineage import simulate
from lineage.cli import main as lineage
from lineage.settings import dump_yaml, load_yaml

REPOSITORY = Path(__file__).resolve().parent.parent
OURS = ("params.yaml", "dvc.yaml", "schemas", ".lineage/config.toml",
        ".lineage/.gitignore", ".gitignore", ".dvc/config", ".dvc/.gitignore",
        ".dvcignore", "data/.gitignore", "ledger/.gitignore")  # fmt: skip
_MEASURED = """
import resource, sys, time
from lineage.cli import main
begin = time.monotonic()
code = main(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{time.monotonic() - begin:.2f} {peak:.0f}", file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True)
class Year:
    """What came of it; ``versions`` are the documents of `lineage recompute --all`."""

    versions: Sequence[Mapping[str, Any]]
    n_activities: int
    n_revisions: int
    build_s: float
    recompute_s: float
    peak_mb: float
    has_store: bool


def year(folder: Path, *, n_weeks: int, n_images: int) -> Year:
    """Live through the weeks below a directory, and recompute every version in a clone."""
    root, remote, clone = folder / "project", folder / "remote", folder / "clone"
    _project(root, remote)
    settings = simulate.from_params(_world(root, n_weeks=n_weeks, n_images=n_images))
    exports = folder / "exports"
    simulate.simulate(exports, settings, truth=folder / "truth.json")
    begin = time.monotonic()
    for week in range(1, n_weeks + 1):
        _week(root, exports, week)
    build_s = time.monotonic() - begin
    status = _lineage(root, "status")
    shutil.rmtree(root / ".lineage")
    run(folder, "git", "clone", "-q", str(root), str(clone))
    run(clone, "dvc", "pull", "-q", "--allow-missing")
    # the version that is checked out would be of no use, and is not there
    shutil.rmtree(clone / "data" / "dataset", ignore_errors=True)
    done = run(
        clone, sys.executable, "-c", _MEASURED, "--json", "--quiet", "recompute", "--all",
        may_fail=True,
    )  # fmt: skip
    seconds, peak = done.stderr.split()[-2:]
    return Year(
        versions=json.loads(done.stdout)["versions"],
        n_activities=status["checkpoint"]["size"],
        n_revisions=status["n_revisions"],
        build_s=build_s,
        recompute_s=float(seconds),
        peak_mb=float(peak),
        has_store=any((clone / ".lineage").glob("store*")),
    )


def run(root: Path, *words: str, may_fail: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a program with this environment's tools first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "true", "LINEAGE_AGENT": "year"}
    done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode and not may_fail:
        raise RuntimeError(f"{words}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done


def _project(root: Path, remote: Path) -> None:
    for name in OURS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, root / name)
        else:
            shutil.copy(REPOSITORY / name, root / name)
    run(root, "git", "init", "-q", "-b", "main")
    run(root, "git", "config", "user.name", "year")
    run(root, "git", "config", "user.email", "year@team.example")
    run(root, "dvc", "remote", "add", "-q", "-d", "store", str(remote))


def _world(root: Path, *, n_weeks: int, n_images: int) -> dict[str, object]:
    """Set the size of the world in params.yaml, where reviewers look it up too."""
    document = load_yaml(root / "params.yaml")
    world = dict(cast(Mapping[str, object], document["simulate"]))
    world |= {"n_weeks": n_weeks, "n_images": n_images, "draw_pixels": False}
    (root / "params.yaml").write_text(dump_yaml({**document, "simulate": world}))
    return world


def _week(root: Path, exports: Path, week: int) -> None:
    name = f"w{week:02d}"
    for path in sorted(exports.rglob(f"{name}*")) + (
        [*exports.glob("gold/*")] if week == 1 else []
    ):
        target = root / "inbox" / path.relative_to(exports)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    if week % 3 == 0:
        _correct(root / "inbox" / "label_studio", f"w{week - 1:02d}")
    _plan(root, week)
    if week == 7:
        path = root / "migration.yaml"
        path.write_text("from: street@1.0\nto: street@2.0\n")
        _lineage(root, "schema", "migrate", "street@1.0", "street@2.0", "--map", str(path))
    if week % 13 == 3:
        _review(root, f"w{week - 2:02d}-ls")
    run(root, "dvc", "repro", "-q", "build")
    version = json.loads((root / "data" / "dataset" / "manifest.json").read_bytes())["name"]
    _lineage(root, "version", "tag", version, f"week-{week:02d}")
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-qm", f"week {week}")
    run(root, "dvc", "push", "-q")


def _plan(root: Path, week: int) -> None:
    """Order the batches of the weeks so far."""
    document = load_yaml(root / "params.yaml")
    batches = document["ingest"]["batches"]  # type: ignore[index]
    gold, shape = batches[0], batches[1:3]
    kept: list[dict[str, Any]] = [gold]
    for at in range(1, week + 1):
        for order in shape:
            text = json.dumps(order).replace("w01", f"w{at:02d}")
            old = at == 5 and "cvat" in order["tag"]
            kept.append({**json.loads(text), "schema": "street@1.0" if old else "street@2.0"})
    document["ingest"] = {"batches": kept}
    (root / "params.yaml").write_text(dump_yaml(document))


def _correct(folder: Path, name: str) -> None:
    """Move, rename and take back some labels of a week's exports."""
    for path in sorted(folder.glob(f"{name}*.json")):
        tasks = json.loads(path.read_text())
        answers = [answer for task in tasks for answer in task["annotations"]]
        for at, answer in enumerate(answers):
            regions = answer["result"]
            if at % 7 == 0 and regions:
                regions[0]["value"]["x"] = round(regions[0]["value"]["x"] * 0.9, 3)
            if at % 11 == 0 and len(regions) > 2:
                del regions[-1]
        path.write_text(json.dumps(tasks))


def _review(root: Path, batch: str) -> None:
    drawn = _lineage(root, "review", "draw", "--batch", batch, "--for", "sara@senior.example",
                     "--floor", "9", "--floor-annotator", "0")  # fmt: skip
    packet = Path(_lineage(root, "review", "export", drawn["draw"])["packets"][0]["path"])
    folder = packet.parent if packet.is_absolute() else (root / packet).parent
    said = root / "inbox" / "answers" / batch
    _lineage(root, "simulate", "answer", str(folder), "--out", str(said))
    files = [str(path) for path in sorted(said.rglob("*")) if path.is_file()]
    _lineage(root, "review", "import", *files, "--batch", batch)


def _lineage(root: Path, *words: str) -> Any:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = lineage(["-C", str(root), "--json", "--quiet", *words])
    if code not in (0, 1):
        raise RuntimeError(f"{words}: {out.getvalue()[-2000:]}\n{err.getvalue()[-2000:]}")
    return json.loads(out.getvalue())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=52)
    parser.add_argument("--images", type=int, default=1040)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="lineage-year-"))
    try:
        done = year(folder, n_weeks=asked.weeks, n_images=asked.images)
    finally:
        if asked.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    same = {
        kind: sum(bool(entry["identical"][kind]) for entry in done.versions)
        for kind in ("digest", "bytes")
    }
    n_tagged = sum(
        any(re.fullmatch(r"week-\d+", tag) for tag in entry["tags"]) for entry in done.versions
    )
    print(f"weeks                 {asked.weeks}, {n_tagged} tagged versions")
    print(f"ledger                {done.n_activities} activities, {done.n_revisions:,} revisions")
    print(f"versions recomputed   {len(done.versions)}, store in the clone: {done.has_store}")
    print(f"identical digest      {same['digest']}")
    print(f"identical bytes       {same['bytes']}")
    print(f"recompute --all       {done.recompute_s:.1f} s, peak {done.peak_mb:.0f} MB")
    print(f"the year before       {done.build_s:.0f} s")


if __name__ == "__main__":
    main()
