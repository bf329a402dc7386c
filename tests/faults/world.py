"""A small real project: a dozen activities of every kind, two people, a version, Git and DVC behind it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

from lineage.cli import main
from lineage.labelschema import dumps
from tests.exports import annotation, label_studio, region

PEOPLE = ("alice@team.example", "bruno@team.example", "chiara@team.example")
CLASSES = ("car", "dog", "tree")
N_IMAGES = 40
PIPELINE = """
stages:
  ingest:
    cmd: lineage ingest
    outs:
      - ledger/segments: {persist: true}
  build:
    cmd: lineage build
    outs:
      - data/dataset
"""


def export(
    path: Path,
    *,
    seed: int,
    n_images: int = N_IMAGES,
    moved: float = 0.0,
    people: tuple[str, ...] = PEOPLE,
    prefix: str = "",
) -> Path:
    """Write a Label Studio export; of a seed always the same, save the labels that moved or went.

    Parameters
    ----------
    path
        Where.
    seed
        Of the labels.
    n_images
        Tasks; all seeds share their images, unless told apart by ``prefix``.
    moved
        Fraction of the labels that are not as they were drawn first; a third of them vanished.
    people
        The first two labelled.
    prefix
        Of the images' names.
    """
    draw, edit = random.Random(seed), random.Random(seed + 1)
    tasks = []
    for image in range(n_images):
        rows = []
        for k in range(draw.randint(2, 5)):
            x, y = draw.uniform(1, 70), draw.uniform(1, 70)
            w, h, class_ = draw.uniform(5, 25), draw.uniform(5, 25), draw.choice(CLASSES)
            if edit.random() < moved:
                if edit.random() < 0.33:
                    continue
                x += 1.5
            rows.append(region(f"r{seed}-{image}-{k}", class_, x, y, w, h))
        person = {"id": image % 2 + 1, "email": people[image % 2]}
        tasks.append((f"{prefix}{image:03d}.png", [annotation(1000 * seed + image, person, rows)]))
    return label_studio(path, tasks)


def run(root: Path, *words: str) -> int:
    """Run a command in this process, silently, and return its exit code."""
    with Path(os.devnull).open("w") as nowhere:
        out, sys.stdout = sys.stdout, nowhere
        try:
            return main(["-C", str(root), *words])
        finally:
            sys.stdout = out


def done(root: Path, *words: str) -> None:
    """Run a command that must succeed."""
    code = run(root, *words)
    assert code == 0, f"lineage {' '.join(words)}: exit {code}"


def git(root: Path, *words: str) -> str:
    """Run Git."""
    command = ["git", "-C", str(root), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def lay_out(root: Path) -> Path:
    """Make an empty project with exports in its inbox, and a locked schema."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.name", "Tess")
    git(root, "config", "user.email", "tess@team.example")
    done(root, "init", "--name", "faults")
    rules = {"kinds": ["box"], "attributes": {"type": "object"}}
    document = {"name": "things", "version": "1.0", "classes": dict.fromkeys(CLASSES, rules)}
    (root / "things.json").write_text(dumps(document))
    (root / "things2.json").write_text(dumps({**document, "version": "2.0"}))
    done(root, "schema", "add", str(root / "things.json"))
    done(root, "schema", "lock", "things@1.0")
    return root


def build(root: Path) -> Path:
    """Make the project and live in it: imports, corrections, gold, a review, a version."""
    lay_out(root)
    inbox = root / "inbox"
    for tag, seed in (("b1", 1), ("b2", 2)):
        done(root, "batch", "create", tag, "--task", "detection", "--schema", "things@1.0")
        done(root, "import", str(export(inbox / f"{tag}.json", seed=seed)), "--batch", tag)
    _live(root, inbox)
    return root


def build_small(root: Path) -> Path:
    """Make a project with one batch that was imported, and its next export in the inbox."""
    lay_out(root)
    inbox = root / "inbox"
    done(root, "batch", "create", "b1", "--task", "detection", "--schema", "things@1.0")
    done(root, "import", str(export(inbox / "b1.json", seed=1)), "--batch", "b1")
    export(inbox / "b1-newest.json", seed=1, moved=0.5)
    return root


def _live(root: Path, inbox: Path) -> None:
    newer = export(inbox / "b1-newer.json", seed=1, moved=0.2)
    done(root, "import", str(newer), "--batch", "b1", "--whole")
    done(root, "gold", "add", "--batch", "b2", "--class", "dog")
    done(root, "build", "--tag", "first")
    done(root, "review", "draw", "--batch", "b2", "--for", PEOPLE[2], "--floor", "10")
    export(inbox / "b1-newest.json", seed=1, moved=0.5)
    export(inbox / "b3.json", seed=3, people=(PEOPLE[0], "eve@team.example"))


def commit(root: Path, *, amend: bool = False) -> None:
    """Hand the project's state to DVC and Git, and let a remote know, unless the newest commit is changed."""
    tools = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    # the outs that a project has; nothing here is made by its pipeline
    (root / "dvc.yaml").write_text(PIPELINE)
    for command in (
        (tools / "dvc", "config", "cache.type", "copy"),
        (tools / "dvc", "commit", "-q", "--force"),
    ):
        subprocess.run(command, cwd=root, check=True, env=environment, capture_output=True)
    git(root, "add", "-A")
    if amend:
        git(root, "commit", "-q", "--amend", "--allow-empty", "-m", "as it stands")
        return
    git(root, "commit", "-qm", "as it stands")
    remote = root.parent / f"{root.name}.git"
    if not remote.exists():
        git(root, "init", "-q", "--bare", str(remote))
        git(root, "remote", "add", "origin", str(remote))
    # a copy of the project has a copy of the remote
    git(root, "remote", "set-url", "origin", str(remote))
    git(root, "push", "-q", "origin", "main")
