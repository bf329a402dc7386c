"""Histories from Git: every commit an activity, every state read back as that commit has it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from lineage import formats, vcs
from lineage.activities import position, trace
from lineage.activities import version as versions
from lineage.activities.context import Project
from lineage.activities.history import import_history
from lineage.activities.ingest import import_labels
from lineage.errors import LineageError
from lineage.formats import ReadOptions
from lineage.formats.sources import Piece, find
from lineage.settings import Recipe
from lineage.vcs.history import history_of
from tests.cli.conftest import checked
from tests.cli.conftest import lineage as run
from tests.conftest import make_batch
from tests.exports import coco
from tests.vcs.test_history import commit
from tests.vcs.test_vcs import repository

pytestmark = pytest.mark.slow

Label = tuple[str, str, tuple[float, ...]]


def as_of(project: Project, sha: str) -> Counter[Label]:
    """Return the labels that hold after a commit."""
    seq = position.resolve(project, f"commit:{sha}")
    table = trace.labels(project, trace.selector_of(project, trace.Choice()), seq)
    return Counter(
        (row["asset"], row["class"], tuple(row[side] for side in _SIDES))
        for row in table.to_pylist()
    )


_SIDES = ("x_min", "y_min", "x_max", "y_max")


def in_commits(path: Path, scratch: Path) -> dict[str, Counter[Label]]:
    """Return what each commit's own files say, read by the reader alone."""
    found: dict[str, Counter[Label]] = {}
    with history_of(path) as history:
        for entry in history.commits:
            place, _ = history.write(entry, scratch)
            export = find([Piece(place, "export")], scratch=scratch.parent / "unpacked")
            read = formats.reader(export.format)
            found[entry.sha] = Counter(
                (row["asset"], row["class"], tuple(row[side] for side in _SIDES))
                for piece in export.pieces
                for chunk in read(piece.path, ReadOptions())
                for row in chunk.labels.to_pylist()
            )
    return found


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A COCO file through five commits: made, touched, moved on disk, edited by another, cut."""
    root = repository(tmp_path / "public")
    (root / "old").mkdir()
    boxes = [
        (1, "a.png", "cat", [10.0, 10, 50, 50]),
        (2, "a.png", "dog", [100.0, 100, 60, 40]),
        (3, "b.png", "cat", [5.0, 5, 30, 30]),
    ]
    coco(root / "old" / "labels.json", boxes)
    commit(root, "made", at="2020-01-01T10:00:00+08:00")
    document = json.loads((root / "old" / "labels.json").read_text())
    (root / "old" / "labels.json").write_text(json.dumps({"info": {"year": 2020}, **document}))
    commit(root, "metadata only", at="2020-01-02T10:00:00+08:00")
    (root / "new").mkdir()
    (root / "old" / "labels.json").rename(root / "new" / "labels.json")
    commit(root, "moved", at="2020-01-03T10:00:00+08:00")
    boxes[1] = (2, "a.png", "cat", [100.0, 100, 60, 40])
    coco(root / "new" / "labels.json", boxes)
    commit(root, "renamed", author="Bo <bo@team.example>", at="2020-01-04T10:00:00-02:00")
    coco(root / "new" / "labels.json", boxes[:2])
    commit(root, "cut", author="Bo <bo@team.example>", at="2020-01-05T10:00:00-02:00")
    return root / "new" / "labels.json"


def test_each_commit_is_an_activity_of_its_author_at_its_time(project: Project, repo: Path) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    done = import_history(project, repo, "b1")
    told = [
        (c.subject, c.done.n_added, c.done.n_superseded, c.done.n_retracted) for c in done.commits
    ]
    assert told == [
        ("made", 3, 0, 0),
        ("metadata only", 0, 0, 0),
        ("moved", 0, 0, 0),
        ("renamed", 0, 1, 0),
        ("cut", 0, 0, 1),
    ]
    entries = [entry for entry in trace.log(project) if "commit" in entry.parameters]
    assert entries[0].at.isoformat() == "2020-01-01T02:00:00+00:00"
    names = trace.names_of(project)
    assert [names[entry.agent] for entry in entries] == ["ada@team.example"] * 3 + [
        "bo@team.example"
    ] * 2


def test_blame_names_who_committed_a_change_and_leaves_the_rest(
    project: Project, repo: Path
) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    import_history(project, repo, "b1")
    names = trace.names_of(project)
    found = trace.blame(project, "a.png")["annotations"]
    assert isinstance(found, list)
    people = {row["box"][0]: names[row["annotator"]] for row in found}
    assert people == {10.0: "ada@team.example", 100.0: "bo@team.example"}


def test_every_state_is_the_file_at_that_commit(
    project: Project, repo: Path, tmp_path: Path
) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    import_history(project, repo, "b1")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for sha, wanted in in_commits(repo, scratch).items():
        assert as_of(project, sha) == wanted
    assert position.resolve(project, "2020-01-03T23:00:00Z") == position.resolve(
        project, f"commit:{_sha(repo, 'HEAD~2')}"
    )


def _sha(path: Path, revision: str) -> str:
    return checked(path.parent, "git", "rev-parse", revision).strip()


def test_what_was_committed_since_is_all_that_comes_in(project: Project, repo: Path) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    first = import_history(project, repo, "b1", revision="HEAD~2")
    then = import_history(project, repo, "b1")
    assert (len(first.commits), len(then.commits), then.n_known) == (3, 2, 3)
    again = import_history(project, repo, "b1")
    assert (len(again.commits), again.n_known) == (0, 5)


def test_another_history_has_no_place_in_the_batch(
    project: Project, repo: Path, tmp_path: Path
) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    import_labels(project, [coco(tmp_path / "x.json", [(1, "z.png", "cat", [1.0, 1, 9, 9])])], "b1")
    with pytest.raises(LineageError) as caught:
        import_history(project, repo, "b1")
    assert caught.value.slug == "history-differs"


def test_a_time_that_no_place_in_the_log_stands_for_is_refused(
    project: Project, repo: Path, tmp_path: Path
) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    other = coco(tmp_path / "x.json", [(1, "z.png", "cat", [1.0, 1, 9, 9])])
    from lineage.activities import batches

    batches.create(project, batches.BatchOrder("b2", "detection", "things@1.0"))
    import_labels(project, [other], "b2")
    import_history(project, repo, "b1")
    with pytest.raises(LineageError) as caught:
        position.resolve(project, "2020-06-01T00:00:00Z")
    assert caught.value.slug == "as-of-out-of-order"


def test_versions_of_two_commits_differ_by_what_was_committed(project: Project, repo: Path) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    import_history(project, repo, "b1")
    names = []
    for sha in (_sha(repo, "HEAD~4"), _sha(repo, "HEAD")):
        manifest = versions.build(project, Recipe(as_of=f"commit:{sha}"))
        names.append(str(manifest["name"]))
    counts = versions.diff(project, *names).found.counts
    assert (counts["n_reclassed"], counts["n_retracted"], counts["n_added"]) == (1, 1, 0)


def test_the_command_tells_each_commit(project: Project, repo: Path) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    done = run(project.root, "import", "--from-git", str(repo), "--batch", "b1")
    assert done.code == 0, done.err
    assert "5 commits recorded in b1" in done.out
    again = run(project.root, "--json", "import", "--from-git", str(repo), "--batch", "b1")
    assert again.json == {"batch": "b1", "n_known": 5, "commits": []}
    dry = run(project.root, "import", "--from-git", str(repo), "--batch", "b1", "--dry-run")
    assert dry.code == 2


def test_the_blood_cells_of_2017_come_in_whole(
    project: Project, shared_data: Path, tmp_path: Path
) -> None:
    bundle = shared_data / "git_histories" / "bccd_labels.bundle"
    checked(tmp_path, "git", "clone", "-q", str(bundle), "bccd")
    path = tmp_path / "bccd" / "BCCD" / "Annotations"
    make_batch(project, {name: ["box"] for name in ("RBC", "WBC", "Platelets")})
    done = import_history(project, path, "b1")
    told = [
        (c.done.n_read, c.done.n_added, c.done.n_superseded, c.done.n_retracted)
        for c in done.commits
    ]
    # the two boxes without an area are quarantined each time; nothing else ever changes
    assert told == [(4888, 4886, 0, 0)] + [(4888, 0, 0, 0)] * 4
    assert [c.author for c in done.commits][::2] == [
        "csg19971016@gmail.com",
        "italojs@pop-os.localdomain",
        "italojs@pop-os.localdomain",
    ]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for sha, wanted in in_commits(path, scratch).items():
        flat = {
            label for label in wanted if label[2][0] == label[2][2] or label[2][1] == label[2][3]
        }
        stood = as_of(project, sha)
        assert len(flat) == 2
        assert sorted(c[1:] for c in stood.elements()) == sorted(
            c[1:] for c in wanted.elements() if c not in flat
        )
    assert vcs.is_git(path)
