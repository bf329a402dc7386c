"""The relational face: what stands in which table.

Tables say what a row means; joins are written out in `lineage.store.read`.
Every table but `Person` and `StoreInfo` is append-only, held by triggers
(`lineage.store.ddl`). Keys are integers that the ledger hands out, gap-free, so
a store rebuilt from segments is equal row by row. Times are aware UTC.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Dialect, Float, Integer, Text, UniqueConstraint
from sqlalchemy.types import TIMESTAMP, TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel

from lineage.errors import BadInput

Key = BigInteger().with_variant(Integer(), "sqlite")


class UtcMoment(TypeDecorator[datetime]):
    """An aware UTC time: microseconds since 1970 in SQLite, ``timestamptz`` in PostgreSQL."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type of ``dialect``."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:
        """Refuse naive times (``naive-time``) and turn the others into the column's form."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise BadInput("naive-time", f"{value.isoformat()} has no zone, expected an aware time")
        value = value.astimezone(UTC)
        if dialect.name == "postgresql":
            return value
        delta = value - datetime(1970, 1, 1, tzinfo=UTC)
        return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds

    def process_result_value(self, value: object, dialect: Dialect) -> datetime | None:
        """Return the column's value as an aware time."""
        if isinstance(value, int):
            seconds, micros = divmod(value, 1_000_000)
            return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
        return value.astimezone(UTC) if isinstance(value, datetime) else None


class StoreInfo(SQLModel, table=True):
    """What this database is: ``version`` of its tables and ``origin`` of its log."""

    __tablename__ = "store_info"
    key: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)


class Activity(SQLModel, table=True):
    """One recorded run of a verb; ``seq`` is its place in the log, from 1, without gaps."""

    __tablename__ = "activity"
    seq: int = Field(primary_key=True, sa_type=Key, sa_column_kwargs={"autoincrement": False})
    activity: str = Field(sa_type=Text, unique=True)
    kind: str = Field(sa_type=Text)
    agent: str = Field(sa_type=Text)  # pseudonym
    at: datetime = Field(sa_type=UtcMoment)
    code_version: str = Field(sa_type=Text)
    batch: str | None = Field(default=None, sa_type=Text)  # tag
    parameters: str = Field(sa_type=Text)  # canonical JSON


class LogEntry(SQLModel, table=True):
    """How an activity ended up in the log: what came of it, and the roots that seal it.

    A row of its own, written last, because nothing that was written is changed again.
    """

    __tablename__ = "log_entry"
    seq: int = Field(
        primary_key=True,
        foreign_key="activity.seq",
        sa_type=Key,
        sa_column_kwargs={"autoincrement": False},
    )
    outcome: str = Field(sa_type=Text)  # canonical JSON
    first_revision: int | None = Field(default=None, sa_type=Key)
    n_revisions: int = Field(default=0, sa_type=Key)
    leaf: str = Field(sa_type=Text)  # hex
    root: str = Field(sa_type=Text)  # hex, of the log up to and with this activity


class Source(SQLModel, table=True):
    """A file that an activity read."""

    __tablename__ = "source"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)
    path: str = Field(sa_type=Text)
    digest: str = Field(sa_type=Text, index=True)
    n_bytes: int = Field(sa_type=Key)


class Asset(SQLModel, table=True):
    """An image, by the name under which its labels came first."""

    __tablename__ = "asset"
    id: int = Field(primary_key=True, sa_type=Key, sa_column_kwargs={"autoincrement": False})
    name: str = Field(sa_type=Text, unique=True)
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)


class AssetFact(SQLModel, table=True):
    """What was learned of an image, and when; the newest known value of each column holds."""

    __tablename__ = "asset_fact"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    asset_id: int = Field(foreign_key="asset.id", sa_type=Key, index=True)
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)
    uri: str | None = Field(default=None, sa_type=Text)
    width: int | None = Field(default=None, sa_type=Integer)  # px
    height: int | None = Field(default=None, sa_type=Integer)  # px
    digest: str | None = Field(default=None, sa_type=Text)
    n_bytes: int | None = Field(default=None, sa_type=Key)


class Annotator(SQLModel, table=True):
    """Who made revisions, by pseudonym; the commitment is SHA-256 over a salt and the handle."""

    __tablename__ = "annotator"
    id: int = Field(primary_key=True, sa_type=Key, sa_column_kwargs={"autoincrement": False})
    pseudonym: str = Field(sa_type=Text, unique=True)
    commitment: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)  # terms.AgentKind
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)


class Person(SQLModel, table=True):
    """The address book: all that names an annotator. Erasable; never in a segment."""

    __tablename__ = "person"
    annotator_id: int = Field(
        primary_key=True,
        foreign_key="annotator.id",
        sa_type=Key,
        sa_column_kwargs={"autoincrement": False},
    )
    handle: str = Field(sa_type=Text)
    tool: str = Field(sa_type=Text)  # "" where the handle holds in every tool
    salt: str = Field(sa_type=Text)  # hex
    __table_args__ = (UniqueConstraint("handle", "tool"),)


class LabelSchemaVersion(SQLModel, table=True):
    """A guideline as it stood; a draft that changed is a further row, the newest holds."""

    __tablename__ = "label_schema"
    id: int = Field(primary_key=True, sa_type=Key, sa_column_kwargs={"autoincrement": False})
    name: str = Field(sa_type=Text)
    version: str = Field(sa_type=Text)
    digest: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)  # canonical JSON
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)


class Batch(SQLModel, table=True):
    """Labels ordered together."""

    __tablename__ = "batch"
    id: int = Field(primary_key=True, sa_type=Key, sa_column_kwargs={"autoincrement": False})
    tag: str = Field(sa_type=Text, unique=True)
    task: str = Field(sa_type=Text)
    schema_id: int = Field(foreign_key="label_schema.id", sa_type=Key)
    kind: str = Field(sa_type=Text)  # terms.BatchKind
    vendor: str | None = Field(default=None, sa_type=Text)
    priority: int = Field(default=0, sa_type=Integer)
    policy: str = Field(sa_type=Text)  # canonical JSON: overlap_fraction, review_fraction, ...
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)


class StateEvent(SQLModel, table=True):
    """A label schema or batch changed state; the newest event holds."""

    __tablename__ = "state_event"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)
    subject: str = Field(sa_type=Text)  # "schema" or "batch"
    subject_id: int = Field(sa_type=Key)
    state: str = Field(sa_type=Text)
    reason: str = Field(default="", sa_type=Text)


class LabelClass(SQLModel, table=True):
    """A class name, once; numbered by this store, not by the ledger."""

    __tablename__ = "label_class"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    name: str = Field(sa_type=Text, unique=True)


class AttributeDocument(SQLModel, table=True):
    """An attributes document, once; numbered by this store, not by the ledger."""

    __tablename__ = "attribute_document"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    digest: int = Field(sa_type=Key, index=True)  # first 8 bytes of its SHA-256
    document: str = Field(sa_type=Text)


class Annotation(SQLModel, table=True):
    """The lasting identity of one judgement about one asset."""

    __tablename__ = "annotation"
    id: int = Field(primary_key=True, sa_type=Key, sa_column_kwargs={"autoincrement": False})
    asset_id: int = Field(foreign_key="asset.id", sa_type=Key, index=True)


class Revision(SQLModel, table=True):
    """One immutable state of an annotation; its geometry stands in segment ``seq``.

    Its row there is ``id - log_entry.first_revision``.
    """

    __tablename__ = "revision"
    id: int = Field(primary_key=True, sa_type=Key, sa_column_kwargs={"autoincrement": False})
    annotation_id: int = Field(foreign_key="annotation.id", sa_type=Key, index=True)
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)
    operation: str = Field(sa_type=Text)  # terms.Operation
    supersedes: int | None = Field(default=None, sa_type=Key)
    annotator_id: int = Field(foreign_key="annotator.id", sa_type=Key)
    class_id: int = Field(foreign_key="label_class.id", sa_type=Key)
    kind: str = Field(sa_type=Text)  # terms.Kind
    x_min: float | None = Field(default=None, sa_type=Float)  # px
    y_min: float | None = Field(default=None, sa_type=Float)
    x_max: float | None = Field(default=None, sa_type=Float)
    y_max: float | None = Field(default=None, sa_type=Float)
    attributes_id: int = Field(foreign_key="attribute_document.id", sa_type=Key)
    stage: str = Field(sa_type=Text)  # the stage it came in with
    schema_id: int = Field(foreign_key="label_schema.id", sa_type=Key)
    batch_id: int = Field(foreign_key="batch.id", sa_type=Key)
    origin: str = Field(sa_type=Text)  # terms.Origin
    labelled_at: datetime | None = Field(default=None, sa_type=UtcMoment)
    # first 8 bytes of its leaf hash: tells which row of a segment was changed, whatever the column
    content: int | None = Field(default=None, sa_type=Key)  # null: recorded before version 4


class StageEvent(SQLModel, table=True):
    """A revision entered a review stage; the newest event holds."""

    __tablename__ = "stage_event"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    revision_id: int = Field(foreign_key="revision.id", sa_type=Key, index=True)
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)
    stage: str = Field(sa_type=Text)  # terms.Stage
    annotator_id: int = Field(foreign_key="annotator.id", sa_type=Key)
    basis: str = Field(sa_type=Text)
    comment: str | None = Field(default=None, sa_type=Text)


class Roster(SQLModel, table=True):
    """Who was asked to label what, and what became of it; the newest row holds."""

    __tablename__ = "roster"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)
    asset_id: int = Field(foreign_key="asset.id", sa_type=Key, index=True)
    annotator_id: int = Field(foreign_key="annotator.id", sa_type=Key)
    batch_id: int = Field(foreign_key="batch.id", sa_type=Key)
    presence: str = Field(sa_type=Text)  # terms.Presence
    answered_at: datetime | None = Field(default=None, sa_type=UtcMoment)
    lead_time_s: float | None = Field(default=None, sa_type=Float)


class CompletenessRow(SQLModel, table=True):
    """How far an image of a batch is, as its tool says; the newest row holds."""

    __tablename__ = "completeness"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)
    asset_id: int = Field(foreign_key="asset.id", sa_type=Key, index=True)
    # null: every class of the batch's schema
    class_id: int | None = Field(default=None, foreign_key="label_class.id", sa_type=Key)
    batch_id: int = Field(foreign_key="batch.id", sa_type=Key)
    state: str = Field(sa_type=Text)  # terms.Completeness
    reason: str | None = Field(default=None, sa_type=Text)


class VerdictRow(SQLModel, table=True):
    """A blind reviewer's judgement; the newest row of (revision or opinion, annotator) holds."""

    __tablename__ = "verdict"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    # null: an object that nobody drew
    revision_id: int | None = Field(
        default=None, foreign_key="revision.id", sa_type=Key, index=True
    )
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)
    draw: str = Field(sa_type=Text)
    asset_id: int = Field(foreign_key="asset.id", sa_type=Key, index=True)
    annotator_id: int = Field(foreign_key="annotator.id", sa_type=Key)
    verdict: str = Field(sa_type=Text)  # terms.Verdict
    kind: str | None = Field(default=None, sa_type=Text)  # terms.DisputeKind
    # the reviewer's own revision; null: drew nothing there
    opinion_id: int | None = Field(default=None, foreign_key="revision.id", sa_type=Key)
    comment: str | None = Field(default=None, sa_type=Text)


class Gold(SQLModel, table=True):
    """A reference revision that annotators are scored against; the newest row holds."""

    __tablename__ = "gold"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    revision_id: int = Field(foreign_key="revision.id", sa_type=Key, index=True)
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)
    schema_id: int = Field(foreign_key="label_schema.id", sa_type=Key)
    edge_case: str | None = Field(default=None, sa_type=Text)
    is_gold: bool = Field(sa_type=Boolean)  # false: it was taken back
    comment: str | None = Field(default=None, sa_type=Text)


class Draw(SQLModel, table=True):
    """An image, or a label on it, that is put before somebody, and why."""

    __tablename__ = "draw"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)
    draw: str = Field(sa_type=Text)
    asset_id: int = Field(foreign_key="asset.id", sa_type=Key, index=True)
    revision_id: int | None = Field(default=None, foreign_key="revision.id", sa_type=Key)
    batch_id: int = Field(foreign_key="batch.id", sa_type=Key)
    annotator_id: int | None = Field(default=None, foreign_key="annotator.id", sa_type=Key)
    reason: str = Field(sa_type=Text)  # terms.DrawReason
    stratum: str | None = Field(default=None, sa_type=Text)
    inclusion_fraction: float = Field(sa_type=Float)


class DatasetVersion(SQLModel, table=True):
    """A frozen set of revisions; ``name`` is the start of its digest, so equal sets are one row."""

    __tablename__ = "dataset_version"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    name: str = Field(sa_type=Text, unique=True)
    digest: str = Field(sa_type=Text)
    seq: int = Field(foreign_key="activity.seq", sa_type=Key)  # ledger position it was read at
    document: str = Field(sa_type=Text)  # the manifest, canonical JSON


class VersionTag(SQLModel, table=True):
    """A name that a person gave to a dataset version; never moved."""

    __tablename__ = "version_tag"
    tag: str = Field(primary_key=True, sa_type=Text)
    version: str = Field(foreign_key="dataset_version.name", sa_type=Text)


class Run(SQLModel, table=True):
    """A training run pinned to a dataset version."""

    __tablename__ = "run"
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    name: str = Field(sa_type=Text, unique=True)
    version: str = Field(foreign_key="dataset_version.name", sa_type=Text)
    digest: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=UtcMoment)
    document: str = Field(sa_type=Text)


MUTABLE = frozenset({"store_info", "person"})
"""Tables whose rows may change: the version number, and what names a person."""

ENTITIES: Mapping[str, type[SQLModel]] = {
    "annotators": Annotator,
    "schemas": LabelSchemaVersion,
    "batches": Batch,
    "states": StateEvent,
}
"""What a segment's header holds, in the order in which rows may refer to each other."""
