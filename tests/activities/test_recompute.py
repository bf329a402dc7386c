"""A version again: from the ledger alone, and as it would have been without some labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lineage.activities import batches, ledger_only, position, recipes, subset, version
from lineage.activities.batches import BatchOrder
from lineage.activities.context import Project, locate, open_project
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.activities.recompute import Recomputed, recompute
from lineage.activities.recompute_without import without
from lineage.errors import LineageError, Refused, StoreFault
from lineage.settings import Recipe
from lineage.terms import BatchKind
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

WHOLE = ImportOptions(is_whole=True)


@pytest.fixture(scope="module")
def template(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ada drew on eight images, Bo on four of them and four others, and found one empty; then Cy corrected Ada."""
    root = tmp_path_factory.mktemp("filled") / "proj"
    shutil.copytree(empty_project, root)
    project = open_project(root, agent="tess@team.example")
    make_batch(project, {"car": ["box"], "dog": ["box"]})
    make_batch(project, {"car": ["box"], "dog": ["box"]}, tag="b2")
    first = [
        (f"i{at}.png", [annotation(at, "ada@x.example", [
            region(f"a{at}-{k}", "dog" if k else "car", 5.0 + 30 * k, 10, 15, 20) for k in range(2)])])
        for at in range(8)
    ]  # fmt: skip
    second = [
        (f"i{at}.png", [annotation(100 + at, "bo@x.example", [region(f"b{at}", "car", 5, 10, 15, 20)])])
        for at in range(4, 12)
    ]  # fmt: skip
    second.append(("empty.png", [annotation(200, "bo@x.example", [])]))
    for tag, tasks in (("b1", first), ("b2", second)):
        import_labels(project, [label_studio(project.root / f"{tag}.json", tasks)], tag, options=WHOLE)  # fmt: skip
    tasks = json.loads((project.root / "b1.json").read_text())
    for at in range(3):
        answer = tasks[at]["annotations"][0]
        answer["completed_by"] = "cy@x.example"
        answer["result"][0]["value"]["x"] += 1
    path = project.root / "b1-corrected.json"
    path.write_text(json.dumps(tasks))
    import_labels(project, [path], "b1", options=WHOLE)
    version.build(project, Recipe())
    return root


@pytest.fixture
def filled(template: Path, tmp_path: Path) -> Project:
    """That project, the test's own."""
    root = tmp_path / "proj"
    shutil.copytree(template, root)
    return open_project(root, agent="tess@team.example")


def built(project: Project) -> str:
    """Return the one version that is there."""
    (name,) = project.ledger.versions()
    return name


def labels(project: Project, name: str) -> dict[int, tuple[int, str]]:
    found = version.labels_of(project, name).labels
    names = ("annotation", "revision", "annotator")
    return {a: (r, who) for a, r, who in zip(*(found[n].to_pylist() for n in names), strict=True)}


def splits(project: Project, name: str) -> dict[str, str]:
    assets = version.labels_of(project, name).assets
    return dict(zip(assets["asset"].to_pylist(), assets["split"].to_pylist(), strict=True))


def on_ledger_alone(root: Path, name: str) -> Recomputed:
    """Recompute in what a clone has: the ledger, no store, nobody's name, no dataset."""
    shutil.rmtree(root / "data" / "dataset", ignore_errors=True)
    for path in (root / ".lineage").iterdir():
        if path.name not in ("config.toml", ".gitignore"):
            path.unlink() if path.is_file() else shutil.rmtree(path)
    with ledger_only.opened(locate(root)) as project:
        found = recompute(project, name)
    assert not list((root / ".lineage").glob("store*")), "no store is built"
    return found


def rewritten(project: Project, name: str, **values: Any) -> None:
    """Change a version's manifest as it stands in the registry."""
    path = project.ledger.registry / f"{name}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_clone_without_a_store_gets_the_same_labels_and_bytes(filled: Project) -> None:
    name = built(filled)
    version.tag(filled, name, "one")
    found = on_ledger_alone(filled.root, "one")
    assert (found.version, found.tags, found.differs) == (name, ["one"], [])
    assert (found.n_annotations, found.n_assets) == (24, 13)


@pytest.mark.slow
def test_what_differs_is_named_and_what_it_means(filled: Project) -> None:
    name = built(filled)
    manifest = version.get(filled, name)
    files = [dict(entry) for entry in manifest["files"]]  # type: ignore[attr-defined]
    files[0]["sha256"] = "0" * 64
    rewritten(filled, name, files=files)
    found = recompute(filled, name)
    assert [(d.what, d.where) for d in found.differs] == [("bytes", files[0]["path"])]
    assert not found.is_as_promised, "the same writer wrote other bytes"
    other = {**manifest["writer"], "pyarrow": "1.0"}  # type: ignore[dict-item]
    rewritten(filled, name, files=files, writer=other)
    found = recompute(filled, name)
    assert {d.what for d in found.differs} == {"bytes", "writer"}
    assert (found.is_digest_same, found.is_same_bytes, found.is_as_promised) == (True, False, True)
    rewritten(filled, name, recipe={**manifest["recipe"], "classes": ["dog"]})  # type: ignore[dict-item]
    found = recompute(filled, name)
    assert not found.is_digest_same
    assert not found.is_as_promised
    rewritten(filled, name, log_root="f" * 64)
    assert "log_root" in {d.what for d in recompute(filled, name).differs}


def test_a_header_that_was_changed_does_not_continue_the_log(filled: Project) -> None:
    built(filled)
    path = filled.ledger.segments / "00000003.activity.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "agent": "somebody"}))
    with pytest.raises(StoreFault, match="segment 4 does not continue"), ledger_only.opened(filled):
        pass
    path.unlink()
    with pytest.raises(StoreFault, match="no segment 3"), ledger_only.opened(filled):
        pass


@pytest.mark.parametrize("part", ["assets", "revisions", "roster"])
def test_a_ledger_that_was_not_pulled_whole_is_refused(filled: Project, part: str) -> None:
    name = built(filled)
    next(filled.ledger.segments.glob(f"*.{part}.parquet")).unlink()
    for act in (
        lambda: recompute(filled, name),
        lambda: without(filled, name, ["batch=b2"]),
    ):
        with pytest.raises(StoreFault) as caught:
            act()
        assert caught.value.slug == "segment-missing"


@pytest.mark.slow
def test_people_stand_in_manifests_as_pseudonyms_and_older_ones_still_work(filled: Project) -> None:
    recipe = Recipe(annotators=("ada@x.example",))
    name = str(version.build(filled, recipe, out=filled.root / "out")["name"])
    text = (filled.ledger.registry / f"{name}.json").read_text()
    assert "ada@x.example" not in text
    assert recipes.recipe_of(version.get(filled, name)).annotators[0].startswith("a-")
    older = {**json.loads(text)["recipe"], "annotators": ["ada@x.example"]}
    rewritten(filled, name, recipe=older)
    assert recompute(filled, name).is_digest_same


@pytest.mark.slow
def test_a_batch_that_never_was_takes_images_along_and_leaves_splits(filled: Project) -> None:
    name = built(filled)
    done = without(filled, name, ["batch=b2"], tag="no-b2")
    assert (done.n_left_out, done.n_reverted, done.n_images_gone) == (8, 0, 5)
    assert done.path == filled.root / "data" / "no-b2"
    assert done.manifest["counterfactual"] == {"of": name, "without": ["batch=b2"], "revert": False}
    before, after = splits(filled, name), splits(filled, "no-b2")
    assert after.items() <= before.items(), "images keep their split"
    gone = {"i8.png", "i9.png", "i10.png", "i11.png", "empty.png"}
    assert before.keys() - after.keys() == gone, "an image without its labels is no negative"
    assert done.manifest["n_withheld"] == 4
    assert (filled.root / "data" / "dataset" / "manifest.json").is_file()
    found = version.diff(filled, name, "no-b2").found
    assert (found.counts["n_retracted"], found.counts["n_unchanged"]) == (8, 16)


@pytest.mark.slow
def test_labels_go_one_by_one_and_other_answers_stay(filled: Project) -> None:
    name = built(filled)
    done = without(filled, name, ["annotator=bo@x.example class=car", "class=dog batch=b1"])
    assert done.n_left_out == 16
    assert str(done.manifest["recipe"]["without"][0]).startswith("annotator=a-")  # type: ignore[index]
    # of a class it is asked, not of whole answers: what Bo found empty stays so
    assert "empty.png" in splits(filled, str(done.manifest["name"]))
    assert len(labels(filled, str(done.manifest["name"]))) == 8


@pytest.mark.slow
def test_with_revert_the_earlier_revision_stands_in(filled: Project) -> None:
    name = built(filled)
    out = without(filled, name, ["annotator=cy@x.example"], tag="out")
    back = without(filled, name, ["annotator=cy@x.example"], is_reverted=True, tag="back")
    assert (out.n_left_out, out.n_reverted) == (6, 0)
    assert (back.n_left_out, back.n_reverted) == (0, 6)
    before, after = labels(filled, name), labels(filled, "back")
    assert after.keys() == before.keys()
    assert {a: after[a][0] for a in range(1, 7)} == {a: a for a in range(1, 7)}
    assert len({who for _, who in after.values()}) == 2
    # nothing of Ada's or Cy's is left on what Cy corrected
    both = without(filled, name, ["annotator=cy@x.example", "annotator=ada@x.example"], is_reverted=True)  # fmt: skip
    assert (both.n_left_out, both.n_reverted) == (16, 0)
    for tag in ("out", "back"):
        assert recompute(filled, tag).differs == []
    assert on_ledger_alone(filled.root, "back").differs == []


@pytest.mark.slow
def test_a_counterfactual_that_changes_nothing_is_refused(filled: Project) -> None:
    name = built(filled)
    with pytest.raises(Refused) as caught:
        without(filled, name, ["batch=b1 annotator=bo@x.example"])
    assert caught.value.slug == "nothing-left-out"
    assert len(version.list_all(filled)) == 1


@pytest.mark.parametrize("where", ["dataset", "inbox", "out"])
def test_nothing_is_written_over_that_is_no_version(filled: Project, where: str) -> None:
    name = built(filled)
    (filled.root / "data" / "inbox").mkdir()
    out = filled.root / "data" / "dataset" if where == "out" else None
    with pytest.raises(Refused) as caught:
        subset.subset(filled, ["class=dog"], of=name, tag=None if out else where, out=out)
    assert caught.value.slug == "folder-taken"
    with pytest.raises(Refused):
        recompute(filled, name, out=filled.root / "data" / (where if where != "out" else "inbox"))
    assert recompute(filled, name).differs == []


def test_a_subset_says_what_it_chose_and_is_held_to_it(filled: Project) -> None:
    name = built(filled)
    done = subset.subset(filled, ["class=dog batch=b1"], of=name, tag="dogs")
    told = done.manifest["subset"]
    assert (told["of"], told["where"]) == (name, ["class=dog batch=b1"])  # type: ignore[index]
    assert told["resolved"]["n_annotations"] == done.manifest["n_annotations"] == 8  # type: ignore[index]
    assert recompute(filled, "dogs").differs == []
    resolved = {**told["resolved"], "digest": "0" * 64}  # type: ignore[index]
    rewritten(filled, str(done.manifest["name"]), subset={**told, "resolved": resolved})  # type: ignore[dict-item]
    found = recompute(filled, "dogs")
    assert [d.what for d in found.differs] == ["subset"]
    assert not found.is_as_promised


@pytest.mark.slow
def test_a_subset_of_a_subset_and_a_counterfactual_of_it(filled: Project) -> None:
    built(filled)
    subset.subset(filled, ["batch=b1"], tag="b1")
    inner = subset.subset(filled, ["class=dog", "asset=i4.png"], of="b1", tag="inner")
    assert inner.manifest["recipe"]["where"] == ["batch=b1 class=dog", "batch=b1 asset=i4.png"]  # type: ignore[index]
    assert inner.manifest["n_annotations"] == 9
    less = without(filled, "inner", ["annotator=cy@x.example"], is_reverted=True, tag="less")
    assert (less.n_left_out, less.n_reverted) == (0, 3)
    with pytest.raises(LineageError, match="revert"):
        without(filled, "less", ["asset=i4.png"])
    assert recompute(filled, "less").differs == []
    with pytest.raises(LineageError, match="beside of"):
        version.settled(filled, Recipe(of="b1", classes=("dog",)))


@pytest.mark.slow
def test_images_without_labels_follow_what_is_asked(filled: Project) -> None:
    name = built(filled)

    def images(words: list[str]) -> dict[str, int]:
        assets = version.frozen(
            filled, *version.settled(filled, Recipe(where=tuple(words), of=name))
        )[0].assets
        return dict(zip(assets["asset"].to_pylist(), assets["n_annotations"].to_pylist(), strict=True))  # fmt: skip

    # asked of a class, an image that somebody answered for is a negative without one
    dogs = images(["class=dog"])
    assert (len(dogs), sum(n == 0 for n in dogs.values())) == (13, 5)
    # asked of a person or batch, their own empty answer is; others' labels make no negative
    assert images(["batch=b1"]).keys() == {f"i{at}.png" for at in range(8)}
    assert images(["annotator=bo@x.example"]).keys() == {
        "empty.png", *(f"i{at}.png" for at in range(4, 12))
    }  # fmt: skip
    # asked of what is seen on an image, an empty one shows nothing
    assert "empty.png" not in images(["disputed=yes", "disputed=no"])
    assert "empty.png" in images(["stage=submitted"])
    assert "empty.png" in images(["opinions_least=1"])
    assert set(images(["opinions_least=2"])) == {f"i{at}.png" for at in range(4, 8)}


def test_params_yaml_may_ask_for_a_subset(filled: Project) -> None:
    (filled.root / "params.yaml").write_text(
        "build:\n  where: ['class=dog annotator=ada@x.example']\n  without: [asset=i4.png]\n"
    )
    manifest = version.build(filled, out=filled.root / "out")
    assert manifest["n_annotations"] == 4
    assert "ada" not in json.dumps(manifest)
    assert recompute(filled, str(manifest["name"])).differs == []


@pytest.mark.slow
def test_later_labels_schemas_and_params_change_no_recompute(filled: Project) -> None:
    name = built(filled)
    subset.subset(filled, ["disputed=yes", "gold=no class=dog"], of=name, tag="asked")
    seq = position.resolve(filled, None)
    tasks = [("i0.png", [annotation(1, "bo@x.example", [region("z", "dog", 5, 10, 15, 20)])])]
    import_labels(filled, [label_studio(filled.root / "late.json", tasks)], "b2")
    batches.create(filled, BatchOrder("b3", "detection", "things@1.0", BatchKind.PILOT))
    assert position.resolve(filled, None) > seq
    (filled.root / "params.yaml").write_text("build:\n  classes: [car]\n")
    assert recompute(filled, "asked").differs == []
    again = recompute(filled, name, out=filled.root / "again")
    assert again.differs == []
    files = ("manifest.json", "train/assets.parquet")
    before, after = (filled.root / at for at in ("data/dataset", "again"))
    assert [(before / f).read_bytes() for f in files] == [(after / f).read_bytes() for f in files]
    manifest = version.frozen(filled, *version.settled(filled, Recipe(as_of=str(seq))))[1]
    assert manifest["excluded"] == []


def test_a_tag_that_is_taken_is_refused_before_anything_is_written(filled: Project) -> None:
    name = built(filled)
    version.tag(filled, name, "taken")
    for act in (
        lambda: without(filled, name, ["batch=b2"], tag="taken"),
        lambda: subset.subset(filled, ["batch=b2"], of=name, tag="taken"),
    ):
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.slug == "tag-exists"
    assert len(version.list_all(filled)) == 1
