"""Simulated reviewers, fresh annotators and seniors: packets in, and what their tools would export out.

They see what is there, and hold to the locked guideline; they err a little, each in
their own way. What somebody says of an image depends on the world, the person and the image
alone: not on the packet in which it comes, nor on what else is asked. Start reading at `answer`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lineage.errors import BadInput
from lineage.simulate import answers, scenes, seniors
from lineage.simulate.people import NEIGHBOUR
from lineage.simulate.scenes import Objects
from lineage.simulate.settings import WorldSettings

ERROR_FRACTION = 0.02
_STREAM = 3
_JITTER = 0.01
_IMAGE = re.compile(r"images/scene-(\d+)/frame-(\d+)\.png$")
_CONFIGURATIONS = ("config.json", "config.xml")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class AnswerReport:
    """What was answered.

    Parameters
    ----------
    n_packets
        Files that were answered.
    n_images, n_labels
        Images that were labelled, and labels on them.
    n_decisions
        Of seniors, on what was contested.
    files
        What was written.
    """

    n_packets: int
    n_images: int
    n_labels: int
    n_decisions: int
    files: tuple[Path, ...]


def answer(
    folders: Sequence[Path],
    out: Path,
    settings: WorldSettings,
    *,
    error_fraction: float = ERROR_FRACTION,
    seed: int | None = None,
) -> AnswerReport:
    """Answer every packet of some folders, the same bytes every time.

    Parameters
    ----------
    folders
        Of packets: a person's images (``PERSON.json`` for Label Studio, ``PERSON.txt`` for CVAT), or what a
        senior is asked (``decisions.json``, ``decisions.csv``).
    out
        Where the exports go, each named after its packet, in a folder named after the packet's.
    settings
        The world: what is there.
    error_fraction
        Of objects, those that are left out or called something else, half of them each; of decisions, those
        that are wrong.
    seed
        Of the people; the world's where it is None. With another they err elsewhere.

    Raises
    ------
    BadInput
        ``answer-packet``: no packet, an unreadable one, or one with images that are not of this world;
        ``simulate-params``: an error rate that is no fraction.
    """
    if not 0 <= error_fraction <= 1:
        raise BadInput(
            "simulate-params", f"error: {error_fraction:g}, expected a fraction in [0, 1]"
        )
    own = seed if seed is not None else settings.seed
    crew = _Crew(settings, error_fraction, own)
    written = {}
    n_images = n_labels = n_decisions = 0
    packets = [path for folder in folders for path in _packets(folder)]
    for path in packets:
        if path.stem == "decisions":
            name, text, n = crew.decided(path)
            n_decisions += n
        else:
            name, text, n, n_found = crew.labelled(path)
            n_images, n_labels = n_images + n, n_labels + n_found
        written[out / path.parent.name / name] = text
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
    return AnswerReport(len(packets), n_images, n_labels, n_decisions, tuple(written))


@dataclass(frozen=True, slots=True)
class _Crew:
    """People who answer: the world they look at, how much they err, and where."""

    settings: WorldSettings
    error_fraction: float
    seed: int

    def labelled(self, path: Path) -> tuple[str, str, int, int]:
        """Return a person's export: its name, its text, and how many images and labels it has."""
        person, is_cvat = path.stem, path.suffix == ".txt"
        with _reading(path):
            addresses = _addresses(path.read_text("utf-8"), is_cvat=is_cvat)
        images = self._numbers(path, addresses)
        found = self._said(person, images)
        starts = np.searchsorted(found.image, images)
        ends = np.searchsorted(found.image, images, side="right")
        rows = [slice(*pair) for pair in zip(starts.tolist(), ends.tolist(), strict=True)]
        n_labels = int((ends - starts).sum())
        if is_cvat:
            text = answers.cvat(self.settings, person, images, found, rows)
            return f"{person}.xml", text, len(images), n_labels
        text = answers.label_studio(self.settings, person, images, addresses, found, rows)
        return f"{person}.json", text, len(images), n_labels

    def decided(self, path: Path) -> tuple[str, str, int]:
        """Return a senior's decisions: the name of their file, its text, and how many they are."""
        with _reading(path):
            asked = seniors.questions(path.read_text("utf-8"), self.settings)
        images = self._numbers(path, [one.image for one in asked])
        there = scenes.seen(self.settings, images)
        chosen = []
        for one, image in zip(asked, images.tolist(), strict=True):
            rows = np.flatnonzero(there.image == image)
            is_slip = _share(f"{self.seed} senior {one.name}") < self.error_fraction
            chosen.append(seniors.decided(one, there, rows, is_slip=is_slip))
        return path.name, seniors.filled_in(path.read_text("utf-8"), asked, chosen), len(asked)

    def _said(self, person: str, images: np.ndarray) -> Objects:
        """Return what a person draws on images, in order of their numbers."""
        code = int.from_bytes(hashlib.blake2b(person.encode(), digest_size=8).digest())
        parts = [scenes.objects(self.settings, 0).take(np.zeros(0, np.int64))]
        for block in np.unique(images // scenes.BLOCK_IMAGES).tolist():
            found = scenes.objects(self.settings, block)
            # drawn for the whole block: an image has the same numbers whatever else is asked
            rng = np.random.default_rng(
                np.random.SeedSequence([self.settings.seed, _STREAM, self.seed, block, code])
            )
            lot, noise = rng.random(len(found.image)), rng.normal(0, 1, found.visible.shape)
            is_mixed = (lot >= self.error_fraction / 2) & (lot < self.error_fraction)
            size = np.tile(found.visible[:, 2:] - found.visible[:, :2], 2)
            drawn = replace(
                found,
                class_code=np.where(is_mixed, NEIGHBOUR[found.class_code], found.class_code),
                visible=scenes.clipped(found.visible + noise * _JITTER * size, self.settings),
            )
            is_drawn = (lot >= self.error_fraction / 2) & np.isin(found.image, images)
            parts.append(drawn.take(np.flatnonzero(is_drawn)))
        return scenes.joined(parts)

    def _numbers(self, path: Path, addresses: Sequence[str]) -> np.ndarray:
        """Return the numbers of images in the world."""
        matches = [_IMAGE.search(address) for address in addresses]
        per_scene = self.settings.images_per_scene
        numbers = [
            -1 if match is None or int(match[2]) >= per_scene
            else int(match[1]) * per_scene + int(match[2])
            for match in matches
        ]  # fmt: skip
        strange = [
            address
            for address, number in zip(addresses, numbers, strict=True)
            if not 0 <= number < self.settings.n_images
        ]
        if strange:
            more = " ..." if len(strange) > _SHOWN else ""
            raise BadInput(
                "answer-packet",
                f"{len(strange)} of {len(addresses)} images are not of this world: "
                + ", ".join(strange[:_SHOWN])
                + more,
                hint="the world is the one of simulate in params.yaml",
                where=str(path),
            )
        return np.array(numbers, np.int64)


def _packets(folder: Path) -> list[Path]:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [
        path
        for path in files
        if path.suffix in (".json", ".txt", ".csv") and path.name not in _CONFIGURATIONS
    ]
    # a configuration alone: everybody who is asked has the images already
    if not found and not any(path.name in _CONFIGURATIONS for path in files):
        raise BadInput(
            "answer-packet",
            f"no packet in {folder}, expected PERSON.json, PERSON.txt or decisions.*",
            hint="lineage review export DRAW writes packets to outbox/DRAW",
        )
    strange = [path.name for path in found if path.suffix == ".csv" and path.stem != "decisions"]
    if strange:
        raise BadInput("answer-packet", f"{', '.join(strange)} in {folder} is no packet")
    return found


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say of a file that is no packet that it is none."""
    try:
        yield
    except (UnicodeDecodeError, ValueError, LookupError, TypeError, AttributeError) as exc:
        raise BadInput(
            "answer-packet",
            "expected tasks for Label Studio, a list of images for CVAT, or a senior's decisions",
            where=str(path),
        ) from exc


def _addresses(text: str, *, is_cvat: bool) -> list[str]:
    """Return the images of a packet, as it calls them."""
    if is_cvat:
        return text.split()
    return [str(task["data"]["image"]) for task in json.loads(text)]


def _share(words: str) -> float:
    digest = hashlib.blake2b(words.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2.0**64
