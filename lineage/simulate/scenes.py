"""What is really there: objects with their full and their visible extent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lineage.simulate.settings import CLASSES, SHARES, WorldSettings

BLOCK_IMAGES = 5_000
NOT, PARTIALLY, HEAVILY = 0, 1, 2
OCCLUSIONS = ("none", "partially", "heavily")
# height over image height, width over height
_SIZES = np.array(
    [
        (0.22, 1.8),
        (0.30, 0.42),
        (0.28, 0.75),
        (0.38, 1.6),
        (0.42, 1.9),
        (0.16, 0.4),
        (0.12, 1.3),
        (0.26, 0.7),
    ]
)


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of a block of images, image by image.

    Parameters
    ----------
    image
        ndarray of int64, shape (n,): the image's number in the world.
    class_code, occlusion
        ndarrays of int8, shape (n,).
    full, visible
        ndarrays of float64, shape (n, 4): boxes, px.
    """

    image: np.ndarray
    class_code: np.ndarray
    occlusion: np.ndarray
    full: np.ndarray
    visible: np.ndarray

    def take(self, rows: np.ndarray) -> Objects:
        """Return some of the objects."""
        return Objects(*(getattr(self, name)[rows] for name in self.__slots__))


def generator(settings: WorldSettings, stream: int, block: int) -> np.random.Generator:
    """Return the generator of one stream of decisions in one block."""
    return np.random.default_rng(np.random.SeedSequence([settings.seed, stream, block]))


def objects(settings: WorldSettings, block: int) -> Objects:
    """Return what is in the images of a block."""
    rng = generator(settings, 0, block)
    first = block * BLOCK_IMAGES
    n_images = min(BLOCK_IMAGES, settings.n_images - first)
    image = first + np.repeat(np.arange(n_images), rng.poisson(settings.mean_objects, n_images))
    n = len(image)
    class_code = rng.choice(len(CLASSES), n, p=np.array(SHARES) / sum(SHARES)).astype(np.int8)
    depth = rng.uniform(0.45, 1.25, n)
    height = _SIZES[class_code, 0] * depth * settings.height
    width = height * _SIZES[class_code, 1] * rng.uniform(0.85, 1.15, n)
    x_min = rng.uniform(0, 1, n) * np.maximum(settings.width - width, 1)
    ground = settings.height * (0.55 + 0.3 * depth)
    ground = np.where(class_code == CLASSES.index("traffic_light"), settings.height * 0.4, ground)
    y_max = np.minimum(ground + rng.normal(0, 3, n), settings.height - 1.0)
    full = np.stack([x_min, y_max - height, x_min + width, y_max], axis=1)
    full = clipped(full, settings)
    occlusion = rng.choice(3, n, p=[0.62, 0.28, 0.10]).astype(np.int8)
    hidden = np.where(occlusion == PARTIALLY, rng.uniform(0.3, 0.5, n), 0.0)
    hidden = np.where(occlusion == HEAVILY, rng.uniform(0.55, 0.7, n), hidden)
    visible = full.copy()
    from_left = rng.random(n) < 0.5
    cut = hidden * (full[:, 2] - full[:, 0])
    visible[:, 0] += np.where(from_left, cut, 0)
    visible[:, 2] -= np.where(from_left, 0, cut)
    return Objects(image, class_code, occlusion, full, visible)


def seen(settings: WorldSettings, images: np.ndarray) -> Objects:
    """Return what is in some images, of any blocks, in order of their numbers."""
    parts = [objects(settings, 0).take(np.zeros(0, np.int64))]
    for block in np.unique(images // BLOCK_IMAGES).tolist():
        every = objects(settings, block)
        parts.append(every.take(np.flatnonzero(np.isin(every.image, images))))
    return joined(parts)


def joined(parts: Sequence[Objects]) -> Objects:
    """Return the objects of several blocks, one part at least, as one."""
    columns = ([getattr(part, name) for part in parts] for name in Objects.__slots__)
    return Objects(*(np.concatenate(column) for column in columns))


def clipped(box: np.ndarray, settings: WorldSettings) -> np.ndarray:
    """Return boxes cut at the edges of the image, 4 px wide and high at least."""
    limit = np.array([settings.width, settings.height, settings.width, settings.height], float)
    clipped = np.clip(box, 0, limit)
    clipped[:, 2:] = np.maximum(clipped[:, 2:], np.minimum(clipped[:, :2] + 4, limit[2:]))
    clipped[:, :2] = np.minimum(clipped[:, :2], clipped[:, 2:] - 4)
    return clipped


def scene_of(settings: WorldSettings, image: np.ndarray) -> np.ndarray:
    """Return the scene that images belong to."""
    return image // settings.images_per_scene


def asset_name(settings: WorldSettings, image: int) -> str:
    """Return an image's name."""
    scene, frame = divmod(image, settings.images_per_scene)
    return f"images/scene-{scene:06d}/frame-{frame:03d}.png"
