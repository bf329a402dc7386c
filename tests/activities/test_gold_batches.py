"""Gold by params.yaml: declared once, edge cases from attributes, and what people took back stays so."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from lineage import settings
from lineage.activities import gold, pipeline
from lineage.activities.context import Project
from lineage.activities.gold_batches import GoldBatch
from lineage.activities.gold_list import gold_list
from lineage.activities.trace import Choice
from lineage.errors import BadInput, Refused
from lineage.labelschema import dumps
from tests.activities.test_readiness import n_activities, on_record, pilot
from tests.exports import annotation, label_studio, region

CASES = {"hidden": {"partly": "partly_hidden"}, "far": {"true": "far_off"}}


def planned(project: Project, **more: object) -> None:
    """Write a schema with edge cases, a table of labels, and params.yaml that makes them gold."""
    rules = {
        "type": "object",
        "properties": {"hidden": {"enum": ["no", "partly"]}, "far": {"type": "boolean"}},
    }
    cat = {"kinds": ["box"], "edge_cases": {"partly_hidden": "", "far_off": ""}}
    classes = {
        "cat": {**cat, "attributes": rules},
        "dog": {"kinds": ["box"], "attributes": rules},
    }
    path = project.root / "schemas" / "things" / "v1.0.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dumps({"name": "things", "version": "1.0", "classes": classes}))
    (project.root / "map.yaml").write_text(
        "kind: box\ncolumns: {asset: image, annotator: who, class: label, x_min: x1, y_min: y1, "
        "x_max: x2, y_max: y2}\nattributes: [hidden, far]\ntypes: {far: boolean}\n"
    )
    (project.root / "inbox").mkdir(exist_ok=True)
    with (project.root / "inbox" / "gold.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "who", "label", "x1", "y1", "x2", "y2", "hidden", "far"])
        rows.writerow(["a.png", "eve", "cat", 1, 1, 9, 9, "partly", "false"])
        rows.writerow(["a.png", "eve", "cat", 20, 1, 29, 9, "no", "true"])
        rows.writerow(["a.png", "eve", "cat", 40, 1, 49, 9, "no", "false"])
        rows.writerow(["a.png", "eve", "dog", 60, 1, 69, 9, "partly", "false"])
    batch = {
        "tag": "gold",
        "task": "detection",
        "schema": "things@1.0",
        "gold": True,
        "gold_edge_cases": CASES,
        "sources": [{"path": "inbox/gold.csv", "map": "map.yaml"}],
        **more,
    }
    write(project, [batch])


def write(project: Project, entries: list[dict[str, object]]) -> None:
    document = {"schemas_dir": "schemas", "ingest": {"batches": entries}}
    (project.root / "params.yaml").write_text(yaml.safe_dump(document))


def cases(project: Project) -> list[tuple[object, object]]:
    return [(row["class"], row["edge_case"]) for row in gold_list(project).gold]


ALL = [("cat", None), ("cat", "far_off"), ("cat", "partly_hidden"), ("dog", None)]


def test_labels_become_gold_with_the_edge_cases_that_their_class_knows(project: Project) -> None:
    planned(project)
    assert pipeline.ingest(project).gold == (GoldBatch("gold", 4, 0, 0),)
    assert sorted(cases(project), key=str) == sorted(ALL, key=str)


def test_a_second_ingest_records_nothing(project: Project) -> None:
    planned(project)
    pipeline.ingest(project)
    before = n_activities(project)
    again = pipeline.ingest(project)
    assert again.gold == (GoldBatch("gold", 0, 4, 0),)
    assert n_activities(project) == before


def test_what_somebody_took_back_is_not_declared_again(project: Project) -> None:
    planned(project)
    pipeline.ingest(project)
    gold.drop(project, Choice(class_=("dog",)), reason="too blurred")
    before = n_activities(project)
    assert pipeline.ingest(project).gold == (GoldBatch("gold", 0, 3, 1),)
    assert n_activities(project) == before
    assert ("dog", None) not in cases(project)


def test_edge_cases_that_are_named_later_are_declared_then(project: Project) -> None:
    planned(project, gold_edge_cases={})
    pipeline.ingest(project)
    assert {case for _, case in cases(project)} == {None}
    planned(project)
    assert pipeline.ingest(project).gold == (GoldBatch("gold", 2, 2, 0),)
    assert sorted(cases(project), key=str) == sorted(ALL, key=str)


def test_an_edge_case_that_no_class_knows_is_refused(project: Project) -> None:
    planned(project, gold_edge_cases={"hidden": {"partly": "partly_hiden"}})
    done = pipeline.ingest(project)
    assert [refusal.slug for refusal in done.refused] == ["gold-edge-case"]
    assert (done.gold, gold_list(project).n) == ((), 0)


def test_a_batch_without_labels_has_no_gold(project: Project) -> None:
    planned(project, sources=[])
    assert pipeline.ingest(project).gold == (GoldBatch("gold", 0, 0, 0),)


def test_ingest_alone_sets_a_project_up_from_gold_to_volume(project: Project) -> None:
    on_record(project)
    inbox = project.root / "inbox"
    inbox.mkdir(exist_ok=True)
    told = [annotation(1, 9, [region("r", "cat", 10, 10, 20, 20)])]
    dogs = [annotation(2, 9, [region("s", "dog", 10, 10, 20, 20)])]
    label_studio(inbox / "gold.json", [("g.png", told), ("h.png", dogs)])
    label_studio(inbox / "vol.json", [("v.png", [annotation(3, 1, [])])])
    common = {"task": "detection", "schema": "things@1.0"}
    policy = {"overlap_fraction": 0.1, "review_fraction": 0.1, "gold_fraction": 0.1}
    entries: list[dict[str, object]] = [
        {"tag": "gold", **common, "gold": True, "sources": [{"path": "inbox/gold.json"}]},
        {"tag": "p1", **common, "kind": "pilot"},
        {
            "tag": "vol",
            **common,
            "kind": "volume",
            **policy,
            "sources": [{"path": "inbox/vol.json"}],
        },
    ]
    write(project, entries)
    (refusal,) = pipeline.ingest(project).refused
    assert (refusal.batch, refusal.slug) == ("vol", "batch-not-ready")
    for word in ("cat: behind_glass", "too few objects"):
        assert word in refusal.message
    pilot(project)
    edge = gold.GoldOrder(edge_case="behind_glass")
    gold.add(project, Choice(class_=("cat",), batch=("gold",)), edge)
    # the edge case that was said by hand stays: params.yaml says nothing of edge cases
    done = pipeline.ingest(project)
    assert done.refused == ()
    assert [entry.batch for entry in done.imports] == ["gold", "vol"]


def test_a_policy_on_record_is_not_changed_by_params(project: Project) -> None:
    planned(project, overlap_fraction=0.1)
    pipeline.ingest(project)
    planned(project, overlap_fraction=0.2, agreement_least=0.9)
    before = n_activities(project)
    with pytest.raises(Refused) as caught:
        pipeline.ingest(project)
    assert caught.value.slug == "batch-differs"
    assert "overlap_fraction 0.1, not 0.2, agreement_least 0.8, not 0.9" in caught.value.message
    assert n_activities(project) == before


def test_edge_cases_are_words_by_value_by_attribute(tmp_path: Path) -> None:
    def read(told: str) -> settings.IngestBatch:
        text = f"ingest: {{batches: [{{tag: a, task: t, schema: s@1.0, gold_edge_cases: {told}}}]}}"
        (tmp_path / "params.yaml").write_text(text)
        return settings.load_params(tmp_path).ingest[0]

    assert read("{far: {true: far_off, 3: third}}").gold_edge_cases == {
        "far": {"true": "far_off", "3": "third"}
    }
    for wrong in ("[a]", "{far: far_off}", "{far: {true: 3}}"):
        with pytest.raises(BadInput, match="expected words by attribute and value"):
            read(wrong)
