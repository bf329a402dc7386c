"""Blind packets: images for one person's tool, and nothing about who labelled them, when, or what.

A packet is a function of the set of images and the key of its draw alone: its order is
dealt by keyed hashes, tasks have no ids, and files no times of their own. So whatever
is known of an image, and why it is in a packet, cannot show in it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineage import formats
from lineage.activities import batches, schemas
from lineage.activities.context import Project
from lineage.calc import sampling
from lineage.errors import BadInput, Refused
from lineage.segments import write_synced
from lineage.store import read

TOOLS = ("label-studio", "cvat")
_SECRET = Path(".lineage") / "sampling.key"
_EPOCH_S = 315_532_800
"""1980-01-01, the earliest time that every archive can hold: a packet's files tell nothing by theirs."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What was written for one person.

    Parameters
    ----------
    annotator
        Pseudonym.
    path
        Tasks to import (Label Studio), or a list of images (CVAT).
    n_images
        How many.
    """

    annotator: str
    path: Path
    n_images: int


def secret(project: Project) -> bytes:
    """Return the key of all keys of a project, made at first need; it is never recorded."""
    path = project.root / _SECRET
    if path.is_file():
        return path.read_bytes()
    made = project.entropy(sampling.KEY_BYTES)
    aside = path.with_suffix(".new")
    aside.touch(mode=0o600)
    write_synced(aside, made)
    aside.replace(path)
    return made


def refuse_unknown_tool(tool: str) -> None:
    """Refuse a tool for which there are no packets.

    Raises
    ------
    BadInput
        ``packet-tool``.
    """
    if tool not in TOOLS:
        raise BadInput(
            "packet-tool", f"no packets for {tool!r}, expected one of {', '.join(TOOLS)}"
        )


def write(
    project: Project,
    out: Path,
    tool: str,
    people: Mapping[str, Sequence[int]],
    batch: str,
    *,
    key: bytes,
) -> tuple[Packet, ...]:
    """Write a packet for everybody, and the labelling configuration beside them.

    Parameters
    ----------
    project
        An open project.
    out
        Folder; made where it is missing.
    tool
        One of `TOOLS`.
    people
        Asset keys by pseudonym.
    batch
        Tag into which the answers come: its schema makes the configuration.
    key
        Of the draw: deals out the order.

    Raises
    ------
    BadInput
        ``packet-tool``.
    Refused
        ``packet-exists``: another packet of that name, with other content, stands there.
    """
    refuse_unknown_tool(tool)
    row = batches.get(project, batch)
    configured = formats.configuration(tool)(schemas.get(project, row.schema).document)
    every = np.unique(np.concatenate([np.zeros(0, np.int64), *map(np.asarray, people.values())]))
    with project.store.reading() as connection:
        names = read.asset_names(connection, every.tolist())
        facts = read.asset_facts(connection, every.tolist())
    ending = "json" if tool == "label-studio" else "txt"
    files = {out / f"config.{'xml' if tool == 'label-studio' else 'json'}": configured.text}
    packets = []
    for person, assets in people.items():
        images = _dealt(np.asarray(assets, np.int64), sampling.derived(key, person))
        uris = [str(facts.get(one, {}).get("uri") or names[one]) for one in images]
        listed = [names[one] for one in images]
        path = out / f"{_safe(person)}.{ending}"
        files[path] = _tasks(uris) if tool == "label-studio" else "\n".join(listed) + "\n"
        packets.append(Packet(person, path, len(images)))
    for path, text in files.items():
        put(path, text)
    return tuple(packets)


def _dealt(assets: np.ndarray, key: bytes) -> list[int]:
    assets = np.unique(assets)
    order = np.argsort(sampling.fractions(assets, key), kind="stable")
    return [int(one) for one in assets[order]]


def _tasks(uris: Sequence[str]) -> str:
    rows = ",\n".join(json.dumps({"data": {"image": uri}}, ensure_ascii=False) for uri in uris)
    return f"[\n{rows}\n]\n"


def _safe(person: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", person)


def put(path: Path, text: str) -> None:
    """Write a file of a packet, dated as every other; the same content may stand there already.

    Raises
    ------
    Refused
        ``packet-exists``.
    """
    content = text.encode()
    if path.exists() and path.read_bytes() != content:
        raise Refused(
            "packet-exists",
            f"{path} stands there with other content",
            hint="it may have been handed out: name another folder with --out",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (_EPOCH_S, _EPOCH_S))
