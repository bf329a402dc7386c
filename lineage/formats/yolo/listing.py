"""Which files of a YOLO folder are labels, which images they are of, and which images have none."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from lineage.errors import BadInput
from lineage.formats.names import is_image
from lineage.formats.yolo.declare import (
    NAMES_FILES,
    Declared,
    is_inside,
    lines,
    listed_names,
    within,
)
from lineage.formats.yolo.naming import SPLITS, cleaned, is_label_path, label_path, names, order

_NO_LABELS = frozenset({"classes.txt", "notes.txt", "requirements.txt"})
_LISTS = frozenset(f"{split}.txt" for split in SPLITS)


@dataclass(slots=True)
class Listing:
    """A folder's files, as paths within it.

    Parameters
    ----------
    labels
        Label files, in walking order.
    image_of
        Per label file its image, where one is known.
    rivals
        Label files that several images claim.
    bare
        Images without a label file, in walking order.
    unlisted
        Images that only our side file names: they left without a label file on purpose.
    climbing
        Lines of lists that lead out of the folder: list, index of the line, text.
    losses, notes
        What was passed over, and what was taken for granted.
    """

    labels: list[str] = field(default_factory=list)
    image_of: dict[str, str] = field(default_factory=dict)
    rivals: set[str] = field(default_factory=set)
    bare: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    climbing: list[tuple[str, int, str]] = field(default_factory=list)
    losses: Counter[str] = field(default_factory=Counter)
    notes: dict[str, str] = field(default_factory=dict)


def listed(declared: Declared, recorded: Sequence[str] = ()) -> Listing:
    """Return the label files and images of a declared folder.

    Parameters
    ----------
    declared
        The folder.
    recorded
        Images that our own side file names; those without a label file are ``unlisted``.

    Raises
    ------
    BadInput
        ``wrong-shape``: there is neither a label file nor an image; ``not-utf8``: a list is not.

    Notes
    -----
    All that lies in the folder is read, also what no split declares, unless the caller named the
    declaring file. Links are followed as far as they stay in the folder; hidden files are not
    looked at.
    """
    found = Listing()
    texts, images, others = _files(declared.root, found)
    _hold_together(declared, others)
    lists, prefixes = _splits(declared, found)
    texts = [path for path in texts if path not in lists]
    told = _told(declared, lists, {*texts, *images}, found)
    partners = {label_path(image) for image in told}
    chosen = _labels(texts, partners, found)
    if declared.is_chosen and (prefixes or lists):
        chosen = [path for path in chosen if path in partners or _is_below(path, prefixes)]
        images = [path for path in images if _is_below(label_path(path), prefixes)]
    if declared.only is not None:
        chosen, told = (
            [declared.only],
            [image for image in told if label_path(image) == declared.only],
        )
    found.labels = chosen
    _pair(found, told, images, is_single=declared.only is not None)
    _recall(found, recorded, is_whole=declared.only is None and not declared.is_chosen)
    if not (found.labels or found.bare or found.unlisted):
        raise BadInput(
            "wrong-shape",
            "found neither a label file nor a list of images",
            hint="labels lie in labels/, or beside the images; check --format",
            where=str(declared.root),
        )
    return found


def shared_names(listing: Listing, splits: frozenset[str]) -> frozenset[int]:
    """Return the hashes of names, short or full, that several images would have."""
    labelled = (listing.image_of.get(path, path.removesuffix(".txt")) for path in listing.labels)
    short, full = array("q"), array("q")
    for path in chain(labelled, listing.bare, listing.unlisted):
        without_split, with_split, _ = names(path, splits)
        short.append(hash(without_split))
        full.append(hash(with_split))
    shared: set[int] = set()
    for hashes in (short, full):
        values, counts = np.unique(np.frombuffer(hashes, np.int64), return_counts=True)
        shared.update(values[counts > 1].tolist())
    return frozenset(shared)


def _files(root: Path, found: Listing) -> tuple[list[str], list[str], list[str]]:
    """Return texts, images, and files that name classes."""
    texts: list[str] = []
    images: list[str] = []
    names_files: list[str] = []
    for path in _walk(root, found):
        if path.rpartition("/")[2] in NAMES_FILES:
            names_files.append(path)
        if path.endswith(".txt"):
            texts.append(path)
        elif is_image(path):
            images.append(path)
    return texts, images, names_files


def _hold_together(declared: Declared, others: Sequence[str]) -> None:
    """Refuse a folder of several sets: the number of a class means another class in each."""
    for path in others:
        if declared.only is None and listed_names(declared.root / path) != declared.classes:
            raise BadInput(
                "wrong-shape",
                f"{declared.source} and {path} name different classes, expected one set a folder",
                hint="import each folder by itself, or remove the one that does not hold",
                where=str(declared.root),
            )


def _walk(root: Path, found: Listing) -> Iterator[str]:
    stack = [_entries(root, "")]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
            continue
        path, is_folder, is_link = entry
        if not path.isascii() and not _is_text(path):
            found.losses["file-name"] += 1
        elif is_link and (is_folder or not _may_follow(root, path)):
            found.losses["link"] += 1
        elif is_folder:
            stack.append(_entries(root, f"{path}/"))
        else:
            yield path


def _entries(root: Path, prefix: str) -> Iterator[tuple[str, bool, bool]]:
    with os.scandir(f"{root}/{prefix}") as entries:
        visible = [e for e in entries if not e.name.startswith((".", "__MACOSX"))]
    for entry in sorted(visible, key=lambda e: e.name):
        is_folder = entry.is_dir()
        if is_folder or entry.is_file():
            yield prefix + entry.name, is_folder, entry.is_symlink()


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _may_follow(root: Path, path: str) -> bool:
    # of an image only the header is read, and people link theirs into place
    return is_image(path) or is_inside(root, path)


def _splits(declared: Declared, found: Listing) -> tuple[dict[str, str], list[str]]:
    """Return the lists of images with their splits, and the folders of labels, that are declared."""
    lists: dict[str, str] = {}
    prefixes: list[str] = []
    for split, told in declared.splits.items():
        for one in told:
            path = within(declared.root, one)
            if path is None:
                path = _labels_of(declared.root, one)
            if not cleaned(one):
                prefixes.append("")
            elif path is None:
                found.notes[f"split-{split}"] = f"{one} is not in the folder"
            elif (declared.root / path).is_dir():
                prefixes.append(label_path(f"{path}/x.x").removesuffix("x.txt"))
            else:
                lists[path] = split
    return lists, prefixes


def _labels_of(root: Path, told: str) -> str | None:
    """Return a declared folder of images of which only the labels are there."""
    parts = cleaned(told)
    for at in range(len(parts)):
        path = "/".join(parts[at:])
        labels = label_path(f"{path}/x.x").removesuffix("/x.txt")
        if labels != path and (root / labels).is_dir():
            return labels
    return None


def _is_below(path: str, prefixes: list[str]) -> bool:
    return any(path.startswith(prefix) for prefix in prefixes)


def _told(declared: Declared, lists: dict[str, str], files: set[str], found: Listing) -> list[str]:
    """Return the images that lists name, each once, as they lie in the folder."""
    told: dict[str, None] = {}
    for path in lists:
        folder = path.rpartition("/")[0]
        for number, line in enumerate(lines(declared.root / path)):
            if not line:
                continue
            image = _placed(line, folder, files)
            if image is None:
                found.climbing.append((path, number, line))
            elif image in told:
                found.losses["listed-twice"] += 1
            else:
                told[image] = None
    return list(told)


def _placed(line: str, folder: str, files: set[str]) -> str | None:
    """Return where a listed image lies, by the end of its path; as told if nothing lies there."""
    parts = cleaned(line)
    beside = [folder, *parts] if folder else parts
    for path in ("/".join(beside), *("/".join(parts[at:]) for at in range(len(parts)))):
        if path in files or label_path(path) in files:
            return path
    is_climbing = ".." in line.replace("\\", "/").split("/")
    return None if is_climbing or not parts else "/".join(parts)


def _labels(texts: list[str], partners: set[str], found: Listing) -> list[str]:
    has_folder = any(map(is_label_path, texts))
    chosen = [
        path for path in texts if path in partners or (is_label_path(path) if has_folder else True)
    ]
    chosen = [path for path in chosen if path in partners or not _is_about(path)]
    n_others = sum(not _is_declaration(path) for path in {*texts}.difference(chosen))
    if n_others:
        found.notes["other-texts"] = f"{n_others:,} text files are no label files by name or place"
    return chosen


def _is_declaration(path: str) -> bool:
    return path.rpartition("/")[2] in NAMES_FILES


def _is_about(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name in _NO_LABELS or name in _LISTS or name.startswith(("readme", "license"))


def _pair(found: Listing, told: list[str], images: list[str], *, is_single: bool) -> None:
    labels = set(found.labels)
    folders = {path.rpartition("/")[0] for path in labels}
    bare: set[str] = set()
    for image in told:
        label = label_path(image)
        if label not in labels:
            bare.add(image)
        elif found.image_of.setdefault(label, image) != image:
            found.rivals.add(label)
    is_told = set(found.image_of)
    for image in images:
        label = label_path(image)
        if label in is_told:
            continue
        if label in labels:
            if found.image_of.setdefault(label, image) != image:
                found.rivals.add(label)
        elif "/images/" in f"/{image}" or label.rpartition("/")[0] in folders:
            bare.add(image)
    for image in images:
        # the trainer would not find them, but there is no doubt whose labels they are
        label = f"{image.rpartition('.')[0]}.txt"
        if label in labels and found.image_of.setdefault(label, image) == image:
            bare.discard(image)
    found.bare = [] if is_single else sorted(bare, key=order)


def _recall(found: Listing, recorded: Sequence[str], *, is_whole: bool) -> None:
    known = {*found.labels, *map(label_path, found.bare)}
    for image in recorded:
        label = label_path(image)
        if label not in known and is_whole:
            found.unlisted.append(image)
        elif label in found.rivals:
            # several images claim the file, and we know whose we wrote
            found.rivals.discard(label)
            found.image_of[label] = image
        elif label in known:
            found.image_of.setdefault(label, image)
