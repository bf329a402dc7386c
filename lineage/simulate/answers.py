"""What one person's answers to a packet look like as their tool exports them."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from lineage.simulate.exports import START, cvat_head, cvat_image, regions, text_of
from lineage.simulate.scenes import Objects
from lineage.simulate.settings import WorldSettings

_KEY_BYTES = 5
_JOBS = 100_000
_LEAD_S = 20.0
_LEAD_EACH_S = 5.0


def label_studio(
    settings: WorldSettings,
    person: str,
    images: np.ndarray,
    addresses: Sequence[str],
    found: Objects,
    rows: Sequence[slice],
) -> str:
    """Return a person's answers as Label Studio's JSON.

    Parameters
    ----------
    settings
        The world.
    person
        As the packet names them: by pseudonym.
    images, addresses
        Numbers of images in the world, and what the packet calls them.
    found
        What was drawn.
    rows
        Of ``found``, those of each image.
    """
    tasks = []
    for image, address, own in zip(images.tolist(), addresses, rows, strict=True):
        key = _key(f"{settings.seed}/{person}/{image}")
        moment = text_of(_begun(settings) + timedelta(seconds=image * _LEAD_S))
        n = own.stop - own.start
        labels = (found.class_code[own], found.occlusion[own], found.visible[own])
        names = (f"v{key:x}-{at}" for at in range(n))
        result = [json.loads(one) for one in regions(settings, *labels, names)]
        answer = {
            "id": key,
            "completed_by": {"id": _key(person), "email": person, "first_name": "", "last_name": ""},
            "result": result,
            "was_cancelled": False,
            "ground_truth": False,
            "created_at": moment,
            "updated_at": moment,
            "lead_time": _LEAD_S + _LEAD_EACH_S * n,
            "prediction": {},
            "result_count": n,
            "unique_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{settings.seed}/review/{key}")),
            "task": key,
        }  # fmt: skip
        task = {
            "id": key,
            "annotations": [answer],
            "drafts": [],
            "predictions": [],
            "data": {"image": address},
            "meta": {},
            "created_at": moment,
            "updated_at": moment,
            "total_annotations": 1,
            "cancelled_annotations": 0,
            "total_predictions": 0,
            "project": _key(person),
        }
        tasks.append(json.dumps(task, ensure_ascii=False))
    return "[\n" + ",\n".join(tasks) + "\n]\n"


def cvat(
    settings: WorldSettings,
    person: str,
    images: np.ndarray,
    found: Objects,
    rows: Sequence[slice],
) -> str:
    """Return a person's answers as the XML of one CVAT job; see `label_studio`."""
    begun = _begun(settings)
    times = (begun.isoformat(sep=" "), (begun + timedelta(days=5)).isoformat(sep=" "))
    job = _key(f"{person}/{','.join(map(str, images.tolist()))}") % _JOBS
    head = cvat_head(job, f"<username>{person}</username><email></email>", *times)
    listed = [
        cvat_image(
            settings, at, image, found.class_code[own], found.occlusion[own], found.visible[own]
        )
        for at, (image, own) in enumerate(zip(images.tolist(), rows, strict=True))
    ]
    return head + "".join(listed) + "</annotations>\n"


def _begun(settings: WorldSettings) -> datetime:
    """Return when reviews begin: the world's work is done."""
    return START + timedelta(weeks=settings.n_weeks)


def _key(words: str) -> int:
    digest = hashlib.blake2b(words.encode(), digest_size=_KEY_BYTES).digest()
    return int.from_bytes(digest)
