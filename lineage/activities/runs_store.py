"""Pins of the registry that the store lacks: those that came with a pull, those of other machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from lineage.segments import Ledger
from lineage.store import Store, registries

Document = Mapping[str, object]


def lacking(store: Store, ledger: Ledger) -> list[Document]:
    """Return the pins that the store lacks and can take in.

    A file that is no pin, and a pin of a version that is not in the registry, is left where it is: opening a
    project must not fail for it, and ``audit`` and ``run verify`` name it.
    """
    paths = sorted(ledger.run_registry.glob("*.json")) if ledger.run_registry.is_dir() else []
    if not paths:
        return []
    with store.reading() as connection:
        known, versions = registries.run_names(connection), registries.version_names(connection)
    versions |= ledger.version_names()
    new = [(path.stem, _read(path.read_bytes())) for path in paths if path.stem not in known]
    return [
        document
        for name, document in new
        if document.get("run") == name and document.get("version") in versions
    ]


def load(store: Store, ledger: Ledger) -> None:
    """Put into the store what it lacks; the caller holds the lock, versions are in."""
    new = lacking(store, ledger)
    if new:
        with store.writing() as connection:
            for document in new:
                registries.enter_run(connection, document)


def _read(content: bytes) -> Document:
    try:
        document = json.loads(content)
        datetime.fromisoformat(str(document["at"]))
        return document if {"run", "digest", "version"} <= document.keys() else {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
