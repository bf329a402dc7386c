"""Hidden gold: evenly drawn, never twice before the same person, and nothing tells it apart."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.activities import gold, trace
from lineage.activities.context import Project, open_project
from lineage.activities.gold import GoldOrder
from lineage.activities.gold_draw import chances, draw, systematic, uniform
from lineage.activities.gold_score import score
from lineage.activities.trace import Choice
from lineage.errors import BadInput, LineageError, NotFound, Refused
from tests.activities.test_gold import ALL, CATS_AND_DOGS, MAKER, put, two_batches
from tests.conftest import make_batch

pytestmark = pytest.mark.slow


def seeded(project: Project, seed: str = "one") -> Project:
    """Return the project with entropy that repeats."""
    return dataclasses.replace(
        project, entropy=lambda n: hashlib.shake_256(seed.encode()).digest(n)
    )


def with_gold(project: Project) -> None:
    """Declare 20 images with cats gold, of which 4 have a dog too, and one that is empty."""
    two_batches(project)
    truth = {f"g{n:02d}.png": {MAKER: ["cat", "dog"] if n < 4 else ["cat"]} for n in range(20)}
    put(project, {**truth, "g99.png": {MAKER: []}}, "gold")
    put(project, {f"w{n:02d}.png": {1 + n % 2: ["cat"]} for n in range(20)})
    gold.add(project, ALL)


@pytest.fixture(scope="module")
def template(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with gold; copied by `golden`, never changed."""
    root = tmp_path_factory.mktemp("golden") / "proj"
    shutil.copytree(empty_project, root)
    with_gold(open_project(root, agent="tess@team.example"))
    return root


@pytest.fixture
def golden(template: Path, tmp_path: Path) -> Project:
    """An open project with gold of the test's own."""
    root = tmp_path / "golden"
    shutil.copytree(template, root)
    return open_project(root, agent="tess@team.example")


def rows(project: Project) -> list[tuple[object, ...]]:
    query = (
        "SELECT d.draw, a.name, p.pseudonym, d.reason, d.stratum, d.inclusion_fraction, d.revision_id "
        "FROM draw d JOIN asset a ON a.id = d.asset_id JOIN annotator p ON p.id = d.annotator_id "
        "ORDER BY d.id"
    )
    return trace.sql(project, query, limit=1000)[1]


def names(found: list[str]) -> list[list[str]]:
    return [Path(file).read_text().split() for file in found]


def test_images_are_drawn_evenly_over_classes(golden: Project, tmp_path: Path) -> None:
    found = draw(golden, "b1", ["1", "2"], tmp_path / "out", n_images=9)
    assert [row["n_drawn"] for row in found.people] == [9, 9]
    # 3 strata: 4 images with a dog, the empty one, the others
    by = {(row["class"], row["edge_case"]): row["n"] for row in found.by}
    assert by == {(None, None): 2, ("dog", None): 8, ("cat", None): 8}
    told = rows(golden)
    assert {row[3] for row in told} == {"gold"}
    assert {row[6] for row in told} == {None}
    assert dict(row[4:6] for row in told) == {
        "|": 1.0, "dog|": 1.0, "cat|": pytest.approx(4 / 16),
    }  # fmt: skip
    listed = [image for images in names(list(found.files)) for image in images]
    assert sorted(listed) == sorted(str(row[1]) for row in told)


def test_edge_cases_are_strata_of_their_own(project: Project, tmp_path: Path) -> None:
    make_batch(project, CATS_AND_DOGS)
    path = project.root / "cases.json"
    path.write_text(
        '{"name": "things", "version": "1.1", "classes": {"cat": {"kinds": ["box"], "attributes": '
        '{"type": "object"}, "edge_cases": {"far": "box it"}}, "dog": {"kinds": ["box"], "attributes": '
        '{"type": "object"}}}}'
    )
    from lineage.activities import batches, schemas

    schemas.add(project, path)
    schemas.lock(project, "things@1.1")
    batches.create(project, batches.BatchOrder("gold", "detection", "things@1.1"))
    put(project, {f"g{n:02d}.png": {MAKER: ["cat"]} for n in range(20)}, "gold")
    put(project, {"w.png": {1: ["cat"]}})
    gold.add(project, ALL)
    far = Choice(asset=("g00.png", "g01.png"))
    gold.add(project, far, GoldOrder(edge_case="far"))
    found = draw(project, "b1", ["1"], tmp_path / "out", n_images=4)
    assert {row["edge_case"]: row["n"] for row in found.by} == {"far": 2, None: 2}


def test_nobody_is_given_what_they_saw_or_made(golden: Project, tmp_path: Path) -> None:
    put(golden, {f"g{n:02d}.png": {1: ["cat"]} for n in range(10)}, "b1", day=5)
    found = draw(golden, "b1", ["1"], tmp_path / "out", n_images=1000)
    assert found.people[0]["n_eligible"] == 11
    assert set(names(list(found.files))[0]) == {
        *(f"g{n:02d}.png" for n in range(10, 20)), "g99.png",
    }  # fmt: skip
    # nor twice the same by another draw
    with pytest.raises(Refused, match="label-studio:1 did not see"):
        draw(golden, "b1", ["1"], tmp_path / "out", n_images=1)
    with pytest.raises(Refused, match="label-studio:9 did not see") as caught:
        draw(golden, "b1", ["2", "9"], tmp_path / "out", n_images=1)
    assert "label-studio:2 21" in caught.value.message


def test_a_fraction_is_of_each_ones_images_in_the_batch(golden: Project, tmp_path: Path) -> None:
    put(golden, {f"x{n:02d}.png": {3: ["cat"]} for n in range(18)}, "b1", day=4)
    found = draw(golden, "b1", ["1", "3"], tmp_path / "out", fraction=0.25)
    assert [row["n_wanted"] for row in found.people] == [3, 5]


def test_a_list_holds_names_of_images_and_hangs_on_nothing_else(
    golden: Project, tmp_path: Path
) -> None:
    found = draw(seeded(golden), "b1", ["1"], tmp_path / "out", n_images=12)
    text = Path(found.files[0]).read_text()
    drawn = text.splitlines()
    assert len(drawn) == 12
    assert drawn != sorted(drawn)
    assert "gold" not in text + "".join(Path(file).name for file in found.files)
    assert [p.name for p in (tmp_path / "out").iterdir()] == [found.draw]
    other = draw(seeded(golden, "two"), "b1", ["2"], tmp_path / "out", n_images=12)
    assert set(names(list(other.files))[0]) != set(drawn)


def test_answers_to_hidden_gold_are_scored_like_any(golden: Project, tmp_path: Path) -> None:
    assert score(golden).annotators == []
    found = draw(golden, "b1", ["1"], tmp_path / "out", n_images=20)
    [images] = names(list(found.files))
    put(golden, {image: {1: ["cat"]} for image in images}, "b1", day=8)
    [row] = score(golden).annotators
    n_dogs = sum(image in {f"g{n:02d}.png" for n in range(4)} for image in images)
    assert (row["n_missed"], row["n_extra"]) == (n_dogs, int("g99.png" in images))


@pytest.mark.parametrize(
    ("words", "error", "slug"),
    [
        ({"fraction": 0.0}, BadInput, "gold-fraction"),
        ({"fraction": 1.5}, BadInput, "gold-fraction"),
        ({"people": ["77"]}, NotFound, "no-annotator"),
        ({"batch": "nowhere"}, NotFound, "no-batch"),
        ({"batch": "fresh"}, Refused, "gold-no-queue"),
        ({"people": ["9"]}, Refused, "gold-none-eligible"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    golden: Project,
    tmp_path: Path,
    words: dict[str, object],
    error: type[LineageError],
    slug: str,
) -> None:
    from lineage.activities import batches

    batches.create(golden, batches.BatchOrder("fresh", "detection", "things@1.0"))
    n = len(trace.log(golden))
    asked = {"batch": "b1", "people": ["1"], "out": tmp_path / "out", **words}
    with pytest.raises(error) as caught:
        draw(golden, **asked)  # type: ignore[arg-type]
    assert caught.value.slug == slug
    assert len(trace.log(golden)) == n


def test_a_folder_that_stands_is_not_written_over_and_nothing_is_recorded(
    golden: Project, tmp_path: Path
) -> None:
    n = len(trace.log(golden))
    (tmp_path / f"draw-{n + 1}").mkdir()
    with pytest.raises(Refused, match="exists"):
        draw(golden, "b1", ["1"], tmp_path, n_images=3)
    assert (len(trace.log(golden)), rows(golden)) == (n, [])


def test_a_rehearsal_leaves_nothing(golden: Project, tmp_path: Path) -> None:
    found = draw(golden, "b1", ["1"], tmp_path / "out", n_images=3, is_rehearsal=True)
    assert (found.activity, found.people[0]["n_drawn"], found.files) == (None, 3, [])
    assert not (tmp_path / "out").exists()
    assert rows(golden) == []


def test_restored_from_its_segments_a_draw_is_the_same(
    any_project: Project, tmp_path: Path
) -> None:
    project = any_project
    with_gold(project)
    draw(project, "b1", ["1", "2"], tmp_path / "out", n_images=5)
    before = rows(project)
    assert len(before) == 10
    other = project.root.parent / "restored"
    shutil.copytree(project.root, other, ignore=shutil.ignore_patterns("store.db*"))
    assert rows(open_project(other, store_url="sqlite:///anew.db")) == before


@given(st.lists(st.integers(1, 300), min_size=1, max_size=30), st.integers(1, 2000))
def test_chances_are_as_even_as_the_strata_allow(sizes: list[int], n: int) -> None:
    size = np.array(sizes)
    found = chances(size, n)
    assert ((found > 0) & (found <= 1)).all()
    expected = found * size
    assert expected.sum() == pytest.approx(min(n, size.sum()))
    # none has fewer than another unless all of it is drawn
    assert (expected[found < 1 - 1e-12] >= expected.max() - 1e-6).all()


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(1, 60), st.floats(0, 0.99))
def test_so_many_are_drawn_as_were_asked_for(sizes: list[int], n: int, start: float) -> None:
    size = np.array(sizes)
    stratum = np.repeat(np.arange(len(size)), size)
    chance = chances(size, n)
    drawn = systematic(chance[stratum], (uniform(np.arange(len(stratum)), b"k"), stratum), start)
    assert len(drawn) == len(set(drawn.tolist())) == min(n, int(size.sum()))
    n_each = np.bincount(stratum[drawn], minlength=len(size))
    assert (np.abs(n_each - chance * size) < 1 + 1e-6).all()


def test_over_many_draws_an_image_is_drawn_as_often_as_its_chance() -> None:
    size = np.array([3, 10, 40])
    stratum = np.repeat(np.arange(3), size)
    chance = chances(size, 10)[stratum]
    times = np.zeros(len(stratum))
    for n in range(2000):
        key = f"draw {n}".encode()
        start = float(uniform(np.array([-1]), key)[0])
        times[systematic(chance, (uniform(np.arange(53), key), stratum), start)] += 1
    sd = np.sqrt(2000 * chance * (1 - chance)) + 1e-9
    # over 53 images, of which 50 may or may not be drawn: four deviations hold them all
    assert (np.abs(times - 2000 * chance) <= 4 * sd + 1e-6).all()


def test_numbers_follow_from_id_and_key_and_lie_in_the_unit_interval() -> None:
    ids = np.arange(2000)
    found = uniform(ids, b"one")
    assert ((found >= 0) & (found < 1)).all()
    np.testing.assert_array_equal(uniform(ids[::-1], b"one")[::-1], found)
    assert abs(np.corrcoef(found, uniform(ids, b"two"))[0, 1]) < 0.1
    # Kolmogorov's bound at 1 in 1000
    assert np.abs(np.sort(found) - (ids + 0.5) / 2000).max() < 1.95 / np.sqrt(2000)
