"""The Arrow schema of every table that crosses a boundary.

Bulk labels travel as `pyarrow` record batches whose schema is declared here,
once. Units: coordinates are pixels (float64, origin top-left, half-open
boxes), times are aware UTC in microseconds, durations are seconds.

``geometry`` holds, per label, a list of number lists; what they mean depends on ``kind``:

========== ===========================================================================
kind        geometry
========== ===========================================================================
class, box  null
rotated_box ``[[cx, cy, width, height, rotation_deg]]``, clockwise about the centre
polygon     one ``[x0, y0, x1, y1, ...]`` for each part
polyline    one ``[x0, y0, x1, y1, ...]`` for each part
keypoints   ``[[x0, y0, v0, x1, y1, v1, ...]]``, v as in COCO: 0 absent, 1 hidden, 2 seen
mask        ``[[height, width], [run lengths]]``, column by column, background first
========== ===========================================================================

The four box columns are the axis-aligned hull of whatever geometry there is, and null for ``class``.
"""

from __future__ import annotations

import pyarrow as pa

from lineage.rows import WORD as WORD
from lineage.rows import batch_of as batch_of
from lineage.rows import empty as empty

MOMENT = pa.timestamp("us", tz="UTC")
GEOMETRY = pa.list_(pa.list_(pa.float64()))
BOX = ("x_min", "y_min", "x_max", "y_max")

LABELS = pa.schema(
    [
        pa.field("asset", WORD, nullable=False),  # the image's name
        pa.field("annotator", WORD),  # handle as the tool gives it; null: the export does not say
        pa.field("class", WORD),
        pa.field("kind", WORD, nullable=False),  # terms.Kind
        pa.field("x_min", pa.float64()),
        pa.field("y_min", pa.float64()),
        pa.field("x_max", pa.float64()),
        pa.field("y_max", pa.float64()),
        pa.field("geometry", GEOMETRY),
        pa.field("attributes", WORD, nullable=False),  # canonical JSON object
        pa.field("origin", WORD, nullable=False),  # terms.Origin
        pa.field("source_id", pa.string()),  # the tool's own id; null: the tool gives none
        pa.field("labelled_at", MOMENT),  # when the annotator did it; null: the export does not say
        pa.field("created_by", WORD),  # handle: who last created it in the tool
        pa.field("updated_by", WORD),  # handle: who last updated it in the tool
        pa.field("lead_time_s", pa.float64()),
        pa.field("score", pa.float64()),
        pa.field("extra", pa.string()),  # canonical JSON of what the tool says besides
        pa.field("position", pa.int64(), nullable=False),  # index of the element in its source
        pa.field("file", WORD),  # within a folder or archive; null: the source itself
        pa.field("annotation", pa.int64()),  # the ledger's own number, in files that we wrote
    ]
)
"""What a reader yields: one row a label, people by handle, nothing interned yet."""

ASSETS = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("uri", pa.string()),  # as the tool addresses it
        pa.field("width", pa.int32()),  # px
        pa.field("height", pa.int32()),  # px
        pa.field("digest", pa.string()),  # of the file's bytes, "sha256:..." or "md5:..."
        pa.field("n_bytes", pa.int64()),
    ]
)
"""Images as readers and ``assets add`` see them."""

ROSTER = pa.schema(
    [
        pa.field("asset", pa.string(), nullable=False),
        pa.field("annotator", pa.string()),  # handle; null: the export does not say
        pa.field("presence", pa.string(), nullable=False),  # terms.Presence
        pa.field("source_id", pa.string()),
        pa.field("answered_at", MOMENT),
        pa.field("lead_time_s", pa.float64()),
    ]
)
"""Who was asked to label what, and what became of it."""

COMPLETENESS = pa.schema(
    [
        pa.field("asset", pa.string(), nullable=False),
        pa.field("class", pa.string()),  # null: every class of the schema
        pa.field("state", pa.string(), nullable=False),  # terms.Completeness
        pa.field("reason", pa.string()),  # of a skip, where the tool gives one
    ]
)
"""How far an image is labelled, as its tool says; at most one row for each image and class."""

VIOLATIONS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),  # file
        pa.field("position", pa.int64()),  # index of the element in the file
        pa.field("asset", pa.string()),
        pa.field("annotation", pa.string()),  # the tool's id, where it has one
        pa.field("path", pa.string(), nullable=False),  # field, as a JSON pointer: /bbox/2
        pa.field("rule", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("expected", pa.string(), nullable=False),
        pa.field("label", pa.string()),  # the quarantined label, as JSON
    ]
)
"""Every label that was refused, with the reason; nothing is dropped in silence."""

REVISIONS = pa.schema(
    [
        pa.field("revision", pa.int64(), nullable=False),  # 1, 2, 3 ... over the whole ledger
        pa.field("annotation", pa.int64(), nullable=False),  # lasting identity; 1, 2, 3 ...
        pa.field("seq", pa.int64(), nullable=False),  # the activity's place in the log
        pa.field("operation", WORD, nullable=False),  # terms.Operation
        pa.field("supersedes", pa.int64()),  # the revision that this one replaces
        pa.field("identity", WORD, nullable=False),  # terms.Identity
        pa.field("identity_score", pa.float64()),  # IoU behind an inferred identity
        pa.field("asset", pa.int64(), nullable=False),  # key into the assets parts
        pa.field("annotator", WORD, nullable=False),  # pseudonym
        pa.field("class", WORD, nullable=False),
        pa.field("source_class", WORD),  # the class as given, where an alias was resolved
        pa.field("kind", WORD, nullable=False),
        pa.field("x_min", pa.float64()),
        pa.field("y_min", pa.float64()),
        pa.field("x_max", pa.float64()),
        pa.field("y_max", pa.float64()),
        pa.field("geometry", GEOMETRY),
        pa.field("attributes", WORD, nullable=False),
        pa.field("stage", WORD, nullable=False),  # the stage it came in with
        pa.field("schema", WORD, nullable=False),  # name@version
        pa.field("batch", WORD, nullable=False),  # tag
        pa.field("origin", WORD, nullable=False),
        pa.field("labelled_at", MOMENT),
        pa.field("created_by", WORD),  # pseudonym
        pa.field("updated_by", WORD),  # pseudonym
        pa.field("lead_time_s", pa.float64()),
        pa.field("score", pa.float64()),
        pa.field("source_id", pa.string()),
        pa.field("extra", pa.string()),
    ]
)
"""A revisions part of a segment: one row a revision, in order of ``revision``."""

STAGES = pa.schema(
    [
        pa.field("revision", pa.int64(), nullable=False),
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("stage", WORD, nullable=False),  # terms.Stage
        pa.field("by", WORD, nullable=False),  # pseudonym
        pa.field("basis", pa.string(), nullable=False),
        pa.field("comment", pa.string()),
    ]
)
"""Stage events: the newest one is where a revision stands."""

SEGMENT_ASSETS = pa.schema(
    [
        pa.field("asset", pa.int64(), nullable=False),  # 1, 2, 3 ... over the whole ledger
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("is_new", pa.bool_(), nullable=False),  # false: a new fact about a known asset
        *ASSETS,
    ]
)
"""An assets part of a segment; facts learned later are further rows, the newest wins."""

SEGMENT_ROSTER = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("asset", pa.int64(), nullable=False),
        pa.field("annotator", WORD, nullable=False),  # pseudonym
        pa.field("batch", WORD, nullable=False),
        pa.field("presence", WORD, nullable=False),
        pa.field("source_id", pa.string()),
        pa.field("answered_at", MOMENT),
        pa.field("lead_time_s", pa.float64()),
    ]
)
"""A roster part of a segment; the newest row of (asset, annotator, batch) wins."""

SEGMENT_COMPLETENESS = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("asset", pa.int64(), nullable=False),
        pa.field("class", WORD),  # null: every class of the batch's schema
        pa.field("batch", WORD, nullable=False),
        pa.field("state", WORD, nullable=False),  # terms.Completeness
        pa.field("reason", pa.string()),
    ]
)
"""A completeness part of a segment; the newest row of (asset, class, batch) wins."""

SEGMENT_VERDICTS = pa.schema(
    [
        pa.field("revision", pa.int64()),  # that is judged; null: an object that nobody drew
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("draw", WORD, nullable=False),  # name of the draw that asked
        pa.field("asset", pa.int64(), nullable=False),
        pa.field("by", WORD, nullable=False),  # pseudonym of the reviewer
        pa.field("verdict", WORD, nullable=False),  # terms.Verdict
        pa.field("kind", WORD),  # terms.DisputeKind; null: agree
        pa.field("opinion", pa.int64()),  # the reviewer's own revision; null: drew nothing there
        pa.field("comment", pa.string()),
    ]
)
"""A verdicts part of a segment; the newest row of (revision or opinion, by) holds."""

SEGMENT_GOLD = pa.schema(
    [
        pa.field("revision", pa.int64(), nullable=False),
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("schema", WORD, nullable=False),  # name@version under which it defines right
        pa.field("edge_case", WORD),  # of the class, as the schema names it; null: an ordinary case
        pa.field("is_gold", pa.bool_(), nullable=False),  # false: it was taken back
        pa.field("comment", pa.string()),
    ]
)
"""A gold part of a segment; the newest row of (revision, schema) holds."""

SEGMENT_DRAWS = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("draw", WORD, nullable=False),  # its name, one an activity
        pa.field("asset", pa.int64(), nullable=False),
        pa.field("revision", pa.int64()),  # the label that was drawn; null: the whole image
        pa.field("batch", WORD, nullable=False),  # tag into which the answers come
        pa.field("annotator", WORD),  # pseudonym of who is asked; null: whoever comes
        pa.field("reason", WORD, nullable=False),  # terms.DrawReason
        pa.field("stratum", pa.string()),  # what it was drawn among
        pa.field("inclusion_fraction", pa.float64(), nullable=False),  # its chance of being drawn
    ]
)
"""A draws part of a segment: what is put before whom, why, and how likely that was."""

SEGMENT_ERASURES = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("file", WORD, nullable=False),  # name of the part that was written anew
        pa.field("sha256", WORD, nullable=False),  # of its bytes from then on
        pa.field("row", pa.int64(), nullable=False),  # place in the file of a row that lost text
        pa.field("leaf", pa.string(), nullable=False),  # hex: the leaf hash that it had
    ]
)
"""An erasures part of a segment: rows of earlier segments whose text was taken out."""

DATASET = pa.schema(
    [
        pa.field("asset", pa.string(), nullable=False),
        pa.field("asset_digest", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("annotation", pa.int64(), nullable=False),
        pa.field("revision", pa.int64(), nullable=False),
        pa.field("class", WORD, nullable=False),
        pa.field("kind", WORD, nullable=False),
        pa.field("x_min", pa.float64()),
        pa.field("y_min", pa.float64()),
        pa.field("x_max", pa.float64()),
        pa.field("y_max", pa.float64()),
        pa.field("geometry", GEOMETRY),
        pa.field("attributes", WORD, nullable=False),
        pa.field("annotator", WORD, nullable=False),
        pa.field("schema", WORD, nullable=False),
        pa.field("batch", WORD, nullable=False),
        pa.field("stage", WORD, nullable=False),
        pa.field("origin", WORD, nullable=False),
        pa.field("labelled_at", MOMENT),
        pa.field("split", WORD, nullable=False),
    ]
)
"""One row a label of a dataset version, sorted by split, then asset name, then annotation."""

DATASET_ASSETS = pa.schema(
    [
        pa.field("asset", pa.string(), nullable=False),
        pa.field("asset_digest", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("n_annotations", pa.int64(), nullable=False),
        pa.field("split", WORD, nullable=False),
    ]
)
"""One row an image of a dataset version: images that were looked at and are empty stand here too."""

DATASET_COMPLETENESS = pa.schema(
    [
        pa.field("asset", pa.string(), nullable=False),
        pa.field("class", WORD),  # null: every class of the batch's schema
        pa.field("state", WORD, nullable=False),  # terms.Completeness
        pa.field("reason", pa.string()),
        pa.field("batch", WORD, nullable=False),
        pa.field("split", WORD, nullable=False),
    ]
)
"""How far a dataset version's images are labelled, sorted by split, asset name, batch, class."""

AMBIGUOUS = pa.schema(
    [
        pa.field("annotation", pa.int64(), nullable=False),
        pa.field("asset", pa.string(), nullable=False),
        pa.field("class", WORD, nullable=False),  # as it is now
        pa.field("score", pa.float64()),  # IoU of the pair; null: whole-image classes
        pa.field("how", WORD, nullable=False),  # calc.matching.How
    ]
)
"""Labels whose forerunner was found by content, and could almost as well be another."""

DIFF = pa.schema(
    [
        pa.field("annotation", pa.int64(), nullable=False),
        pa.field("asset", pa.string(), nullable=False),
        pa.field("change", WORD, nullable=False),  # terms.Change, the weightiest that applies
        pa.field("is_reclassed", pa.bool_(), nullable=False),
        pa.field("is_moved", pa.bool_(), nullable=False),
        pa.field("is_reattributed", pa.bool_(), nullable=False),
        pa.field("is_restaged", pa.bool_(), nullable=False),
        pa.field("revision_from", pa.int64()),
        pa.field("revision_to", pa.int64()),
        pa.field("class_from", WORD),
        pa.field("class_to", WORD),
        pa.field("annotator", WORD, nullable=False),  # of the newer side where there is one
        pa.field("batch", WORD, nullable=False),
        pa.field("schema", WORD, nullable=False),
        pa.field("stage", WORD, nullable=False),
        pa.field("identity", WORD),  # of a pair by content: content or ambiguous
    ]
)
"""What became of every annotation between two dataset versions."""

CONSENSUS = pa.schema(
    [
        pa.field("asset", pa.string(), nullable=False),
        pa.field("batch", WORD, nullable=False),  # of the consensus
        pa.field("schema", WORD, nullable=False),
        pa.field("class", WORD, nullable=False),  # the likeliest
        pa.field("kind", WORD, nullable=False),
        pa.field("x_min", pa.float64()),
        pa.field("y_min", pa.float64()),
        pa.field("x_max", pa.float64()),
        pa.field("y_max", pa.float64()),
        pa.field("posterior", pa.float64()),  # of the class; null: a single opinion
        pa.field("n_opinions", pa.int64(), nullable=False),
        pa.field("n_asked", pa.int64(), nullable=False),
        pa.field("iou_median", pa.float64()),  # of each two opinions; null: no two places
        pa.field("is_settled", pa.bool_(), nullable=False),
        pa.field("is_written", pa.bool_(), nullable=False),  # there is a label of it
        pa.field("reasons", WORD, nullable=False),  # for review: why, with commas; else empty
        pa.field("next_step", WORD),  # opinion, senior or guideline
        pa.field("opinions", pa.string(), nullable=False),  # annotations, with spaces
    ]
)
"""What a consensus found of every object."""

PREDICTIONS = pa.schema(
    [
        pa.field("asset", WORD, nullable=False),  # the image's name
        pa.field("class", WORD, nullable=False),
        pa.field("kind", WORD, nullable=False),  # terms.Kind
        pa.field("x_min", pa.float64()),
        pa.field("y_min", pa.float64()),
        pa.field("x_max", pa.float64()),
        pa.field("y_max", pa.float64()),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("geometry", GEOMETRY),
        pa.field("position", pa.int64(), nullable=False),  # index of the element in its file
        pa.field("file", WORD),  # within a folder; null: the source itself
    ]
)
"""What a model found, as its own tool wrote it: one row a prediction."""

OUTCOMES = pa.schema(
    [
        pa.field("annotation", pa.int64()),  # null: the unit is an image and a class
        pa.field("asset", WORD),
        pa.field("class", WORD),
        pa.field("good", pa.float64()),  # error of the good run, in [0, 1]; null: not known
        pa.field("bad", pa.float64()),  # error of the bad run, in [0, 1]
        pa.field("disagrees", pa.float64()),  # of the good run with the label, in [0, 1]
        pa.field("good_fault", WORD),  # missed, other_class or wrong_class; null: none, not known
        pa.field("bad_fault", WORD),
    ]
)
"""What became of every unit, a label or an image and class, under one run or two."""
