"""People whom labels mention besides their author: the ledger knows them by pseudonym only."""

from __future__ import annotations

import json

from lineage.activities.context import Project
from lineage.activities.ingest import import_labels
from tests.conftest import make_batch
from tests.formats.test_labelbox_read import label, ndjson, row


def test_reviewers_are_known_by_pseudonym_and_their_name_is_in_no_segment(
    project: Project,
) -> None:
    make_batch(project, {"car": ["box"]})
    reviews = [{"score": 1, "reviewed_by": "bo@crew.example"}]
    path = ndjson(project.root, row([label(label_details={"reviews": reviews})]))
    report = import_labels(project, [path], "b1")
    assert (report.n_added, report.n_annotators) == (1, 1)
    (batch,) = project.ledger.scan("revisions", ("annotator", "extra"), up_to=1 << 40)
    extra = json.loads(batch["extra"][0].as_py())
    (review,) = extra["reviews"]
    assert review["score"] == 1
    assert review["reviewed_by"].startswith("a-")
    assert review["reviewed_by"] != batch["annotator"][0].as_py()
    for segment in (project.root / "ledger" / "segments").iterdir():
        assert b"bo@crew.example" not in segment.read_bytes()
