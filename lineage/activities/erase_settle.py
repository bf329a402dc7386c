"""Making good on what was erased: the address book, caches with people's words, free pages.

Whoever enters an activity of kind ``erase`` into a store, recording or replaying
it, owes this; the store keeps the debt, so a crash or another clone's pull only
delays it until the project is opened next.
"""

from __future__ import annotations

from pathlib import Path

from lineage.activities import addressbook
from lineage.store import Store, erase

_CACHES = ("violations.parquet", "store.db.old", "store.db-wal.old", "store.db-shm.old")
"""Files beside the address book that can hold names or free text, and are written again when needed."""


def settle(store: Store, address_book: Path) -> bool:
    """Finish an erasure, if one was entered since the last; the caller holds the lock.

    Returns
    -------
    bool
        False: somebody was reading the store, and its free pages are still to be scrubbed.
    """
    with store.reading() as connection:
        if not erase.is_owed(connection):
            return True
        gone = erase.forgotten(connection)
    addressbook.forget(address_book, gone)
    for name in _CACHES:
        (address_book.parent / name).unlink(missing_ok=True)
    return erase.scrub(store)
