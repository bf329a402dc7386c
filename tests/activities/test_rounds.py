"""A review that was done in CVAT: its stages as far as the machine lets them, its remarks, its ground truth."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from lineage.activities import infer, ingest, schemas
from lineage.activities.batches import BatchOrder, create
from lineage.activities.context import Project, open_project
from lineage.activities.gold_score import score
from lineage.activities.rounds import rounds
from lineage.activities.trace import Choice
from lineage.errors import BadInput
from lineage.labelschema import dumps
from lineage.store import read
from lineage.terms import BatchKind
from tests.cli.conftest import lineage
from tests.conftest import make_batch
from tests.formats.rest_folders import comment, issue, job, rest_folder, shape

pytestmark = pytest.mark.slow


def begin(project: Project) -> None:
    """Make the batch into which the folder's labels go."""
    attributes = {"type": "object", "properties": {"parked": {"type": "boolean"}}}
    make_batch(project, {"car": ["box"]}, attributes=attributes)


def folder(project: Project, **changed: Any) -> Path:
    """Write four jobs of two images each, one ground truth over them, and two remarks."""
    rest = changed.pop("stages", {})
    jobs = [
        job(1, *rest.get(1, ("annotation", "in progress")), (0, 1)),
        job(2, *rest.get(2, ("validation", "new")), (2, 3)),
        job(3, *rest.get(3, ("acceptance", "completed")), (4, 5)),
        job(4, *rest.get(4, ("acceptance", "rejected")), (6, 7)),
        job(5, "acceptance", "completed", (0, 7), type="ground_truth", assignee=None),
    ]
    drawn = {
        n: {"shapes": [shape(n, 2 * n - 2, [10, 10, 30, 30]), shape(10 + n, 2 * n - 1, [1, 1, 9, 9])]}
        for n in range(1, 5)
    }  # fmt: skip
    drawn[5] = {"shapes": [shape(50, 0, [10, 10, 30, 30]), shape(51, 1, [70, 70, 90, 90])]}
    issues = changed.pop("issues", None) or [
        issue(1, 1, 0, [12, 12, 28, 28]),
        issue(2, 1, 1, [200, 200, 240, 240], owner={"username": "rolf"}),
    ]
    comments = [comment(1, 1, "too wide"), comment(2, 2, "a car is missing here", "rolf")]
    return rest_folder(
        project.root / "rest",
        jobs,
        drawn,
        issues=issues,
        comments=changed.pop("comments", comments),
    )


def stages_of(project: Project) -> dict[str, list[str]]:
    """Return where the labels of each job stand, by the tool's id of the job."""
    revisions = project.ledger.read("revisions")
    entry = dict(
        zip(revisions["revision"].to_pylist(), revisions["stage"].to_pylist(), strict=True)
    )
    events = project.ledger.read("stages").to_pylist()
    entry |= {row["revision"]: row["stage"] for row in events}
    found: dict[str, list[str]] = {}
    for revision, name in zip(
        revisions["revision"].to_pylist(), revisions["source_id"].to_pylist(), strict=True
    ):
        found.setdefault(name, []).append(entry[revision])
    return {name: stages[-1] for name, stages in found.items()}


def test_jobs_move_their_labels_as_far_as_the_machine_lets_them(any_project: Project) -> None:
    begin(any_project)
    done = rounds(any_project, folder(any_project), "b1")
    assert stages_of(any_project) == {
        "shape-1": "contested", "shape-11": "submitted",
        "shape-2": "in_review", "shape-12": "in_review",
        "shape-3": "final", "shape-13": "final",
        "shape-4": "in_review", "shape-14": "in_review",
        "shape-50": "submitted", "shape-51": "submitted",
    }  # fmt: skip
    assert done.n_moved == {"in_review": 5, "final": 2, "contested": 1}
    by_job = {
        row["job"]: (row["n_in_review"], row["n_contested"], row["n_final"]) for row in done.jobs
    }
    assert by_job == {1: (0, 1, 0), 2: (2, 0, 0), 3: (0, 0, 2), 4: (2, 0, 0), 5: (0, 0, 0)}


def test_remarks_are_disputes_on_the_label_that_they_lie_on_else_on_the_image(
    project: Project,
) -> None:
    begin(project)
    done = rounds(project, folder(project), "b1")
    [on_label, on_image] = project.ledger.read("verdicts").to_pylist()
    labels = project.ledger.read("revisions").to_pylist()
    lies_on = next(row for row in labels if row["revision"] == on_label["revision"])
    assert (lies_on["source_id"], on_label["comment"], on_label["kind"]) == ("shape-1", "too wide", None)  # fmt: skip
    assert (on_image["revision"], on_image["kind"]) == (None, "missed")
    assert [row["annotation"] for row in done.remarks] == [lies_on["annotation"], None]
    with project.store.reading() as connection:
        people = {row.pseudonym: row.handle for row in read.annotators(connection)}
    assert [people[row["by"]] for row in (on_label, on_image)] == ["rita", "rolf"]
    # nobody's name goes into the ledger
    assert not any("rolf" in str(row) for row in [*labels, on_label, on_image])


def test_the_same_folder_again_changes_nothing(project: Project) -> None:
    begin(project)
    rounds(project, folder(project), "b1")
    before = project.ledger.checkpoint()
    again = rounds(project, project.root / "rest", "b1")
    assert (again.activity, again.n_verdicts, again.n_moved, again.n_gold) == (None, 0, {}, 0)
    assert project.ledger.checkpoint() == before


def test_a_later_answer_adds_what_is_new(project: Project) -> None:
    begin(project)
    rounds(project, folder(project), "b1")
    comments = [comment(1, 1, "too wide"), comment(3, 1, "still so"), comment(2, 2, "a car is missing here", "rolf")]  # fmt: skip
    stages = {1: ("acceptance", "completed"), 2: ("acceptance", "completed")}
    done = rounds(project, folder(project, comments=comments, stages=stages), "b1")
    assert done.n_verdicts == 1
    found = stages_of(project)
    # accepted, and never in review; contested before; in review, where only a blind answer lets go on
    assert [found[name] for name in ("shape-11", "shape-1", "shape-2")] == ["final", "contested", "in_review"]  # fmt: skip
    assert done.n_held == 2


def test_an_annotators_remark_on_their_own_label_is_a_question(project: Project) -> None:
    begin(project)
    own = [issue(1, 1, 0, [12, 12, 28, 28], owner={"username": "wanda"})]
    done = rounds(project, folder(project, issues=own), "b1")
    assert (done.n_own, done.n_verdicts) == (1, 0)
    assert stages_of(project)["shape-1"] == "submitted"


def test_what_cvats_reviewers_contest_can_be_settled_here(project: Project) -> None:
    begin(project)
    rounds(project, folder(project), "b1")
    words = ("--json", "review", "adjudicate", "--batch", "b1", "--for", "cvat:rolf")
    ran = lineage(project.root, *words)
    assert ran.code == 0, ran.err
    assert (ran.json["n_open"], ran.json["n_ordered"]) == (1, 1)


def test_a_remark_that_cvat_calls_resolved_is_contested_all_the_same(project: Project) -> None:
    begin(project)
    settled = [issue(1, 1, 0, [12, 12, 28, 28], resolved=True)]
    rounds(project, folder(project, issues=settled), "b1")
    [verdict] = project.ledger.read("verdicts").to_pylist()
    assert verdict["comment"] == "too wide (resolved in CVAT)"
    assert stages_of(project)["shape-1"] == "contested"


def test_ground_truth_is_gold_that_annotators_are_scored_against(project: Project) -> None:
    begin(project)
    done = rounds(project, folder(project), "b1")
    assert done.n_gold == 2
    found = score(project, Choice(batch=("b1",)))
    [row] = found.annotators
    assert (row["n_missed"], row["n_misplaced"]) == (1, 0)
    assert found.scope["n_gold"] == 2


def test_ground_truth_under_a_draft_is_no_gold_yet(project: Project) -> None:
    path = folder(project)
    document = {"name": "d", "version": "1.0", "classes": {"car": {"kinds": ["box"]}}}
    (project.root / "d.json").write_text(dumps(document))
    schemas.add(project, project.root / "d.json")
    create(project, BatchOrder("b1", "detection", "d@1.0", BatchKind.PILOT))
    assert rounds(project, path, "b1").n_gold is None
    schemas.lock(project, "d@1.0")
    assert rounds(project, path, "b1").n_gold == 2


def test_people_of_cvats_xml_and_of_its_answers_are_the_same_people(project: Project) -> None:
    begin(project)
    rounds(project, folder(project), "b1")
    xml = (
        "<annotations><version>1.1</version><meta><task><assignee><username>wanda</username></assignee>"
        '</task></meta><image id="0" name="z.png" width="90" height="90">'
        '<box label="car" xtl="1" ytl="1" xbr="9" ybr="9"/></image></annotations>'
    )
    (project.root / "z.xml").write_text(xml)
    ingest.import_labels(project, [project.root / "z.xml"], "b1")
    labels = project.ledger.read("revisions").to_pylist()
    assert labels[-1]["annotator"] == labels[0]["annotator"]


def test_a_store_rebuilt_from_segments_has_the_same_rounds(
    project: Project, tmp_path: Path
) -> None:
    begin(project)
    rounds(project, folder(project), "b1")
    root = tmp_path / "again"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns("store.db*"))
    told = [_rows(one) for one in (project, open_project(root))]
    assert told[0] == told[1]
    assert [len(rows) for rows in told[0]] == [8, 2]


def _rows(project: Project) -> list[list[Any]]:
    tables = ("stage_event", "verdict")
    with project.store.reading() as connection:
        return [connection.execute(text(f"SELECT * FROM {name} ORDER BY id")).all() for name in tables]  # fmt: skip


def test_a_folder_without_annotations_records_nothing(project: Project) -> None:
    begin(project)
    path = folder(project)
    (path / "annotations.json").unlink()
    before = project.ledger.checkpoint()
    with pytest.raises(BadInput, match=r"no annotations\.json"):
        rounds(project, path, "b1")
    assert project.ledger.checkpoint() == before


def test_cvats_own_test_server_goes_on_record(project: Project, shared_data: Path) -> None:
    path = shared_data / "cvat_rest"
    drafted = infer.infer(project.root, [path], name="rest")
    schemas.add(project, drafted)
    schemas.lock(project, "rest@0.1")
    create(project, BatchOrder("rest", "detection", "rest@0.1", BatchKind.ARCHIVE))
    done = rounds(project, path, "rest")
    assert (len(done.jobs), len(done.remarks), done.n_verdicts) == (25, 5, 5)
    assert done.n_moved == {"final": 11, "in_review": 2, "contested": 2}
    # two of five remarks lie on a shape; three places are empty, as two of them say themselves
    assert [row["annotation"] is None for row in done.remarks] == [False, True, True, True, False]
    assert done.remarks[4]["comment"] == "Wrong position"
    # of 45 labels of two ground-truth jobs two are masks on images of unknown size, one a cuboid
    assert done.n_gold == 42
    people = score(project, Choice(batch=("rest",))).annotators
    assert sorted(row["n"] for row in people) == [14, 29]
