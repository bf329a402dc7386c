"""Images on record: size and digest, joined with labels that came before them; how far they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns, vcs
from lineage.activities import position, trace
from lineage.activities.context import Project
from lineage.activities.record import Recording, recording
from lineage.errors import BadInput
from lineage.segments import file_sha256
from lineage.store import read
from lineage.terms import ActivityKind

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".jp2", ".ppm", ".pgm"}
)
_CHUNK = 10_000
_FACTS = ("width", "height", "digest", "n_bytes")


@dataclass(frozen=True, slots=True)
class AssetsReport:
    """What became of the images of a directory.

    ``n_ambiguous`` counts images left apart from labels that name the end of several images' paths.
    """

    n_images: int
    n_new: int
    n_joined: int
    n_unchanged: int
    n_from_dvc: int
    n_hashed: int
    n_ambiguous: int
    unreadable: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Image:
    name: str
    width: int
    height: int
    digest: str
    n_bytes: int
    is_from_dvc: bool


def add(project: Project, folder: Path, *, prefix: str = "") -> AssetsReport:
    """Register the images below a directory.

    Parameters
    ----------
    project
        An open project.
    folder
        A directory; an image's name is its path below it.
    prefix
        What names begin with before that path.

    Raises
    ------
    BadInput
        ``no-such-folder``; ``prefix``: it would climb.

    Notes
    -----
    Where DVC tracks a file, its digest is taken from there, not computed again. An image is joined
    with the labels that name it, or, where no image has its whole name, with the one asset whose
    name is the end of it; of several images that end in one name, none is joined.
    """
    if not folder.is_dir():
        raise BadInput("no-such-folder", f"no directory {folder}", hint="check the path")
    if ".." in Path(prefix).parts or Path(prefix).is_absolute():
        raise BadInput("prefix", f"{prefix!r} is no beginning of a name", hint="--prefix camera-1/")
    tracked = vcs.tracked_digests(project.root, folder)
    unreadable: list[tuple[str, str]] = []
    totals = {"new": 0, "joined": 0, "unchanged": 0, "dvc": 0, "hashed": 0, "images": 0}
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    parameters = {"folder": folder.name, "prefix": prefix, "n_files": len(paths)}
    names = [prefix + _rel(path, folder) for path in paths]
    with project.store.reading() as connection:
        known, n_ambiguous = _known(connection, names)
        titles = read.asset_names(connection, known.values())
        if not _has_news(connection, folder, paths, names, known, tracked):
            n = len(paths)
            n_from_dvc = sum(_rel(p, folder) in tracked for p in paths)
            return AssetsReport(n, 0, 0, n, n_from_dvc, 0, n_ambiguous, ())
    with recording(project, ActivityKind.ASSETS_ADD, parameters=parameters) as activity:
        n_assets = activity.head.asset
        for start in range(0, len(paths), _CHUNK):
            images = list(
                _measured(paths[start : start + _CHUNK], folder, prefix, tracked, unreadable)
            )
            n_assets = _append(activity, images, known, titles, n_assets, totals)
            project.progress("images", start + len(images), len(paths))
        activity.outcome.update({f"n_{name}": n for name, n in totals.items()})
    return AssetsReport(
        totals["images"],
        totals["new"],
        totals["joined"],
        totals["unchanged"],
        totals["dvc"],
        totals["hashed"],
        n_ambiguous,
        tuple(unreadable),
    )


def states(project: Project, choice: trace.Choice, wanted: Sequence[str]) -> pa.Table:
    """Return how far images are, as their tools say.

    Parameters
    ----------
    project
        An open project.
    choice
        Batches, classes, images, and as of when.
    wanted
        States; all by default.

    Returns
    -------
    pa.Table
        ``asset, class, state, reason, batch`` by asset name. Where neither states nor batches nor
        classes were asked for, an image of which nobody spoke stands there without a state.
    """
    seq = position.resolve(project, choice.as_of)
    selector = trace.selector_of(project, choice)
    found = trace.completeness(project, selector, seq).drop_columns(["split"])
    if wanted:
        is_wanted = pc.is_in(found["state"].cast(pa.string()), pa.array(list(map(str, wanted))))
        return found.filter(is_wanted)
    if choice.batch or choice.class_:
        return found
    facts = trace.asset_facts(project, seq)
    if choice.asset:
        facts = facts.filter(pc.is_in(facts["asset"], pa.array(selector.assets, pa.int64())))
    is_silent = pc.invert(pc.is_in(facts["name"], found["asset"].combine_chunks()))
    silent = pa.table({"asset": facts["name"].filter(is_silent)})
    plain = found.cast(pa.schema([(name, pa.string()) for name in found.schema.names]))
    both = pa.concat_tables([plain, silent], promote_options="default")
    return both.take(pc.sort_indices(both["asset"]))


def _rel(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _known(connection: read.Connection, names: Sequence[str]) -> tuple[dict[str, int], int]:
    """Return the asset behind every name that has one, and how many names could claim one alike."""
    known = read.asset_keys(connection, names)
    taken = set(known.values())
    claims: dict[int, list[str]] = {}
    others = [name for name in names if name not in known]
    for start in range(0, len(others), _CHUNK):
        endings = {name: _endings(name) for name in others[start : start + _CHUNK]}
        wanted = list(dict.fromkeys(end for ends in endings.values() for end in ends))
        found = read.asset_keys(connection, wanted)
        for name, ends in endings.items():
            keys = {found[end] for end in ends if end in found} - taken
            if len(keys) == 1:
                claims.setdefault(keys.pop(), []).append(name)
    known |= {claimants[0]: key for key, claimants in claims.items() if len(claimants) == 1}
    return known, sum(len(claimants) for claimants in claims.values() if len(claimants) > 1)


def _endings(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[i:]) for i in range(1, len(parts))]


def _has_news(
    connection: read.Connection,
    folder: Path,
    paths: Sequence[Path],
    names: Sequence[str],
    known: Mapping[str, int],
    tracked: Mapping[str, tuple[str, int]],
) -> bool:
    """Tell whether anything differs from the record, hashing only what DVC does not know."""
    if any(name not in known for name in names):
        return True
    facts = read.asset_facts(connection, known.values())
    for path, name in zip(paths, names, strict=True):
        have = facts.get(known[name], {})
        if have.get("digest") is None or have.get("n_bytes") != path.stat().st_size:
            return True
        found = tracked.get(_rel(path, folder))
        if have["digest"] != (found[0] if found else f"sha256:{file_sha256(path)}"):
            return True
    return False


def _measured(
    paths: Sequence[Path],
    folder: Path,
    prefix: str,
    tracked: Mapping[str, tuple[str, int]],
    unreadable: list[tuple[str, str]],
) -> Iterator[_Image]:
    from PIL import Image, UnidentifiedImageError

    for path in paths:
        relative = _rel(path, folder)
        try:
            with Image.open(path) as image:
                width, height = image.size
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as exc:
            unreadable.append((relative, str(exc)))
            continue
        known = tracked.get(relative)
        digest = known[0] if known else f"sha256:{file_sha256(path)}"
        yield _Image(
            prefix + relative, width, height, digest, path.stat().st_size, known is not None
        )


def _append(
    activity: Recording,
    images: Sequence[_Image],
    known: Mapping[str, int],
    titles: Mapping[int, str],
    n_assets: int,
    totals: dict[str, int],
) -> int:
    here = [known[image.name] for image in images if image.name in known]
    facts = read.asset_facts(activity.connection, here)
    rows: list[tuple[object, ...]] = []
    for image in images:
        totals["images"] += 1
        totals["dvc" if image.is_from_dvc else "hashed"] += 1
        values = (image.width, image.height, image.digest, image.n_bytes)
        key = known.get(image.name)
        if key is None:
            n_assets += 1
            totals["new"] += 1
            rows.append((n_assets, activity.seq, True, image.name, None, *values))
            continue
        have = facts.get(key, {})
        if tuple(have.get(name) for name in _FACTS) == values:
            totals["unchanged"] += 1
            continue
        totals["joined"] += 1
        rows.append((key, activity.seq, False, titles[key], None, *values))
    if rows:
        named = dict(
            zip(columns.SEGMENT_ASSETS.names, map(list, zip(*rows, strict=True)), strict=True)
        )
        activity.append("assets", columns.batch_of(columns.SEGMENT_ASSETS, named))
    return n_assets
