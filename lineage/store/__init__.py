"""The store: relational face of the ledger, in SQLite or PostgreSQL. The only SQL.

What lives here: table definitions (`tables`), what the models cannot say
(`ddl`), the way from one version to the next (`migrations`), opening (this page),
taking turns (`turns`), the one way in (`append`) and the questions (`read`). What
may not: files of the ledger, formats, decisions. A store holds nothing that
segments do not, save the address book of people; it can be thrown away and
rebuilt. Start reading at `Store`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, StatementError
from sqlalchemy.pool import NullPool

from lineage.errors import BadInput, LineageError, Refused, StoreFault
from lineage.store import ddl, migrations
from lineage.store.turns import (
    LIMIT_S,
    Patience,
    advisory_turn,
    file_turn,
    is_advisory_taken,
    is_file_taken,
)

__all__ = ["APPLICATION_ID", "BUSY_TIMEOUT_S", "DURABILITY", "LIMIT_S", "Patience", "Store"]

APPLICATION_ID = 0x6C6E6731
"""Marks a SQLite file as ours ("lng1")."""

BUSY_TIMEOUT_S = 30.0
_PATIENCE = Patience()


class Store:
    """An open store.

    Parameters
    ----------
    url
        SQLAlchemy URL; a relative SQLite path is taken from ``root``.
    root
        The project's directory.
    busy_timeout_s
        How long to wait for another program that holds the database itself.
    patience
        How to wait for another process' turn at the ledger.
    """

    def __init__(
        self,
        url: str,
        root: Path,
        *,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        patience: Patience = _PATIENCE,
    ) -> None:
        self.busy_timeout_s = busy_timeout_s
        self.patience = patience
        self.path: Path | None = None
        try:
            parsed = make_url(url)
        except ArgumentError as exc:
            raise BadInput(
                "store-url",
                f"{url!r} is no database URL, expected sqlite:///PATH or postgresql+psycopg://",
            ) from exc
        if parsed.get_backend_name() == "sqlite":
            self.path = (root / (parsed.database or "")).resolve()
            self.engine = _sqlite_engine(self.path, busy_timeout_s)
        elif parsed.get_backend_name() == "postgresql":
            self.engine = _postgres_engine(url, patience.holder)
        else:
            raise BadInput(
                "store-url",
                f"no store in {parsed.get_backend_name()!r}, expected sqlite or postgresql+psycopg",
            )

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded store."""
        return self.path is not None

    @property
    def label(self) -> str:
        """The store's address without a password."""
        return self.engine.url.render_as_string(hide_password=True)

    def exists(self) -> bool:
        """Tell whether there are tables of ours.

        Raises
        ------
        Refused
            ``store-foreign``: there is a database, and it is another program's.
        StoreFault
            ``store-unreachable`` or ``store-unreadable``.
        """
        if self.path is not None and not self.path.exists():
            return False
        with self.reading(check=False) as connection:
            names = inspect(connection).get_table_names()
        if "store_info" in names:
            return True
        if names:
            raise Refused(
                "store-foreign",
                f"{self.label} holds tables of another program: {', '.join(sorted(names)[:5])}",
                hint="name another database in .lineage/config.toml",
            )
        return False

    def create(self, origin: str) -> None:
        """Create the tables of the newest version.

        Parameters
        ----------
        origin
            Name of the log that this store belongs to.
        """
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.writing(check=False) as connection:
            ddl.create_all(connection)
            for key, value in (("version", str(migrations.newest())), ("origin", origin)):
                connection.execute(
                    text("INSERT INTO store_info (key, value) VALUES (:key, :value)"),
                    {"key": key, "value": value},
                )
            if self.is_sqlite:
                connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")

    def prepare(self, origin: str) -> None:
        """Create the store where there is none, carry an older one forward, refuse any other.

        Raises
        ------
        Refused
            ``store-newer``, ``store-foreign``, or ``store-other-log``: it holds another project's log.
        """
        if not self.exists():
            self.create(origin)
            return
        migrations.migrate(self.engine, self._version(origin))

    def is_current(self, origin: str) -> bool:
        """Tell whether the store is of the newest version; nothing is carried forward.

        Raises
        ------
        Refused
            As of `prepare`.
        """
        found = self._version(origin)
        migrations.refuse_newer(found)
        return found == migrations.newest()

    def _version(self, origin: str) -> int:
        with self.reading(check=False) as connection:
            rows = connection.execute(text("SELECT key, value FROM store_info"))
            info = {str(key): str(value) for key, value in rows}
        if info.get("origin") != origin:
            raise Refused(
                "store-other-log",
                f"{self.label} holds the log {info.get('origin')!r}, this project's is {origin!r}",
                hint="name another database in .lineage/config.toml",
            )
        return _number(info.get("version"))

    @contextmanager
    def reading(self, *, check: bool = True) -> Iterator[Connection]:
        """Open a transaction that sees one moment of the store."""
        with _translated(self.label), self.engine.connect() as connection, connection.begin():
            if check:
                _check_version(connection)
            yield connection

    @contextmanager
    def writing(self, *, check: bool = True) -> Iterator[Connection]:
        """Open a transaction that commits when the block ends, and leaves no trace when it fails."""
        with _translated(self.label), self.engine.connect() as connection:
            writer = connection.execution_options(lineage_writes=True)
            with writer.begin():
                if check:
                    _check_version(writer)
                yield writer

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the one right to append to the ledger; freed by the system if the process dies.

        Raises
        ------
        Refused
            ``project-busy``: another process held it for longer than `Patience` allows.
        """
        with _translated(self.label):
            lock = (
                file_turn(self.path.with_suffix(".lock"), self.patience)
                if self.path is not None
                else advisory_turn(self.engine, self.patience)
            )
            with lock:
                yield

    def is_taken(self) -> bool:
        """Tell whether some process holds the right to append at this moment."""
        if self.path is not None:
            return is_file_taken(self.path.with_suffix(".lock"))
        with _translated(self.label):
            return is_advisory_taken(self.engine)


DURABILITY = "FULL"
"""SQLite's ``synchronous``: a committed transaction outlives a power cut."""


def _sqlite_engine(path: Path, busy_timeout_s: float) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": busy_timeout_s}
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: object, _: object) -> None:
        # the driver's own transaction handling delays BEGIN; ours is explicit
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in (
            "journal_mode = WAL",
            "foreign_keys = ON",
            f"synchronous = {DURABILITY}",
            "cache_size = -65536",
            "trusted_schema = OFF",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("lineage_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres_engine(url: str, name: str) -> Engine:
    told = {"connect_timeout": 10, "application_name": name}
    try:
        return create_engine(url, poolclass=NullPool, connect_args=told)
    except ModuleNotFoundError as exc:
        raise BadInput(
            "store-driver",
            "a PostgreSQL store needs psycopg, which is not installed",
            hint="pip install 'lineage[postgres]'",
        ) from exc


def _check_version(connection: Connection) -> None:
    found = connection.execute(text("SELECT value FROM store_info WHERE key = 'version'"))
    migrations.refuse_newer(_number(found.scalar_one_or_none()))


def _number(value: object) -> int:
    """Return the store's version as it stands there."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    raise StoreFault(
        "store-unreadable",
        f"{value!r} stands where the store's version must",
        hint="lineage restore --discard-store",
    )


@contextmanager
def _translated(label: str) -> Iterator[None]:
    try:
        yield
    except StatementError as exc:
        if isinstance(exc.orig, LineageError):
            raise exc.orig from None
        if not isinstance(exc, DBAPIError):
            raise
        said = str(exc.orig).strip().splitlines()[0] if exc.orig else str(exc)
        # without room for its index of the write-ahead log SQLite speaks of an I/O error
        if getattr(exc.orig, "sqlite_errorname", "") == "SQLITE_IOERR_SHMSIZE":
            said = f"No space: {said}"
        raise _fault(label, said) from exc


def _fault(label: str, said: str) -> StoreFault | Refused:
    if "locked" in said:
        return StoreFault(
            "store-locked",
            f"{label} is locked by another program: {said}",
            hint="close the program that holds it, then repeat the command",
        )
    if any(word in said for word in ("not a database", "malformed", "unable to open")):
        return StoreFault(
            "store-unreadable",
            f"{label} is no readable database: {said}",
            hint="move it away and rebuild it with: lineage restore --discard-store",
        )
    if "full" in said or "No space" in said:
        return StoreFault(
            "disk-full",
            f"no room left for {label}: {said}",
            hint="free space, then repeat the command",
        )
    if "disk I/O error" in said:
        return StoreFault(
            "disk-fault",
            f"the disk refused to read or write {label}: {said}",
            hint="see the system's log; nothing was recorded",
        )
    if "append-only" in said:
        return Refused("append-only", f"{said}: history is never changed")
    return StoreFault(
        "store-unreachable", f"{label} does not answer: {said}", hint="see: lineage status"
    )
