"""Ready for volume: every condition fails by itself, is told, and holds imports back until somebody signs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lineage.activities import batches, gold, readiness, schemas
from lineage.activities.batches import BatchOrder
from lineage.activities.context import Project, open_project
from lineage.activities.gold import GoldOrder
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.activities.readiness import Condition, State
from lineage.activities.trace import Choice
from lineage.errors import BadInput, LineageError, NotFound, Refused
from lineage.labelschema import dumps
from lineage.store import read
from lineage.terms import BatchKind
from tests.activities.test_gold import MAKER, put
from tests.exports import annotation, label_studio, region

pytestmark = pytest.mark.slow

POLICY = {"overlap_fraction": 0.1, "review_fraction": 0.05, "gold_fraction": 0.02}
N_PILOT = 30


def on_record(project: Project, version: str = "1.0", classes: tuple[str, ...] = ()) -> None:
    """Put a version on record, locked: cats, of which some are behind glass, dogs, and more."""
    cat = {"kinds": ["box"], "edge_cases": {"behind_glass": "a cat behind glass is a cat"}}
    rest = {name: {"kinds": ["box"]} for name in ("dog", *classes)}
    path = project.root / f"v{version}.json"
    path.write_text(dumps({"name": "things", "version": version, "classes": {"cat": cat, **rest}}))
    schemas.add(project, path)
    schemas.lock(project, f"things@{version}")


def order(
    project: Project,
    tag: str,
    kind: str,
    *,
    ref: str = "things@1.0",
    task: str = "detection",
    **policy: float,
) -> None:
    batches.create(project, BatchOrder(tag, task, ref, BatchKind(kind), policy=policy))


def pilot(project: Project, tag: str = "p1", n: int = N_PILOT, n_apart: int = 0) -> None:
    """Let two people label a pilot; on some images they see different things."""
    answers = {
        f"{tag}-{i:03d}.png": {1: ["cat", "dog"], 2: ["cat", "dog"] if i >= n_apart else []}
        for i in range(n)
    }
    put(project, answers, tag)


def declare(project: Project) -> None:
    """Declare gold for both classes and the edge case."""
    put(project, {"g0.png": {MAKER: ["cat", "dog"]}, "g1.png": {MAKER: ["cat"]}}, "gold")
    gold.add(project, Choice(batch=("gold",)))
    edge = Choice(batch=("gold",), asset=("g1.png",))
    gold.add(project, edge, GoldOrder(edge_case="behind_glass"))


def stand(project: Project) -> None:
    """Make everything that volume takes, and the batch ``vol``."""
    on_record(project)
    order(project, "gold", "archive")
    order(project, "p1", "pilot")
    order(project, "vol", "volume", **POLICY)
    declare(project)
    pilot(project)


@pytest.fixture(scope="module")
def template(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which ``vol`` is ready; copied by `ready`, never changed."""
    root = tmp_path_factory.mktemp("ready") / "proj"
    shutil.copytree(empty_project, root)
    stand(open_project(root, agent="tess@team.example"))
    return root


@pytest.fixture
def ready(template: Path, tmp_path: Path) -> Project:
    """An open project in which ``vol`` is ready, of the test's own."""
    root = tmp_path / "ready"
    shutil.copytree(template, root)
    return open_project(root, agent="tess@team.example")


def states(project: Project, tag: str = "vol") -> dict[str, State]:
    return {one.name: one.state for one in readiness.check(project, tag).conditions}


def lacking(project: Project, tag: str = "vol") -> dict[str, Condition]:
    found = readiness.check(project, tag)
    return {one.name: one for one in found.conditions if one.state is not State.MET}


def n_activities(project: Project) -> int:
    with project.store.reading() as connection:
        return read.head(connection).size


def export(project: Project, name: str = "vol.json") -> Path:
    told = [annotation(1, 5, [region("r", "cat", 10, 10, 20, 20)])]
    return label_studio(project.root / name, [("v0.png", told)])


def test_a_batch_that_lacks_nothing_is_ready_and_takes_labels(ready: Project) -> None:
    found = readiness.check(ready, "vol")
    assert [one.state for one in found.conditions] == [State.MET] * 8
    assert (found.is_ready, found.is_refused, found.pilots) == (True, False, ["p1"])
    assert all(not one.hint and not one.missing for one in found.conditions)
    assert import_labels(ready, [export(ready)], "vol").n_added == 1


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        ({**POLICY, "overlap_fraction": 0}, "overlap"),
        ({**POLICY, "review_fraction": 0}, "review"),
        ({**POLICY, "gold_fraction": 0}, "hidden_gold"),
        ({**POLICY, "agreement_least": 0}, "agreement_bar"),
        ({**POLICY, "agreement_least": 1}, "pilot_agreement"),
    ],
)
def test_each_part_of_the_policy_counts_by_itself(
    ready: Project, policy: Mapping[str, float], name: str
) -> None:
    order(ready, "other", "volume", **policy)
    assert list(lacking(ready, "other")) == [name]


def test_gold_that_is_taken_back_leaves_its_class_and_edge_case_open(ready: Project) -> None:
    gold.drop(ready, Choice(class_=("dog",)))
    assert lacking(ready)["gold"].missing == ["dog"]
    gold.drop(ready, Choice(asset=("g1.png",)))
    assert lacking(ready)["gold"].missing == ["cat: behind_glass", "dog"]


def test_gold_of_another_task_does_not_hold(ready: Project) -> None:
    order(ready, "count", "volume", task="counting", **POLICY)
    assert lacking(ready, "count")["gold"].missing == ["cat", "cat: behind_glass", "dog"]


def _no_pilot(project: Project) -> None:
    order(project, "vol", "volume", **POLICY)


def _of_another_task(project: Project) -> None:
    order(project, "vol", "volume", task="counting", **POLICY)
    order(project, "p1", "pilot")
    pilot(project)


def _of_a_later_version(project: Project) -> None:
    order(project, "vol", "volume", **POLICY)
    on_record(project, "1.1", ("fox",))
    order(project, "p1", "pilot", ref="things@1.1")
    pilot(project)


@pytest.mark.parametrize("made", [_no_pilot, _of_another_task, _of_a_later_version])
def test_no_other_pilot_stands_in(project: Project, made: Callable[[Project], None]) -> None:
    on_record(project)
    made(project)
    found = readiness.check(project, "vol")
    assert found.pilots == []
    by_name = {one.name: one for one in found.conditions}
    assert by_name["pilot_agreement"].state is State.UNMET
    assert "no pilot of" in by_name["pilot_agreement"].told
    assert by_name["pilot_classes"].missing == ["cat", "dog"]


def test_labels_of_other_batches_are_no_pilot(project: Project) -> None:
    # were no pilot no restriction, the archive would pass for one
    on_record(project)
    order(project, "p1", "archive")
    order(project, "vol", "volume", **POLICY)
    pilot(project)
    assert states(project)["pilot_agreement"] is State.UNMET


def test_a_pilot_under_an_earlier_minor_version_counts_but_not_for_a_new_class(
    ready: Project,
) -> None:
    on_record(ready, "1.1", ("fox",))
    order(ready, "newer", "volume", ref="things@1.1", **POLICY)
    found = readiness.check(ready, "newer")
    assert found.pilots == ["p1"]
    assert lacking(ready, "newer")["pilot_classes"].missing == ["fox"]
    assert states(ready, "newer")["pilot_agreement"] is State.MET
    on_record(ready, "2.0")
    order(ready, "major", "volume", ref="things@2.0", **POLICY)
    assert readiness.check(ready, "major").pilots == []


@pytest.mark.parametrize(
    ("n", "n_apart", "state"),
    [
        (2, 0, State.TOO_FEW),
        (N_PILOT, N_PILOT // 2, State.UNMET),
        (N_PILOT, 0, State.MET),
    ],
)
def test_the_pilot_has_to_agree_on_enough(
    project: Project, n: int, n_apart: int, state: State
) -> None:
    on_record(project)
    order(project, "p1", "pilot")
    order(project, "vol", "volume", **POLICY)
    if n == 2:
        put(project, {f"{i}.png": {1: ["cat"], 2: ["cat"]} for i in range(n)}, "p1")
    else:
        pilot(project, n=n, n_apart=n_apart)
    assert states(project)["pilot_agreement"] is state


def test_a_pilot_nobody_labelled_twice_says_nothing(project: Project) -> None:
    on_record(project)
    order(project, "p1", "pilot")
    order(project, "vol", "volume", **POLICY)
    put(project, {f"{i}.png": {1: ["cat"]} for i in range(40)}, "p1")
    assert states(project)["pilot_agreement"] is State.TOO_FEW
    assert states(project)["pilot_classes"] is State.TOO_FEW


@pytest.mark.parametrize(("n", "missing"), [(4, ["dog"]), (5, [])])
def test_a_class_seen_four_times_is_too_few_and_five_times_is_enough(
    project: Project, n: int, missing: list[str]
) -> None:
    on_record(project)
    order(project, "p1", "pilot")
    order(project, "vol", "volume", **POLICY)
    cats = {f"c{i}.png": {1: ["cat"], 2: ["cat"]} for i in range(N_PILOT)}
    put(project, {**cats, **{f"d{i}.png": {1: ["dog"], 2: ["dog"]} for i in range(n)}}, "p1")
    by_name = {one.name: one for one in readiness.check(project, "vol").conditions}
    assert list(by_name["pilot_classes"].missing) == missing
    assert by_name["pilot_classes"].state is (State.TOO_FEW if missing else State.MET)


def test_an_import_is_refused_whole_and_everything_missing_is_named(project: Project) -> None:
    on_record(project)
    order(project, "vol", "volume")
    before = n_activities(project)
    for how in (ImportOptions(), ImportOptions(is_dry_run=True)):
        with pytest.raises(Refused) as caught:
            import_labels(project, [export(project)], "vol", options=how)
        assert caught.value.slug == "batch-not-ready"
        for told in ("cat: behind_glass", "labelled by two", "re-checked", "have gold", "no pilot"):
            assert told in caught.value.message
        assert "batch override vol" in caught.value.hint
    assert n_activities(project) == before
    assert not list((project.root / ".lineage").glob("import-*"))


@pytest.mark.parametrize("kind", ["archive", "pilot"])
def test_archives_and_pilots_are_not_held_to_it(project: Project, kind: str) -> None:
    on_record(project)
    order(project, "b", kind)
    assert not readiness.check(project, "b").is_ready
    assert import_labels(project, [export(project)], "b").n_added == 1
    with pytest.raises(Refused, match=f"its kind is {kind}"):
        readiness.override(project, "b", reason="to be sure")


def test_an_override_is_on_record_by_name_and_lets_labels_in(any_project: Project) -> None:
    project = any_project
    on_record(project)
    order(project, "vol", "volume", **POLICY)
    done = readiness.override(project, "vol", reason="the vendor starts on Monday")
    assert (done.is_ready, done.is_refused) == (False, False)
    (told,) = done.overrides
    assert told.reason == "the vendor starts on Monday"
    assert told.conditions == ["gold", "pilot_agreement", "pilot_classes"]
    with project.store.reading() as connection:
        names = {row.pseudonym: row.handle for row in read.annotators(connection)}
    assert names[told.by] == "tess@team.example"
    assert import_labels(project, [export(project)], "vol").n_added == 1
    with pytest.raises(Refused, match="ready, or overridden"):
        readiness.override(project, "vol", reason="again")


def test_an_override_is_there_after_a_restore(project: Project) -> None:
    on_record(project)
    order(project, "vol", "volume", **POLICY)
    before = readiness.override(project, "vol", reason="a trial")
    for path in (project.root / ".lineage").glob("store.db*"):
        path.unlink()
    again = open_project(project.root, agent="tess@team.example")
    assert readiness.check(again, "vol") == before
    assert import_labels(again, [export(again)], "vol").n_added == 1


def test_what_fails_after_the_override_is_not_covered_by_it(ready: Project) -> None:
    order(ready, "other", "volume", **{**POLICY, "review_fraction": 0})
    readiness.override(ready, "other", reason="reviewers come in May")
    gold.drop(ready, Choice(class_=("dog",)))
    with pytest.raises(Refused, match="no gold of task detection for dog") as caught:
        import_labels(ready, [export(ready)], "other")
    assert "re-checked" not in caught.value.message
    again = readiness.override(ready, "other", reason="and dogs in June")
    assert [one.conditions for one in again.overrides] == [["review"], ["gold"]]
    assert not again.is_refused


def test_failures_change_nothing(ready: Project) -> None:
    order(ready, "other", "volume")
    before = n_activities(ready)
    cases: list[tuple[type[LineageError], str, str, str]] = [
        (BadInput, "override-reason", "other", "  "),
        (Refused, "override-needless", "vol", "why not"),
        (NotFound, "no-batch", "nowhere", "why not"),
    ]
    for error, slug, tag, reason in cases:
        with pytest.raises(error) as caught:
            readiness.override(ready, tag, reason=reason)
        assert caught.value.slug == slug
    assert n_activities(ready) == before


def test_a_repeat_of_what_is_on_record_is_told_as_one_even_if_gold_went_since(
    ready: Project,
) -> None:
    import_labels(ready, [export(ready)], "vol")
    gold.drop(ready, Choice(class_=("dog",)))
    assert import_labels(ready, [export(ready)], "vol").is_repeat
    with pytest.raises(Refused, match="not ready"):
        import_labels(ready, [export(ready)], "vol", options=ImportOptions(is_whole=True))


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"overlap": 0.1, "gold_fraction": 7.0}, "overlap: unknown; gold_fraction: 7.0"),
        ({"review_fraction": float("nan")}, "review_fraction: nan"),
        ({"agreement_least": -0.1}, "agreement_least: -0.1"),
    ],
)
def test_a_policy_with_mistakes_is_refused_with_all_of_them(
    project: Project, policy: Mapping[str, float], told: str
) -> None:
    on_record(project)
    with pytest.raises(BadInput, match="in the policy") as caught:
        order(project, "vol", "volume", **policy)
    assert (caught.value.slug, told in caught.value.message) == ("batch-policy", True)
    assert batches.list_all(project) == []


def test_what_an_order_leaves_out_is_fixed_too(project: Project) -> None:
    on_record(project)
    order(project, "vol", "volume", overlap_fraction=0.2)
    row = batches.get(project, "vol")
    assert row.policy == {**batches.POLICY, "overlap_fraction": 0.2}
    assert batches.policy_of(row) == row.policy
