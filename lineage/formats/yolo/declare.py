"""What a YOLO folder declares of itself: classes by number, splits, key points, task."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from lineage.errors import BadInput
from lineage.formats import TASKS
from lineage.formats.yolo.naming import SPLITS, cleaned

_YAML = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_DOCUMENTS = (".yaml", ".yml")
NAMES_FILES = ("classes.txt", "obj.names", "classes.names")
"""What a plain list of classes is called."""

_MAX_BYTES = 1 << 20
_MAX_POINTS = 10_000
_ANCESTORS = 4


@dataclass(slots=True)
class Declared:
    """What stands beside the labels.

    Parameters
    ----------
    root
        The folder.
    classes
        Names by number.
    source
        The file that says so, within the folder.
    splits
        Per split what it names: folders of images, or lists of them, as told.
    kpt_shape
        Number of key points and of numbers for each, where declared.
    task
        One of `formats.TASKS`, where declared.
    only
        Read nothing but this label file.
    is_chosen
        The caller named the declaring file, so only what it declares is meant.
    notes
        What was taken for granted.
    """

    root: Path
    classes: Mapping[int, str]
    source: str
    splits: dict[str, tuple[str, ...]] = field(default_factory=dict)
    kpt_shape: tuple[int, int] | None = None
    task: str | None = None
    only: str | None = None
    is_chosen: bool = False
    notes: dict[str, str] = field(default_factory=dict)


def declared(path: Path) -> Declared:
    """Return what a folder, a ``data.yaml``, an ``obj.data`` or a single label file stands under.

    Raises
    ------
    BadInput
        ``wrong-shape``: no file names the classes, or the one that does cannot be read;
        ``not-utf8``.
    """
    if path.is_dir():
        for folder in _homes(path):
            found = _of_folder(folder)
            if found is not None:
                return found
        raise _nameless(path)
    if path.suffix in _DOCUMENTS:
        found = _of_document(path)
        if found is None:
            raise _nameless(path)
    elif path.suffix == ".data":
        found = _of_darknet(path)
    elif path.suffix == ".txt":
        return _of_label(path)
    else:
        raise BadInput(
            "wrong-shape",
            f"found the file {path.name}, expected a folder, a data.yaml or a label file",
            hint="name the folder; check --format",
            where=str(path),
        )
    found.is_chosen = True
    return found


def within(root: Path, told: str) -> str | None:
    """Return the path within a folder that a foreign path ends in, None where there is none.

    Notes
    -----
    Where a set was made, it had another place: only the end of such a path means anything, and
    neither a root nor ``..`` is ever followed.
    """
    parts = cleaned(told)
    for at in range(len(parts)):
        ending = "/".join(parts[at:])
        if os.path.exists(f"{root}/{ending}") and is_inside(root, ending):
            return ending
    return None


def is_inside(root: Path, path: str) -> bool:
    """Tell whether a path within a folder leads to something within it, links followed."""
    real = os.path.realpath(root)
    return os.path.realpath(f"{root}/{path}").startswith(real.rstrip("/") + "/")


def text_of(path: Path) -> str:
    """Return a small text whole.

    Raises
    ------
    BadInput
        ``wrong-shape``: it is larger than anything that names classes; ``not-utf8``.
    """
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise _wrong(path, f"found {size:,} bytes, expected a list of classes")
    return "".join(_decoded(path))


def lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text, without space around them.

    Raises
    ------
    BadInput
        ``not-utf8``.
    """
    return (line.strip() for line in _decoded(path))


def _decoded(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from file
    except UnicodeDecodeError as exc:
        raise BadInput(
            "not-utf8", f"the text is not UTF-8: {exc}", hint="save it as UTF-8", where=str(path)
        ) from exc


def _homes(path: Path) -> Iterator[Path]:
    """Yield the folder itself, then the one that is all it holds."""
    yield path
    visible = [entry for entry in path.iterdir() if not entry.name.startswith((".", "__MACOSX"))]
    if len(visible) == 1 and visible[0].is_dir() and not visible[0].is_symlink():
        yield visible[0]


def _of_folder(folder: Path) -> Declared | None:
    documents = sorted(p for p in folder.iterdir() if p.suffix in _DOCUMENTS and p.is_file())
    named = [path for path in documents if path.name in _YAML] or documents
    if len(named) == 1:
        found = _of_document(named[0])
        if found is not None:
            return found
    darknet = sorted(p for p in folder.iterdir() if p.suffix == ".data" and p.is_file())
    if len(darknet) == 1:
        return _of_darknet(darknet[0])
    names = _names_file(folder)
    return (
        None if names is None else Declared(folder, listed_names(names), _relative(names, folder))
    )


def _names_file(folder: Path) -> Path | None:
    for inner in ("", "labels/"):
        for name in NAMES_FILES:
            if (folder / f"{inner}{name}").is_file() and is_inside(folder, f"{inner}{name}"):
                return folder / f"{inner}{name}"
    return None


def _of_label(path: Path) -> Declared:
    folder = path.absolute().parent
    for _ in range(_ANCESTORS):
        found = _of_folder(folder)
        if found is not None:
            found.only = _relative(path.absolute(), folder)
            return found
        folder = folder.parent
    raise _nameless(path.parent)


def _of_document(path: Path) -> Declared | None:
    """Return what a ``data.yaml`` says, None where it is about something else."""
    text = text_of(path)
    try:
        # every scalar stays text: a class may be called no, 007 or 1e3
        content = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise _wrong(path, f"the YAML cannot be read: {exc}") from exc
    names = content.get("names") if isinstance(content, dict) else None
    if names in ([], {}):
        classes: dict[int, str] = {}  # a set of nothing but negatives
    elif names:
        classes = _classes(path, names)
    else:
        beside = _names_file(path.parent)
        if beside is None or not isinstance(content, dict):
            return None
        classes = listed_names(beside)
    found = Declared(path.parent, classes, path.name)
    if content.get("nc") not in (None, str(len(classes))):
        found.notes["classes"] = f"nc is {content['nc']}, {len(classes)} names are given"
    for key, value in content.items():
        told = (value,) if isinstance(value, str) else value
        if (key in SPLITS or _is_split(value)) and isinstance(told, (list, tuple)):
            found.splits[key] = tuple(one for one in told if isinstance(one, str) and one)
    found.kpt_shape = _kpt_shape(path, content.get("kpt_shape"))
    found.task = content.get("task") if content.get("task") in TASKS[1:] else None
    return found


def _is_split(value: object) -> bool:
    return isinstance(value, str) and value.endswith(".txt")


def _classes(path: Path, names: object) -> dict[int, str]:
    pairs = list(enumerate(names)) if isinstance(names, list) else []
    if isinstance(names, dict):
        if not all(isinstance(key, str) and _is_number(key) for key in names):
            raise _wrong(
                path, f"found {list(names)[:3]} as numbers of classes, expected 0, 1, 2 ..."
            )
        pairs = [(int(key), name) for key, name in names.items()]
    if not pairs or not all(isinstance(name, str) for _, name in pairs):
        raise _wrong(
            path, f"found {str(names)[:80]!r} as names, expected a list or a mapping of texts"
        )
    return {number: name for number, name in pairs if name}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _kpt_shape(path: Path, told: object) -> tuple[int, int] | None:
    if told in (None, ""):
        return None
    shape = (
        [one for one in told if isinstance(one, str) and _is_number(one)]
        if isinstance(told, list)
        else []
    )
    if len(shape) != 2 or not 0 < int(shape[0]) <= _MAX_POINTS or shape[1] not in ("2", "3"):
        raise _wrong(path, f"found {told!r} as kpt_shape, expected [number of points, 2 or 3]")
    return int(shape[0]), int(shape[1])


def _of_darknet(path: Path) -> Declared:
    told = {}
    for line in text_of(path).split("\n"):
        key, mark, value = line.partition("=")
        if mark:
            told[key.strip()] = value.strip()
    names = within(path.parent, told["names"]) if told.get("names") else None
    beside = path.parent / names if names else _names_file(path.parent)
    if beside is None:
        raise _nameless(path)
    found = Declared(path.parent, listed_names(beside), path.name)
    found.splits = {key: (told[key],) for key in ("train", "valid", "test") if told.get(key)}
    if told.get("classes") not in (None, str(len(found.classes))):
        found.notes["classes"] = (
            f"classes is {told['classes']}, {len(found.classes)} names are given"
        )
    return found


def listed_names(path: Path) -> dict[int, str]:
    """Return the classes of a plain list, by number.

    Raises
    ------
    BadInput
        ``wrong-shape``: there is none; ``not-utf8``.
    """
    names = [line.strip() for line in text_of(path).split("\n")]
    found = {number: name for number, name in enumerate(names) if name}
    if not found:
        raise _wrong(path, "found no name, expected one a line")
    return found


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _nameless(path: Path) -> BadInput:
    return BadInput(
        "wrong-shape",
        "found no data.yaml, obj.data, classes.txt or obj.names: rows give classes by number, "
        "expected a file that names them",
        hint="put classes.txt there, one name a line in the order of their numbers; check --format",
        where=str(path),
    )


def _wrong(path: Path, told: str) -> BadInput:
    return BadInput("wrong-shape", told, hint="mend the file, or export again", where=str(path))
