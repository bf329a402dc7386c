"""The field's words as enumerations: one word per thing, everywhere.

Every value below is written into the ledger and promised in ``docs/json.md``:
a value may be added, none may be renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """What geometry a label has."""

    CLASS = "class"
    BOX = "box"
    ROTATED_BOX = "rotated_box"
    POLYGON = "polygon"
    POLYLINE = "polyline"
    MASK = "mask"
    KEYPOINTS = "keypoints"


class Stage(StrEnum):
    """Where a revision stands in review; the newest stage event decides."""

    SUBMITTED = "submitted"
    IN_REVIEW = "in_review"
    CONTESTED = "contested"
    FINAL = "final"
    REJECTED = "rejected"


class Verdict(StrEnum):
    """A blind reviewer's judgement of a revision."""

    AGREE = "agree"
    DISPUTE = "dispute"


STAGE_MOVES: Mapping[Stage, frozenset[Stage]] = {
    Stage.SUBMITTED: frozenset({Stage.IN_REVIEW, Stage.FINAL}),
    Stage.IN_REVIEW: frozenset({Stage.CONTESTED, Stage.FINAL}),
    Stage.CONTESTED: frozenset({Stage.FINAL, Stage.REJECTED}),
    Stage.FINAL: frozenset({Stage.IN_REVIEW}),
    Stage.REJECTED: frozenset(),
}
"""Where a revision may go from each stage; ``docs/review.md`` says what it takes."""


class DisputeKind(StrEnum):
    """In what a blind reviewer's answer differs from a revision."""

    MISSED = "missed"  # there is an object that nobody drew
    SPURIOUS = "spurious"  # there is nothing where the revision is
    CLASS = "class"
    GEOMETRY = "geometry"
    ATTRIBUTES = "attributes"


class Operation(StrEnum):
    """What a revision does to its annotation."""

    ADD = "add"
    SUPERSEDE = "supersede"
    RETRACT = "retract"


class Identity(StrEnum):
    """How an import recognised the annotation that a revision belongs to."""

    NEW = "new"
    ID = "id"
    CONTENT = "content"
    AMBIGUOUS = "ambiguous"  # by content, and another candidate was almost as good


class Origin(StrEnum):
    """How a label came to be, as far as its export tells."""

    HUMAN = "human"
    ASSISTED = "assisted"
    MODEL = "model"
    INTERPOLATED = "interpolated"
    CONSENSUS = "consensus"
    GROUND_TRUTH = "ground_truth"
    ADJUDICATED = "adjudicated"


class AgentKind(StrEnum):
    """What kind of agent an annotator is (W3C PROV: person, organisation, software)."""

    PERSON = "person"
    TEAM = "team"
    MODEL = "model"
    RULE = "rule"
    UNKNOWN = "unknown"


class ActivityKind(StrEnum):
    """The recorded verbs."""

    INIT = "init"
    SCHEMA_ADD = "schema_add"
    SCHEMA_LOCK = "schema_lock"
    SCHEMA_RETIRE = "schema_retire"
    BATCH_CREATE = "batch_create"
    BATCH_CLOSE = "batch_close"
    BATCH_OVERRIDE = "batch_override"
    ASSETS_ADD = "assets_add"
    IMPORT = "import"
    MIGRATE = "migrate"
    GOLD = "gold"
    CONSENSUS = "consensus"
    DRAW = "draw"
    REVIEW = "review"
    ADJUDICATE = "adjudicate"
    FINALIZE = "finalize"
    ERASE = "erase"


class DrawReason(StrEnum):
    """Why an image, or a label on it, is put before somebody (again)."""

    DISPUTE = "dispute"
    DECOY = "decoy"
    GOLD = "gold"
    REVIEW = "review"
    EXAMPLE = "example"  # gold that is shown to everybody, in a hand-off


class BatchKind(StrEnum):
    """What a batch holds, and therefore what may enter it."""

    ARCHIVE = "archive"
    PILOT = "pilot"
    VOLUME = "volume"


class BatchState(StrEnum):
    """Whether a batch still takes labels."""

    OPEN = "open"
    CLOSED = "closed"


class SchemaState(StrEnum):
    """The life of a label schema version."""

    DRAFT = "draft"
    LOCKED = "locked"
    RETIRED = "retired"


class Presence(StrEnum):
    """What became of an image that an annotator was asked to label (the roster)."""

    LABELLED = "labelled"
    EMPTY = "empty"
    SKIPPED = "skipped"
    PENDING = "pending"


class Completeness(StrEnum):
    """How far the labelling of an image is, as its tool says: whole, or for one class.

    Nothing on record is a state of its own: nobody said. A missing file is never `COMPLETE_EMPTY`.
    """

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    COMPLETE_EMPTY = "complete_empty"
    SKIPPED = "skipped"


COMPLETENESS_BY_WEIGHT = (
    Completeness.NOT_STARTED,
    Completeness.SKIPPED,
    Completeness.IN_PROGRESS,
    Completeness.COMPLETE_EMPTY,
    Completeness.COMPLETE,
)
"""Of several answers for one image, the last in this order holds."""


class Change(StrEnum):
    """What happened to an annotation between two dataset versions."""

    ADDED = "added"
    RETRACTED = "retracted"
    RECLASSED = "reclassed"
    MOVED = "moved"
    ATTRIBUTES = "attributes"
    RESTAGED = "restaged"
    UNCHANGED = "unchanged"
