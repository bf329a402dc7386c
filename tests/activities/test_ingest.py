"""Import, from real and hand-made exports to rows of the ledger."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.activities import batches, contents, infer, schemas, select, trace, version
from lineage.activities.context import Project, open_project
from lineage.activities.ingest import ImportOptions, ImportReport, import_labels
from lineage.activities.select import Selector
from lineage.errors import BadInput, LineageError, NotFound, Refused
from lineage.settings import Recipe
from lineage.store import read
from tests.conftest import make_batch
from tests.exports import annotation, coco, label_studio, region

WHOLE = ImportOptions(is_whole=True)
BOX = [10.0, 10.0, 50.0, 40.0]


def put(project: Project, path: Path, options: ImportOptions = WHOLE) -> ImportReport:
    return import_labels(project, [path], "b1", options=options)


def summary(report: ImportReport) -> tuple[int, int, int, int, int]:
    return (
        report.n_added, report.n_superseded, report.n_retracted, report.n_unchanged, report.n_rejected,
    )  # fmt: skip


def live(project: Project, up_to: int | None = None) -> list[dict[str, Any]]:
    with project.store.reading() as connection:
        size = read.head(connection).size
    wanted = ["annotation", "revision", "class", "x_min", "source_id", "annotator", "stage"]
    return select.table(project.ledger, Selector(), wanted, up_to=up_to or size).to_pylist()


def state(project: Project) -> tuple[str, list[str]]:
    """Return what must not change when something is refused."""
    checkpoint = project.ledger.checkpoint()
    root = "" if checkpoint is None else checkpoint.root
    return root, sorted(p.name for p in (project.root / "ledger").rglob("*"))


def count_label_studio(path: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for task in json.loads(path.read_text()):
        for entry in task["annotations"]:
            if not entry["was_cancelled"]:
                for row in entry["result"]:
                    labels = row["value"].get("rectanglelabels") or row["value"].get("choices")
                    found.update(labels)
    return found


def count_coco(path: Path) -> Counter[str]:
    document = json.loads(path.read_text())
    names = {c["id"]: c["name"] for c in document["categories"]}
    return Counter(names[a["category_id"]] for a in document["annotations"])


def count_cvat(path: Path) -> Counter[str]:
    return Counter(e.attrib["label"] for e in ElementTree.parse(path).iter("box"))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("cats_two_tools/label_studio.json", count_label_studio),
        ("cats_two_tools/cvat.xml", count_cvat),
        ("label_studio_live/export_JSON.json", count_label_studio),
        ("voc100/cvat_format/annotations.xml", count_cvat),
        ("voc100/coco_format_v1/instances_default.json", count_coco),
        ("taco/v1-56bdab81.json", count_coco),
    ],
)
def test_real_exports_come_in_with_the_counts_an_independent_script_reads(
    project: Project, shared_data: Path, name: str, count: Any
) -> None:
    path = shared_data / name
    draft = infer.infer(project.root, [path], name="real")
    schemas.add(project, draft)
    schemas.lock(project, "real@0.1")
    batches.create(project, batches.BatchOrder("b1", "real", "real@0.1"))
    report = put(project, path)
    expected = count(path)
    assert (report.n_read, report.n_added, report.n_rejected) == (
        expected.total(),
        expected.total(),
        0,
    )
    assert Counter(row["class"] for row in live(project)) == expected
    before = state(project)
    again = put(project, path)
    assert again.is_repeat
    assert (again.activity, again.n_unchanged) == (None, expected.total())
    assert state(project) == before


def test_three_annotators_keep_their_labels_apart(project: Project, shared_data: Path) -> None:
    path = shared_data / "three_annotators" / "label_studio.json"
    draft = infer.infer(project.root, [path], name="real")
    schemas.add(project, draft)
    schemas.lock(project, "real@0.1")
    batches.create(project, batches.BatchOrder("b1", "real", "real@0.1"))
    report = put(project, path)
    assert (report.n_added, report.n_rejected) == (121, 0)
    people = select.table(project.ledger, Selector(origins=("human",)), ["annotator"], up_to=9)
    assert people.num_rows == 91
    assert len(set(people["annotator"].to_pylist())) == 3


def test_tacos_three_versions_are_told_apart_by_content_not_by_id(
    project: Project, shared_data: Path
) -> None:
    paths = sorted((shared_data / "taco").glob("v*.json"))
    draft = infer.infer(project.root, paths, name="taco")
    schemas.add(project, draft)
    schemas.lock(project, "taco@0.1")
    batches.create(project, batches.BatchOrder("b1", "litter", "taco@0.1"))
    assert summary(put(project, paths[0])) == (1827, 0, 0, 0, 0)
    assert summary(put(project, paths[1])) == (0, 0, 0, 1827, 0)
    report = put(project, paths[2])
    # of the 1,823 that stayed, eight had their class merged into another
    assert summary(report) == (329, 8, 4, 1815, 0)
    assert report.identity["used"] == "content"
    assert (report.identity["n_inferred"], report.identity["n_ambiguous"]) == (8, 0)


def test_a_newer_export_records_only_what_changed(project: Project) -> None:
    make_batch(project, {"car": ["box"], "dog": ["box"]})
    rows = [(i, f"{i % 3}.png", "car", [10.0 + 40 * i, 10, 30, 30]) for i in range(6)]
    put(project, coco(project.root / "1.json", rows))
    rows[1] = (1, "1.png", "car", [55.0, 10, 30, 30])
    rows[2] = (2, "2.png", "dog", rows[2][3])
    rows[5] = (7, "2.png", "car", [400.0, 300, 30, 30])
    report = put(project, coco(project.root / "2.json", rows))
    assert summary(report) == (1, 2, 1, 3, 0)
    assert report.identity["used"] == "id"
    found = {row["annotation"]: row for row in live(project)}
    assert sorted(found) == [1, 2, 3, 4, 5, 7]
    assert (found[2]["x_min"], found[3]["class"]) == (55.0, "dog")


def test_without_whole_nothing_is_retracted(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    put(
        project, coco(project.root / "1.json", [(1, "a.png", "car", BOX), (2, "b.png", "car", BOX)])
    )
    report = put(
        project, coco(project.root / "2.json", [(1, "a.png", "car", BOX)]), ImportOptions()
    )
    assert summary(report) == (0, 0, 0, 1, 0)
    assert len(live(project)) == 2


def test_cvat_shapes_are_recognised_without_ids(project: Project) -> None:
    make_batch(project, {"car": ["box"], "dog": ["box"]})

    def cvat(name: str, boxes: Sequence[tuple[str, float]]) -> Path:
        shapes = "".join(
            f'<box label="{label}" source="manual" occluded="0" xtl="{x}" ytl="10" xbr="{x + 50}" ybr="60" z_order="0"/>'
            for label, x in boxes
        )
        path = project.root / name
        path.write_text(
            "<annotations><version>1.1</version><meta><job><id>1</id><assignee><username>ann</username>"
            "<email>ann@x.example</email></assignee></job></meta>"
            f'<image id="0" name="a.png" width="640" height="480">{shapes}</image></annotations>'
        )
        return path

    put(project, cvat("1.xml", [("car", 10), ("car", 100), ("dog", 300)]))
    report = put(project, cvat("2.xml", [("car", 110), ("car", 10), ("car", 300)]))
    assert summary(report) == (0, 2, 0, 1, 0)
    assert report.identity["used"] == "content"
    rows = project.ledger.read(
        "revisions", ("annotation", "identity", "identity_score"), after=4
    ).to_pylist()
    assert {r["annotation"]: r["identity"] for r in rows} == {2: "content", 3: "content"}
    assert all(0.5 < r["identity_score"] <= 1 for r in rows)


def test_a_correction_by_another_person_supersedes(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    first = [("a.png", [annotation(1, "ann@x.example", [region("r", "car", 1, 1, 9, 9)])])]
    put(project, label_studio(project.root / "1.json", first))
    first[0][1][0]["completed_by"] = "bob@x.example"
    report = put(project, label_studio(project.root / "2.json", first))
    assert summary(report) == (0, 1, 0, 0, 0)
    found = trace.blame(project, "a.png")["annotations"]
    assert isinstance(found, list)
    names = trace.names_of(project)
    assert names[found[0]["annotator"]] == "bob@x.example"


def test_metadata_alone_changes_no_label(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    tasks = [("a.png", [annotation(1, 1, [region("r", "car", 1, 1, 9, 9)])])]
    put(project, label_studio(project.root / "1.json", tasks))
    tasks[0][1][0] |= {"updated_at": "2026-04-01T00:00:00Z", "lead_time": 99.0}
    report = put(project, label_studio(project.root / "2.json", tasks))
    assert summary(report) == (0, 0, 0, 1, 0)


def test_identity_may_be_forced(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    put(
        project,
        coco(
            project.root / "1.json",
            [(1, "a.png", "car", BOX), (2, "a.png", "car", [200.0, 200, 50, 50])],
        ),
    )
    swapped = coco(
        project.root / "2.json",
        [(2, "a.png", "car", BOX), (1, "a.png", "car", [200.0, 200, 50, 50])],
    )
    by_id = put(project, swapped, dataclasses.replace(WHOLE, identity="id", is_dry_run=True))
    assert summary(by_id) == (0, 2, 0, 0, 0)
    by_content = put(
        project, swapped, dataclasses.replace(WHOLE, identity="content", is_dry_run=True)
    )
    assert summary(by_content) == (0, 0, 0, 2, 0)
    with pytest.raises(BadInput, match="expected auto, id or content"):
        put(project, swapped, ImportOptions(identity="guess"))


def test_violations_are_complete_and_the_rest_goes_in(project: Project) -> None:
    make_batch(project, {"car": ["box"], "dog": ["polygon"]})
    rows = [
        (1, "a.png", "car", BOX),
        (2, "a.png", "dog", BOX),
        (3, "a.png", "cat", BOX),
        (4, "a.png", "car", [600.0, 10, 90, 40]),
        (5, "a.png", "car", [50.0, 50, -20, 10]),
        (6, "a.png", "car", [50.0, 50, 0, 10]),
        (7, "a.png", "cat", [1e9, 0, 1e308, 5]),
    ]
    report = put(project, coco(project.root / "1.json", rows))
    assert (report.n_read, report.n_added, report.n_rejected) == (7, 1, 6)
    assert report.by_rule == {
        "absurd-coordinate": 1, "inverted-box": 1, "kind-not-allowed": 1, "outside-image": 1,
        "unknown-class": 2, "zero-area": 1,
    }  # fmt: skip
    table = project.ledger.read("quarantine").to_pylist()
    assert len(table) == 7
    assert {(r["annotation"], r["rule"]) for r in table} >= {
        ("7", "unknown-class"),
        ("7", "absurd-coordinate"),
    }
    assert all(r["source"] == "1.json" and r["expected"] and json.loads(r["label"]) for r in table)
    assert report.violations_path is not None
    assert (project.root / report.violations_path).is_file()


def test_strict_refuses_the_whole_file_and_a_rehearsal_writes_nothing(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    path = coco(project.root / "1.json", [(1, "a.png", "car", BOX), (2, "a.png", "cat", BOX)])
    before = state(project)
    rehearsed = put(project, path, ImportOptions(is_dry_run=True))
    assert summary(rehearsed) == (1, 0, 0, 0, 1)
    with pytest.raises(Refused, match=r"1 of 2 labels violate the schema \(unknown-class 1\)"):
        put(project, path, ImportOptions(is_strict=True))
    assert state(project) == before
    assert (project.root / ".lineage" / "violations.parquet").is_file()
    assert not list((project.root / ".lineage").glob("import-*"))


def test_attributes_are_checked_and_an_alias_is_resolved(project: Project) -> None:
    rules = {
        "type": "object",
        "properties": {"occluded": {"type": "boolean"}},
        "required": ["occluded"],
    }
    make_batch(project, {"car": ["box"]}, attributes=rules)
    good = coco(project.root / "1.json", [(1, "a.png", "car", BOX)], attributes={"occluded": True})
    assert summary(put(project, good)) == (1, 0, 0, 0, 0)
    bad = coco(project.root / "2.json", [(2, "b.png", "car", BOX)], attributes={"occluded": "yes"})
    assert put(project, bad, ImportOptions()).by_rule == {"attributes-type": 1}


def test_looked_and_nothing_there_is_on_the_roster(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    tasks = [
        ("a.png", [annotation(1, 1, [])]),
        ("b.png", []),
        ("c.png", [annotation(2, 1, [], was_cancelled=True)]),
    ]
    put(project, label_studio(project.root / "1.json", tasks))
    rows = project.ledger.read("roster", ("annotator", "presence")).to_pylist()
    assert [r["presence"] for r in rows] == ["empty", "pending", "skipped"]
    assert rows[1]["annotator"] == "unknown"


def test_the_stage_is_what_the_import_says(project: Project) -> None:
    from lineage.terms import Stage

    make_batch(project, {"car": ["box"]})
    put(
        project,
        coco(project.root / "1.json", [(1, "a.png", "car", BOX)]),
        ImportOptions(stage=Stage.FINAL),
    )
    assert live(project)[0]["stage"] == "final"
    stages = trace.show(project, 1)["stages"]
    assert isinstance(stages, list)
    assert (stages[0]["stage"], stages[0]["basis"]) == ("final", "import")


def test_batches_and_schemas_guard_the_door(project: Project) -> None:
    path = coco(project.root / "1.json", [(1, "a.png", "car", BOX)])
    with pytest.raises(NotFound, match="no batch 'b1'"):
        put(project, path)
    make_batch(project, {"car": ["box"]})
    file = project.root / "schemas" / "things" / "v1.0.json"
    original = file.read_text()
    file.write_text(original.replace('"box"', '"polygon"'))
    with pytest.raises(Refused, match=r"is not the locked things@1\.0 on record"):
        put(project, path)
    file.write_text(original)
    batches.close(project, "b1")
    with pytest.raises(Refused, match="b1 is closed"):
        put(project, path)


def test_only_a_pilot_may_use_a_draft_and_it_enters_no_version(project: Project) -> None:
    from lineage.terms import BatchKind

    file = project.root / "d.json"
    file.write_text(
        json.dumps({"name": "d", "version": "0.1", "classes": {"car": {"kinds": ["box"]}}})
    )
    schemas.add(project, file)
    with pytest.raises(Refused, match="only a pilot"):
        batches.create(project, batches.BatchOrder("b1", "t", "d@0.1"))
    batches.create(project, batches.BatchOrder("b1", "t", "d@0.1", BatchKind.PILOT))
    put(project, coco(project.root / "1.json", [(1, "a.png", "car", BOX)]))
    with pytest.raises(Refused, match="chooses no image"):
        version.build(project)
    found = contents.choose(project, Recipe(include_pilots=True), 3)
    assert found.labels.num_rows == 1


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"null", b'{"images": [', b"<x>", b""])
def test_what_is_no_export_changes_nothing(project: Project, content: bytes) -> None:
    make_batch(project, {"car": ["box"]})
    path = project.root / "1.json"
    path.write_bytes(content)
    before = state(project)
    with pytest.raises(BadInput):
        put(project, path)
    assert state(project) == before
    assert not list((project.root / ".lineage").glob("import-*"))


def test_a_missing_file_and_mixed_formats_are_refused(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    with pytest.raises(BadInput, match="no file"):
        put(project, project.root / "nope.json")
    paths = [
        coco(project.root / "1.json", [(1, "a.png", "car", BOX)]),
        label_studio(project.root / "2.json", [("a.png", [])]),
    ]
    with pytest.raises(BadInput, match="must have one format"):
        import_labels(project, paths, "b1")


def test_an_image_of_two_sizes_is_told(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    put(project, coco(project.root / "1.json", [(1, "a.png", "car", BOX)]))
    path = project.root / "2.json"
    document = json.loads((project.root / "1.json").read_text())
    document["images"].append({"id": 5, "file_name": "a.png", "width": 10, "height": 10})
    path.write_text(json.dumps(document))
    assert put(project, path).by_rule == {"asset-size-conflict": 1}


ACTIONS = st.lists(
    st.lists(
        st.tuples(st.integers(1, 8), st.sampled_from(["car", "dog"]), st.integers(0, 3)),
        max_size=8,
        unique_by=lambda row: row[0],
    ),
    min_size=1,
    max_size=5,
)


Histories = list[list[tuple[int, str, int]]]


@given(ACTIONS)
@settings(max_examples=6)
def test_random_histories_read_back_as_of_every_moment(histories: Histories) -> None:
    read_back(histories)


@pytest.mark.slow
@given(ACTIONS)
@settings(max_examples=60)
def test_more_random_histories_read_back_too(histories: Histories) -> None:
    read_back(histories)


def read_back(histories: Histories) -> None:
    """Import random whole exports in turn; the record as of each equals that export."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "p"
        root.mkdir()
        subprocess.run(["git", "init", "-q", str(root)], check=True)
        (root / ".lineage").mkdir()
        (root / ".lineage" / "config.toml").write_text('origin = "p"\n')
        project = open_project(root)
        make_batch(project, {"car": ["box"], "dog": ["box"]})
        moments = []
        for at, rows in enumerate(histories):
            boxes = [
                (key, f"{key % 2}.png", class_, [70.0 * key - 60, 20.0 * x, 50, 50])
                for key, class_, x in rows
            ]
            boxes.append((99, "0.png", "car", [0.0, 400, 20, 20]))
            put(project, coco(root / f"{at}.json", boxes))
            with project.store.reading() as connection:
                moments.append((read.head(connection).size, boxes))
        for seq, boxes in moments:
            wanted = ["class", "x_min", "y_min", "asset"]
            found = select.table(project.ledger, Selector(), wanted, up_to=seq).to_pylist()
            assert sorted((r["class"], r["x_min"], r["y_min"]) for r in found) == sorted(
                (class_, box[0], box[1]) for _, _, class_, box in boxes
            )
        (root / ".lineage" / "store.db").unlink()
        again = open_project(root)
        assert again.ledger.checkpoint() == project.ledger.checkpoint()


WRITER = """
import sys
from pathlib import Path
from lineage.activities.context import open_project
from lineage.activities.ingest import import_labels
project = open_project(Path(sys.argv[1]), agent=sys.argv[3])
import_labels(project, [Path(sys.argv[2])], "b1")
"""


def start_import(project: Project, path: Path, who: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(project.root), str(path), who], stderr=subprocess.PIPE
    )


@pytest.mark.slow
def test_imports_at_once_lose_and_double_nothing(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    paths = [
        coco(
            project.root / f"{i}.json",
            [(100 * i + k, f"{i}-{k}.png", "car", BOX) for k in range(20)],
        )
        for i in range(4)
    ]
    running = [start_import(project, path, f"p{i}@x.example") for i, path in enumerate(paths)]
    for process in running:
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr.decode()
    assert sorted(int(row["source_id"]) for row in live(project)) == sorted(
        100 * i + k for i in range(4) for k in range(20)
    )
    with project.store.reading() as connection:
        assert sorted(read.roots(connection)) == list(range(1, 8))
    open_project(project.root)


def test_ctrl_c_leaves_no_trace(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    path = coco(project.root / "1.json", [(k, f"{k}.png", "car", BOX) for k in range(50)])
    before = state(project)
    script = WRITER.replace(
        "import_labels(project",
        # a runner in the background hands an ignored SIGINT down
        "import os, signal, lineage.segments as s\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "old = s.SegmentWriter.append\n"
        "def stop(self, table, batch):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return old(self, table, batch)\n"
        "s.SegmentWriter.append = stop\n"
        "import_labels(project",
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(project.root), str(path), "x"],
        capture_output=True,
        check=False,
    )
    assert done.returncode in (-signal.SIGINT, 1, 130)
    assert b"KeyboardInterrupt" in done.stderr
    assert state(project) == before
    assert summary(put(project, path)) == (50, 0, 0, 0, 0)


def test_a_full_disk_is_a_clean_refusal(project: Project) -> None:
    """Limit the size of files that the process may write: the system says no as a full disk does."""
    make_batch(project, {"car": ["box"]})
    rng = np.random.default_rng(1)
    rows = [(k, f"{k}.png", "car", [float(x) for x in rng.uniform(1, 200, 4)]) for k in range(4000)]
    path = coco(project.root / "1.json", rows)
    before = state(project)
    script = WRITER.replace(
        "import_labels(project",
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "import_labels(project",
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(project.root), str(path), "x"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"lineage.errors" in done.stderr or b"OSError" in done.stderr
    assert state(project) == before
    assert summary(put(project, path)) == (4000, 0, 0, 0, 0)


def test_errors_name_what_helps(project: Project) -> None:
    with pytest.raises(LineageError) as caught:
        put(project, project.root / "x.json")
    assert caught.value.hint


def test_a_name_that_the_caller_gives_is_one_person_in_every_tool(
    project: Project, tmp_path: Path
) -> None:
    make_batch(project, {"cat": ["box"]})
    first = coco(tmp_path / "a.json", [(1, "a.png", "cat", [1.0, 1, 20, 20])])
    import_labels(project, [first], "b1", options=ImportOptions(annotator="ann"))
    table = tmp_path / "b.csv"
    table.write_text("image,label,x1,y1,x2,y2\na.png,cat,1,1,21,21\n")
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "kind: box\ncolumns: {asset: image, class: label, x_min: x1, y_min: y1, x_max: x2, y_max: y2}\n"
    )
    done = import_labels(
        project,
        [table],
        "b1",
        options=ImportOptions(map=mapping, annotator="ann", identity="content"),
    )
    assert (done.n_added, done.n_unchanged) == (0, 1)
    assert [name for name in trace.names_of(project).values() if "ann" in name] == ["ann"]
