"""The hand-off: whole, the same bytes from the same record, no people, and no hidden gold given away."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lineage.activities import batches, gold, handoff, readiness, schemas
from lineage.activities.context import Project, open_project
from lineage.activities.gold import GoldOrder
from lineage.activities.gold_draw import draw
from lineage.activities.handoff import Packed, PackOptions
from lineage.activities.handoff_examples import drawn
from lineage.activities.trace import Choice
from lineage.errors import BadInput, NotFound, Refused
from lineage.labelschema import dumps
from lineage.store import read
from tests.activities.test_gold import MAKER, put
from tests.activities.test_readiness import POLICY, n_activities, on_record, order, stand

pytestmark = pytest.mark.slow

N_GOLD = 8


def world(project: Project) -> None:
    """Declare gold on eight images with a cat and a dog each, the last with a cat behind glass."""
    on_record(project)
    order(project, "gold", "archive")
    order(project, "vol", "volume", **POLICY)
    order(project, "work", "archive")
    put(project, {f"g{n}.png": {MAKER: ["cat", "dog"]} for n in range(N_GOLD)}, "gold")
    gold.add(project, Choice(batch=("gold",)))
    edge = Choice(batch=("gold",), class_=("cat",), asset=(f"g{N_GOLD - 1}.png",))
    gold.add(project, edge, GoldOrder(edge_case="behind_glass"))


@pytest.fixture(scope="module")
def template(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with gold; copied by `golden`, never changed."""
    root = tmp_path_factory.mktemp("handoff") / "proj"
    shutil.copytree(empty_project, root)
    world(open_project(root, agent="tess@team.example"))
    return root


@pytest.fixture
def golden(template: Path, tmp_path: Path) -> Project:
    """An open project with gold, of the test's own."""
    root = tmp_path / "golden"
    shutil.copytree(template, root)
    return open_project(root, agent="tess@team.example")


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def packed(project: Project, name: str = "out", **how: Any) -> Packed:
    return handoff.pack(project, "vol", project.root / name, PackOptions(**how))


def shown(done: Packed) -> dict[tuple[object, object], list[object]]:
    found: dict[tuple[object, object], list[object]] = {}
    for row in done.examples:
        found.setdefault((row["class"], row["edge_case"]), []).append(row["asset"])
    return found


def test_the_folder_holds_all_that_is_needed(golden: Project) -> None:
    done = packed(golden)
    told = files(done.path)
    assert list(told) == list(done.files)
    assert set(told) == {
        "README.md", "GUIDELINES.md", "EXAMPLES.md", "examples.csv", "label-studio.xml", "policy.json",
    }  # fmt: skip
    assert "a cat behind glass is a cat" in told["GUIDELINES.md"].decode()
    policy = json.loads(told["policy.json"])
    assert policy["policy"] == {**batches.POLICY, **POLICY}
    assert policy["schema_digest"] == schemas.get(golden, "things@1.0").digest
    readme = told["README.md"].decode()
    for word in ("10 % of the images", "5 % of the labels", "2 % of the images", "below 0.8"):
        assert word in readme
    rows = list(csv.DictReader(io.StringIO(told["examples.csv"].decode())))
    assert [row["image"] for row in rows] == [row["asset"] for row in done.examples]
    assert rows[0]["x_min"] == "64"


def test_what_the_policy_does_not_ask_for_is_not_promised(golden: Project) -> None:
    order(golden, "bare", "volume")
    done = handoff.pack(golden, "bare", golden.root / "bare")
    readme = (done.path / "README.md").read_text()
    for word in ("second person", "known answers", "reviewer", "Agreement"):
        assert word not in readme
    assert "rules of `things@1.0`" in readme


@pytest.mark.parametrize(
    ("tool", "config", "word"),
    [("label-studio", "label-studio.xml", "<View>"), ("cvat", "cvat-labels.json", '"name": "cat"')],
)
def test_each_tool_gets_its_own_configuration(
    golden: Project, tool: str, config: str, word: str
) -> None:
    done = packed(golden, tool=tool)
    assert word in (done.path / config).read_text()
    assert f"`{config}`" in (done.path / "README.md").read_text()


def test_the_same_record_gives_the_same_bytes_first_and_again(golden: Project) -> None:
    first, second = packed(golden, "a", is_zipped=True), packed(golden, "b", is_zipped=True)
    assert files(first.path) == files(second.path)
    assert (first.activity is not None, second.activity) == (True, None)
    assert [row["is_new"] for row in first.examples] == [True] * len(first.examples)
    assert not any(row["is_new"] for row in second.examples)
    assert first.zip is not None
    with zipfile.ZipFile(first.zip) as archive:
        held = {name.removeprefix("a/"): archive.read(name) for name in archive.namelist()}
    assert held == files(first.path)
    # in another place, the same zip
    third = packed(golden, "elsewhere/a", is_zipped=True)
    assert third.zip is not None
    assert third.zip.read_bytes() == first.zip.read_bytes()


def test_examples_are_few_each_on_an_image_of_its_own_and_half_is_left(golden: Project) -> None:
    found = shown(packed(golden))
    assert {cell: len(names) for cell, names in found.items()} == {
        ("cat", None): 3,
        ("cat", "behind_glass"): 1,
        ("dog", None): 3,
    }
    assert all(len(set(names)) == len(names) for names in found.values())
    every = {name for names in found.values() for name in names}
    # what shows one class shows the other too: every image that is shown is lost to hidden gold
    assert len(every) == 4


@pytest.mark.parametrize(("n", "n_shown"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (9, 3)])
def test_at_most_half_of_the_images_are_shown(project: Project, n: int, n_shown: int) -> None:
    on_record(project)
    order(project, "gold", "archive")
    order(project, "vol", "volume", **POLICY)
    put(project, {f"g{i}.png": {MAKER: ["cat"]} for i in range(n)}, "gold")
    gold.add(project, Choice(batch=("gold",)))
    done = packed(project)
    assert len(done.examples) == n_shown
    assert done.without_example == [
        {"class": "cat", "edge_case": "behind_glass"},
        {"class": "dog", "edge_case": None},
    ]
    assert "no example of: cat: behind_glass, dog." in (done.path / "EXAMPLES.md").read_text()


def test_hidden_gold_is_never_shown_and_named_only_to_us(golden: Project) -> None:
    put(golden, {f"w{n}.png": {1 + n % 2: ["cat"]} for n in range(4)}, "work")
    done = draw(golden, "work", ["label-studio:1"], golden.root / "lists", n_images=5)
    with golden.store.reading() as connection:
        drawn_for = {
            name
            for (name,) in connection.exec_driver_sql(
                "SELECT a.name FROM draw d JOIN asset a ON a.id = d.asset_id"
            )
        }
    assert done.activity is not None
    found = packed(golden)
    assert set(found.hidden) == drawn_for
    assert len(drawn_for) == 5
    every = {str(row["asset"]) for row in found.examples}
    assert every
    assert not every & drawn_for
    text = b"".join(files(found.path).values()).decode()
    for name in drawn_for:
        assert name not in text


def test_what_was_shown_is_drawn_as_hidden_gold_no_more(golden: Project) -> None:
    put(golden, {"w.png": {1: ["cat"]}}, "work")
    found = packed(golden)
    every = {str(row["asset"]) for row in found.examples}
    told = draw(golden, "work", ["label-studio:1"], golden.root / "lists", n_images=N_GOLD)
    assert told.people[0]["n_eligible"] == N_GOLD - len(every)
    given = Path(told.files[0]).read_text().split()
    assert set(given) == {f"g{n}.png" for n in range(N_GOLD)} - every
    # and what was shown is shown again, though now all the rest is hidden
    assert shown(packed(golden, "again")) == shown(found)


def test_examples_are_on_record_after_a_restore(golden: Project) -> None:
    first = packed(golden, "a")
    for path in (golden.root / ".lineage").glob("store.db*"):
        path.unlink()
    again = open_project(golden.root, agent="tess@team.example")
    second = packed(again, "b")
    assert second.activity is None
    assert files(second.path) == files(first.path)
    with again.store.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT reason, COUNT(*), COUNT(annotator_id), COUNT(revision_id) FROM draw GROUP BY reason"
        ).all()
    assert [tuple(row) for row in rows] == [("example", 7, 0, 7)]


def test_nobody_is_named(golden: Project) -> None:
    done = packed(golden, is_zipped=True)
    text = b"".join(files(done.path).values()).decode()
    with golden.store.reading() as connection:
        people = read.annotators(connection)
    assert len(people) > 1
    for person in people:
        assert person.pseudonym not in text
        if person.handle is not None and "@" in person.handle:
            assert person.handle not in text
    assert not re.search(r"\ba-[a-z2-7]{16}\b", text)


def test_gold_of_another_task_or_major_version_is_not_shown(golden: Project) -> None:
    order(golden, "count", "volume", task="counting", **POLICY)
    assert handoff.pack(golden, "count", golden.root / "count").examples == []
    on_record(golden, "2.0")
    order(golden, "major", "volume", ref="things@2.0", **POLICY)
    assert handoff.pack(golden, "major", golden.root / "major").examples == []


def picture(project: Project, name: str, size: tuple[int, int] = (640, 480)) -> None:
    path = project.root / "images" / name
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", size, (10, 120, 30)).save(path)


def test_a_picture_is_drawn_where_there_is_a_file_and_else_the_place_is_told(
    golden: Project,
) -> None:
    picture(golden, "g7.png")
    done = packed(golden, images=golden.root / "images")
    pictures = {str(row["asset"]): row["picture"] for row in done.examples if row["picture"]}
    assert set(pictures) == {"g7.png"}
    page = (done.path / "EXAMPLES.md").read_text()
    for row in done.examples:
        if row["picture"]:
            assert f"](<{row['picture']}>)" in page
    with Image.open(done.path / str(pictures["g7.png"])) as image:
        assert image.format == "PNG"
        assert not image.info
    assert "`g0.png`; box, x 64.0 to 192.0 px, y 48.0 to 144.0 px" in page


def test_outlines_are_drawn_at_the_right_pixels() -> None:
    out = io.BytesIO()
    Image.new("RGB", (480, 240), (0, 0, 255)).save(out, "PNG")
    box = [200.0, 100.0, 280.0, 100.0, 280.0, 140.0, 200.0, 140.0]
    content = drawn(out.getvalue(), [box])
    assert content is not None
    with Image.open(io.BytesIO(content)) as image:
        # the frame is 160 x 120 px from (160, 60), at three times its size
        assert image.size == (480, 360)
        for x, y in ((200, 100), (280, 140), (240, 100)):
            assert image.getpixel(((x - 160) * 3, (y - 60) * 3)) == (230, 159, 0)
        assert image.getpixel((240, 180)) == (0, 0, 255)
    assert drawn(b"no image", [box]) is None
    assert drawn(out.getvalue(), [[900.0, 900.0, 910.0, 910.0]]) is None
    whole = drawn(out.getvalue(), [])
    assert whole is not None


def test_a_guideline_file_goes_along_and_a_hidden_one_never(project: Project) -> None:
    (project.root / "guide.md").write_text("how to\n")
    (project.root.parent / "outside.md").write_text("not ours\n")
    cases: Mapping[str, tuple[list[str], bool]] = {
        "guide.md": (["guidelines/guide.md"], False),
        ".lineage/people.json": ([], True),
        "../outside.md": ([], True),
        "docs/missing.md": ([], True),
        "be kind to cats": ([], False),
        "https://team.example/guide": ([], False),
    }
    for number, (named, (copied, has_note)) in enumerate(cases.items()):
        document = {
            "name": f"s{number}",
            "version": "1.0",
            "guidelines": named,
            "classes": {"cat": {"kinds": ["box"]}},
        }
        path = project.root / f"s{number}.json"
        path.write_text(dumps(document))
        schemas.add(project, path)
        schemas.lock(project, f"s{number}@1.0")
        order(project, f"b{number}", "volume", ref=f"s{number}@1.0")
        done = handoff.pack(project, f"b{number}", project.root / f"out{number}")
        assert [name for name in done.files if name.startswith("guidelines/")] == copied
        assert bool(done.notes) is has_note, named
        page = (done.path / "GUIDELINES.md").read_text()
        assert (named in page) is not has_note


def test_words_of_a_schema_are_no_markup(project: Project) -> None:
    cat = {
        "kinds": ["box"],
        "definition": "a <b>cat</b> | not a [dog](x)\nor a *fox*",
        "edge_cases": {"tail_only": "a|b"},
        "attributes": {"type": "object", "properties": {"fur": {"enum": ["a|b", "c`d"]}}},
    }
    path = project.root / "s.json"
    path.write_text(dumps({"name": "odd", "version": "1.0", "classes": {"# cat_x": cat}}))
    schemas.add(project, path)
    schemas.lock(project, "odd@1.0")
    order(project, "vol", "volume", ref="odd@1.0")
    page = (packed(project).path / "GUIDELINES.md").read_text()
    assert "## \\# cat_x" in page
    assert "A \\<b\\>cat\\</b\\> \\| not a \\[dog\\](x) or a \\*fox\\*." in page
    for line in page.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (3, 4)


def test_a_draft_is_packed_for_a_pilot(project: Project) -> None:
    path = project.root / "s.json"
    path.write_text(
        dumps({"name": "new", "version": "0.1", "classes": {"cat": {"kinds": ["box"]}}})
    )
    schemas.add(project, path)
    order(project, "p", "pilot", ref="new@0.1")
    assert handoff.pack(project, "p", project.root / "p").examples == []


def test_failures_change_nothing(golden: Project) -> None:
    (golden.root / "there.zip").touch()
    (golden.root / "here").mkdir()
    before, at = n_activities(golden), files(golden.root)
    with pytest.raises(Refused, match="exists"):
        packed(golden, "here")
    with pytest.raises(Refused, match="exists"):
        packed(golden, "there", is_zipped=True)
    with pytest.raises(BadInput, match="expected label-studio or cvat"):
        packed(golden, tool="betamax")
    with pytest.raises(NotFound):
        handoff.pack(golden, "nowhere", golden.root / "x")
    assert n_activities(golden) == before
    assert files(golden.root).keys() == at.keys()


def test_a_pack_that_cannot_be_written_shows_nothing(golden: Project) -> None:
    blocked = golden.root / "file"
    blocked.touch()
    before = n_activities(golden)
    with pytest.raises(NotADirectoryError):
        handoff.pack(golden, "vol", blocked / "out")
    assert n_activities(golden) == before


def test_packing_leaves_a_batch_ready(project: Project) -> None:
    stand(project)
    packed(project)
    assert readiness.check(project, "vol").is_ready
