"""The loader gives what the version says, checks it on its way, and works in worker processes."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lineage
from lineage.activities import dataset, trace, version
from lineage.activities.context import open_project
from lineage.activities.ingest import import_labels
from lineage.activities.select import Selector
from lineage.errors import BadInput, NotFound, Refused
from lineage.interchange import parts
from lineage.interchange.loader import _below
from tests.activities.running import build, draw, label, labelled
from tests.conftest import make_batch
from tests.exports import coco


@pytest.fixture(scope="module")
def made(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with labels, images and one version; never changed."""
    root = tmp_path_factory.mktemp("made") / "proj"
    shutil.copytree(empty_project, root)
    labelled(open_project(root, agent="tess@team.example"))
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy of the test's own."""
    shutil.copytree(made, tmp_path / "proj")
    return tmp_path / "proj"


def opened(root: Path, **more: Any) -> Any:
    return lineage.dataset(root / "data/dataset", images=root / "images", **more)


def first_of(index: int) -> tuple[str, list[int], int]:
    """Return what a worker process reads: the example as plain values."""
    image, labels = HELD[0][index]
    return labels["asset"], labels["annotation"].tolist(), int(image.sum())


HELD: list[Any] = []


def test_every_label_of_the_version_is_loaded_once_with_its_image(made: Path) -> None:
    project = open_project(made)
    seq = version.get(project, "v1")["seq"]
    expected = trace.labels(project, Selector(), seq)  # type: ignore[arg-type]
    rows = {row["annotation"]: row for row in expected.to_pylist()}
    n_images = 0
    seen = []
    for split in ("train", "val"):
        data = opened(made, split=split)
        n_images += len(data)
        for (image, labels), name in zip(data, data.assets.to_pylist(), strict=True):
            assert (labels["asset"], image.shape, image.dtype) == (name, (480, 640, 3), np.uint8)
            with Image.open(made / "images" / name) as file:
                assert (np.array(file) == image).all()
            assert labels["boxes"].shape == (len(labels["class"]), 4)
            for at, number in enumerate(labels["annotation"].tolist()):
                row = rows[number]
                box = [row[side] for side in ("x_min", "y_min", "x_max", "y_max")]
                assert labels["boxes"][at].tolist() == box
                assert data.classes[labels["class"][at]] == row["class"]
                assert labels["kind"][at] == row["kind"]
                assert labels["attributes"][at] == json.loads(row["attributes"])
                assert labels["revision"][at] == row["revision"]
                assert row["asset"] == name
                seen.append(number)
    assert n_images == 21
    assert sorted(seen) == sorted(rows)


def test_an_image_with_nothing_on_it_is_there_and_has_no_labels(made: Path) -> None:
    for split in ("train", "val"):
        data = opened(made, split=split)
        names = data.assets.to_pylist()
        if "scene-9/empty.png" in names:
            image, labels = data[names.index("scene-9/empty.png")]
            assert image is not None
            assert labels["boxes"].shape == (0, 4)
            assert labels["class"].dtype == np.int64
            assert labels["attributes"] == []
            return
    raise AssertionError("the empty image is in no split")


def test_places_count_like_those_of_a_list(made: Path) -> None:
    data = opened(made, split="val")
    assert data[-1][1]["asset"] == data[len(data) - 1][1]["asset"]
    for wrong in (len(data), -len(data) - 1):
        with pytest.raises(IndexError):
            data[wrong]


def test_a_changed_image_is_refused_and_named(root: Path) -> None:
    data = opened(root)
    name = data.assets[0].as_py()
    path = root / "images" / name
    Image.new("RGB", (640, 480), (1, 2, 3)).save(path)
    with pytest.raises(Refused, match=name) as refusal:
        data[0]
    assert refusal.value.slug == "asset-differs"
    assert opened(root, verify=False)[0][0][0, 0].tolist() == [1, 2, 3]
    Image.new("RGB", (64, 48)).save(path)
    with pytest.raises(Refused, match="on record are 640 x 480"):
        opened(root, verify=False)[0]
    path.write_bytes(b"no image")
    with pytest.raises(BadInput, match="is none"):
        opened(root, verify=False)[0]
    Image.new("I;16", (640, 480)).save(path)
    with pytest.raises(BadInput, match="more than 8 bits"):
        opened(root, verify=False)[0]
    path.unlink()
    with pytest.raises(NotFound, match="no file"):
        data[0]
    assert lineage.dataset(root / "data/dataset")[0][0] is None


def test_a_changed_file_of_labels_is_refused_on_opening_and_later(root: Path) -> None:
    data = opened(root)
    part = next((root / "data/dataset/train").glob("part-*.parquet"))
    content = bytearray(part.read_bytes())
    content[-200] ^= 1
    part.write_bytes(content)
    for use in (lambda: opened(root), lambda: data[0]):
        with pytest.raises(Refused, match="the manifest says") as refusal:
            use()
        assert refusal.value.slug == "dataset-differs"


def test_images_without_a_digest_are_told_of_once(project_root: Path) -> None:
    project = open_project(project_root)
    label(project)
    build(project)
    draw(project_root / "images")
    with pytest.warns(UserWarning, match=r"\d+ of \d+ images have no digest on record"):
        data = opened(project_root)
    assert data[0][0].shape == (480, 640, 3)


def test_a_name_that_leads_out_of_the_folder_is_no_image(tmp_path: Path) -> None:
    for name in ("../secret.png", "/etc/secret.png", "a/../../b.png"):
        with pytest.raises(BadInput, match="lies outside"):
            _below(tmp_path, name)
    assert _below(tmp_path, "a/b.png") == tmp_path / "a/b.png"


def test_worker_processes_read_what_the_first_process_reads(made: Path) -> None:
    data = opened(made)
    HELD[:] = [pickle.loads(pickle.dumps(data))]
    here = [first_of(i) for i in range(len(data))]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(first_of, range(len(data))) == here
    images, labels = lineage.collate([data[0], data[1]])
    assert [len(images), labels[1]["asset"]] == [2, data.assets[1].as_py()]


def test_versions_are_found_by_name_tag_folder_and_pin(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = len(opened(root))
    monkeypatch.chdir(root)
    assert len(lineage.dataset("v1")) == n
    held = lineage.pin("run-1", version="v1")
    assert len(lineage.dataset(held)) == n
    cars = lineage.dataset(lineage.pin("cars", version="v1", subset="class=car"))
    assert {cars.classes[c] for _, labels in cars for c in labels["class"]} == {"car"}
    assert all(len(labels["class"]) == 2 for _, labels in cars)
    for wrong, slug in (("v9", "no-version"), (root / "nowhere", "no-version")):
        with pytest.raises(NotFound) as absent:
            lineage.dataset(wrong)
        assert absent.value.slug == slug
    with pytest.raises(BadInput, match="no split 'test'"):
        lineage.dataset("v1", split="test")
    build(open_project(root), "dogs", classes=("dog",))
    with pytest.raises(Refused, match="does not hold version"):
        lineage.dataset("v1")


def test_labels_that_straddle_row_groups_and_parts_come_whole(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = open_project(project_root)
    make_batch(project, {"car": ["box"]})
    boxes = [
        (i + 1, f"img/{i // 7:02d}.png", "car", [i % 7, 2.0, 10.0 + i, 20.0]) for i in range(70)
    ]
    import_labels(project, [coco(project_root / "c.json", boxes)], "b1")
    monkeypatch.setattr(dataset, "PART_ROWS", 32)
    monkeypatch.setattr(dataset, "_GROUP_ROWS", 5)
    monkeypatch.setattr(parts, "_GROUPS_KEPT", 2)
    build(project, splits={"train": 1.0})
    data = lineage.dataset(project_root / "data/dataset")
    order = np.random.default_rng(1).permutation(len(data)).tolist()
    for at in order:
        labels = data[at][1]
        found = sorted(labels["boxes"][:, 2].tolist())
        assert found == [10.0 + i + i % 7 for i in range(7 * at, 7 * at + 7)]
    assert len(data._parts._kept) == 2
