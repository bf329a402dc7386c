"""Making a directory a project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from lineage import vcs
from lineage.activities.context import CONFIG
from lineage.errors import BadInput, Refused
from lineage.segments import Ledger
from lineage.settings import ProjectSettings, dump_project, is_safe_name

_IGNORED = {
    ".lineage/.gitignore": "*\n!.gitignore\n!config.toml\n",
    "ledger/.gitignore": "/.pending\n/segments\n",
    # what goes to annotators is written again from the record whenever it is asked for
    "outbox/.gitignore": "*\n!.gitignore\n",
}
_FOLDERS = ("inbox", "schemas")


@dataclass(frozen=True, slots=True)
class InitReport:
    """What was written, and what stood there already."""

    root: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]


def init(root: Path, *, name: str | None = None) -> InitReport:
    """Make ``root`` a project: settings, pipeline, Git and DVC. What exists is kept as it is.

    Parameters
    ----------
    root
        An existing directory.
    name
        Name of the log; the directory's name by default.

    Raises
    ------
    BadInput
        ``project-name``.
    Refused
        ``init-exists``: ``root`` has a pipeline or parameters of its own; the text to add is in the message.
    """
    title = name or root.resolve().name
    if not is_safe_name(title):
        raise BadInput(
            "project-name",
            f"{title!r} is no name for a project, expected letters, digits and . _ - only",
            hint="lineage init --name NAME",
        )
    files = _files(title)
    _refuse_foreign(root, files)
    if not vcs.is_git(root):
        vcs.init_git(root)
    written, kept = [], []
    for relative, text in files.items():
        path = root / relative
        if path.exists():
            kept.append(relative)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        written.append(relative)
    for folder in _FOLDERS:
        (root / folder).mkdir(exist_ok=True)
    Ledger(root / "ledger").create()
    vcs.init_dvc(root)
    return InitReport(root, tuple(written), tuple(kept))


def template(name: str) -> str:
    """Return one of the files that `init` writes."""
    return resources.files("lineage").joinpath(f"data/templates/{name}").read_text("utf-8")


def _files(title: str) -> Mapping[str, str]:
    return {
        CONFIG.as_posix(): dump_project(ProjectSettings(title)),
        **_IGNORED,
        "dvc.yaml": template("dvc.yaml"),
        "params.yaml": template("params.yaml"),
    }


def _refuse_foreign(root: Path, files: Mapping[str, str]) -> None:
    if (root / CONFIG).exists():
        return
    foreign = [name for name in ("dvc.yaml", "params.yaml") if (root / name).exists()]
    if foreign:
        texts = "\n".join(f"--- add to {name}:\n{files[name]}" for name in foreign)
        raise Refused(
            "init-exists",
            f"{' and '.join(foreign)} stand here already and are not ours to change",
            hint=f'add this by hand, then create {CONFIG} with: origin = "NAME"\n{texts}',
        )
