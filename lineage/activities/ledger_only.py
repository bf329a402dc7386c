"""A project from its ledger's files alone, for what needs no store: a clone after ``dvc pull``.

Labels are read from segments in any case. Of a store, rebuilding a version asks only what stands in
the headers: activities, annotators, label schemas, batches and their states. They fit into a small
database of its own that is thrown away; the parts, of any size, are not entered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lineage.activities import restore
from lineage.activities.context import Project
from lineage.errors import StoreFault
from lineage.identity import MerkleAccumulator, log_leaf
from lineage.segments import Ledger
from lineage.store import Store
from lineage.store.append import Appender


@contextmanager
def opened(project: Project) -> Iterator[Project]:
    """Give a project that knows what its ledger's headers say, whatever its store is.

    Parameters
    ----------
    project
        As `context.locate` returns it; its store is not touched.

    Yields
    ------
    Project
        The same, on a store that holds no images and no labels, and is gone after the block.

    Raises
    ------
    StoreFault
        ``segment-missing``: a header is not here; ``segment-mismatch``: a header does not continue the
        log.
    """
    with TemporaryDirectory(prefix="lineage-") as folder:
        store = Store(f"sqlite:///{folder}/headers.db", Path(folder))
        store.prepare(project.settings.origin)
        found = replace(project, store=store)
        _enter(found)
        restore.load_names(store, project.address_book)
        restore.load_versions(store, project.ledger)
        yield found


def refuse_missing(ledger: Ledger, up_to: int) -> None:
    """Refuse to go on where files are not here that versions at a place in the log are made of.

    Raises
    ------
    StoreFault
        ``segment-missing``.
    """
    here = {path.name for path in ledger.segments.glob("*.parquet")}
    for seq in range(1, up_to + 1):
        for part in ledger.parts(seq):
            if part.file not in here:
                raise StoreFault(
                    "segment-missing",
                    f"the ledger lacks {part.file}",
                    hint="fetch the ledger's files with: dvc pull",
                )


def _enter(project: Project) -> None:
    ledger, log = project.ledger, MerkleAccumulator()
    with project.store.writing() as connection:
        appender = Appender(connection)
        for seq, place in enumerate(ledger.positions(), start=1):
            if place != seq:
                raise StoreFault(
                    "segment-missing",
                    f"the ledger has no segment {seq}",
                    hint="dvc pull, or dvc checkout",
                )
            header = ledger.header(seq)
            before = log.root().hex()
            if header["previous_root"] != before:
                raise StoreFault(
                    "segment-mismatch",
                    f"segment {seq} does not continue the log: it follows root "
                    f"{header['previous_root']}, the log has {before}",
                    hint="dvc checkout; git checkout -- ledger/checkpoint",
                )
            restore.enter(appender, header)
            leaf = log_leaf(header)
            log.extend([leaf])
            restore.seal(appender, header, leaf, log.root().hex())
