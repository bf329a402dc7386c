"""The words of ``import``: folders, archives, maps, and what is told of them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import yaml

from lineage.activities.context import open_project
from tests.cli.conftest import Run
from tests.conftest import make_batch
from tests.exports import coco

TABLE = "filename,who,label,xmin,ymin,xmax,ymax\na.png,ann,car,1,2,30,40\nb.png,bob,car,1,2,30,40\n"


@pytest.fixture
def root(project_root: Path) -> Path:
    """A project with a batch."""
    make_batch(open_project(project_root, agent="tess@team.example"), {"car": ["box"]})
    return project_root


def test_a_map_is_drafted_mended_and_read_by(run: Run, root: Path) -> None:
    table = root / "t.csv"
    table.write_text(TABLE)
    drafted = run(root, "import", str(table), "--map-draft")
    assert drafted.code == 0
    document = yaml.safe_load(drafted.out)
    assert document["columns"]["asset"] == "filename"
    assert run(root, "--json", "import", str(table), "--map-draft").json == {"map": document}
    (root / "map.yaml").write_text(drafted.out)
    words = ("--batch", "b1", "--map", str(root / "map.yaml"))
    done = run(root, "--json", "import", str(table), *words).json
    assert (done["format"], done["n_added"], done["n_annotators"]) == ("table", 2, 2)
    assert [source["path"] for source in done["sources"]] == ["t.csv", "map.yaml"]
    ran = run(root, "--json", "schema", "infer", str(table), "--name", "t", *words[2:])
    assert '"car"' in Path(ran.json["path"]).read_text()


def test_the_choice_of_a_format_is_explained(run: Run, root: Path) -> None:
    path = coco(root / "1.json", [(1, "a.png", "car", [1.0, 1, 9, 9])])
    with zipfile.ZipFile(root / "e.zip", "w") as archive:
        archive.write(path, "annotations/1.json")
        archive.writestr("LICENSE", "MIT")
    told = run(root, "import", str(root / "e.zip"), "--batch", "b1").out
    assert "read as coco in" in told
    assert "(1 file: COCO: an object with images" in told
    assert "passed over: licence 1" in told


@pytest.mark.parametrize(
    ("words", "code", "slug"),
    [
        (["t.csv"], 2, "usage"),
        (["t.csv", "u.csv", "--map-draft"], 2, "usage"),
        (["none.csv", "--map-draft"], 3, "no-such-file"),
        (["t.csv", "--batch", "b1"], 3, "map-missing"),
        (["t.csv", "--batch", "b1", "--pixel-base", "2"], 2, "usage"),
        (["t.csv", "--batch", "b1", "--task", "guess"], 3, "task"),
        (["empty", "--batch", "b1"], 3, "nothing-to-import"),
    ],
)
def test_words_that_do_not_fit_are_refused(
    run: Run, root: Path, words: list[str], code: int, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "t.csv").write_text(TABLE)
    (root / "empty").mkdir()
    monkeypatch.chdir(root)
    ran = run(root, "--json", "import", *words)
    assert (ran.code, ran.json["error"]["slug"]) == (code, slug)
