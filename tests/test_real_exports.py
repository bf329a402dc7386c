"""Every real export: what came in, what was refused and why, in one table that is written anew here.

``docs/real-exports.md`` is that table. ``LINEAGE_REGENERATE=1 pytest tests/test_real_exports.py``
writes it; without, it has to be what the readers give today. It holds counts only.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pyarrow as pa
import pytest

from lineage.errors import LineageError
from lineage.formats import ReadOptions, reader, sources
from lineage.formats.sources import Piece
from lineage.formats.table.draft import draft
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "real-exports.md"
DUCKS = {
    "kind": "class",
    "delimiter": " ",
    "skip_rows": 1,
    "header": ["image", "person", "answer"],
    "columns": {"asset": "image", "annotator": "person", "class": "answer"},
}


@dataclass(frozen=True)
class Case:
    """A source, and what the caller says about it."""

    path: str
    format: str = "auto"
    told: str = ""  # "map draft", "map", "sizes", "pixel base 1"


CASES = [
    Case("cats_two_tools/label_studio.json"),
    Case("cats_two_tools/cvat.xml"),
    Case("cats_two_tools"),
    Case("three_annotators/label_studio.json"),
    Case("three_annotators"),
    Case("label_studio_live/export_JSON.json"),
    Case("label_studio_live/snapshot_JSON.json"),
    Case("label_studio_live/export_JSON_MIN.json"),
    Case("label_studio_live/export_COCO.zip"),
    Case("label_studio_live/export_VOC.zip"),
    Case("label_studio_live/export_YOLO.zip"),
    Case("label_studio_live/export_YOLO.zip", told="sizes"),
    Case("label_studio_live/webhooks.json"),
    Case("voc100/cvat_format"),
    Case("voc100/coco_format_v1"),
    Case("voc100/pascalvoc_format"),
    Case("voc100/pascalvoc_format", told="pixel base 1"),
    Case("voc100/imagenet_format"),
    Case("voc100/yolo_format"),
    Case("voc100/yolo_format", told="sizes"),
    Case("voc100/labelme_format"),
    Case("taco/v1-56bdab81.json"),
    Case("taco/v2-a56f6cb4.json"),
    Case("taco/v3-a35e9445.json"),
    Case("bccd/BCCD"),
    Case("bccd/test.csv"),
    Case("bccd/test.csv", told="map draft"),
    Case("bccd"),
    Case("git_histories/bccd_labels.bundle"),
    Case("git_histories/cvat_labels.bundle"),
    Case("cvat_rest/annotations.json"),
    Case("cvat_rest/jobs.json"),
    Case("cvat_rest"),
    Case("label_studio_cases/test_export_coco/data.json"),
    Case("label_studio_cases/test_export_csv/csv_test.json"),
    Case("label_studio_cases/test_export_csv/csv_test2.json"),
    Case("label_studio_cases/test_export_csv/csv_test2_result.csv"),
    Case("label_studio_cases/test_export_csv/csv_test_colliding_keys.json"),
    Case("label_studio_cases/test_export_csv/csv_test_colliding_keys_mixed.json"),
    Case("label_studio_cases/test_export_csv/csv_test_history.json"),
    Case("label_studio_cases/test_export_doclang"),
    Case("label_studio_cases/test_export_json_min/chat_data.json"),
    Case("label_studio_cases/test_export_json_min/data.json"),
    Case("label_studio_cases/test_export_json_min/data_repeater.json"),
    Case("label_studio_cases/test_export_yolo/data.json"),
    Case("label_studio_cases/test_export_yolo/data_keypoints.json"),
    Case("label_studio_cases/test_export_yolo/data_obb.json"),
    Case("label_studio_cases/test_export_yolo/data_polygons.json"),
    Case("label_studio_cases/test_export_yolo"),
    Case("label_studio_cases/test_import_coco"),
    Case("label_studio_cases/test_import_yolo_data"),
    Case("label_studio_cases/test_import_yolo_data", told="sizes"),
    Case("label_studio_cases/test_import_yolo_data_unif_dims", told="sizes"),
    Case("labelbox_cases/labelbox_v1/highly_nested_image.json"),
    Case("labelbox_cases/labelbox_v1/image_export.json"),
    Case("labelbox_cases/labelbox_v1/unkown_media_type_export.json"),
    Case("labelbox_cases/labelbox_v1/pdf_export.json"),
    Case("labelbox_cases/labelbox_v1/text_export.json"),
    Case("labelbox_cases/labelbox_v1/tiled_image_export.json"),
    Case("labelbox_cases/labelbox_v1/video_export.json"),
    Case("labelbox_cases/labelbox_v1"),
    Case("labelbox_cases/ndjson"),
    Case("labelbox_cases/coco/instances.json"),
    Case("labelbox_cases/coco/rle.json"),
    Case("labelbox_cases/coco/panoptic.json"),
    Case("crowd_boxes/boundingbox_data.csv", told="map draft"),
    Case("crowd_boxes/boundingbox_gold.json"),
    Case("bluebirds/bluebirds/labels.yaml"),
    Case("bluebirds/ducks/labels.txt"),
    Case("bluebirds/ducks/labels.txt", told="map"),
    Case("anaesthetists/anesthesia.csv", told="map draft"),
    Case("camera_trap/michigan-sample.csv", told="map draft"),
    Case("camera_trap/michigan-flattened.csv", told="map draft"),
    Case("camera_trap/ap-aas229-test-classifications.csv", told="map draft"),
    Case("camera_trap/ap-aas229-test-markings.csv", told="map draft"),
    Case("tool_exports_small/coco_dataset/coco"),
    Case("tool_exports_small/coco_dataset/coco", format="coco"),
    Case("tool_exports_small/coco_dataset/coco_image_info"),
    Case("tool_exports_small/coco_dataset/coco_instances"),
    Case("tool_exports_small/coco_dataset/coco_labels"),
    Case("tool_exports_small/coco_dataset/coco_panoptic"),
    Case("tool_exports_small/coco_dataset/coco_person_keypoints"),
    Case("tool_exports_small/coco_dataset/coco_roboflow"),
    Case("tool_exports_small/coco_dataset/coco_stuff"),
    Case("tool_exports_small/coco_dataset/mmdet_coco"),
    Case("tool_exports_small/compat"),
    Case("tool_exports_small/cvat_dataset/for_images/export_project"),
    Case("tool_exports_small/cvat_dataset/for_images/export_task"),
    Case("tool_exports_small/cvat_dataset/for_video"),
    Case("tool_exports_small/datumaro_dataset"),
    Case("tool_exports_small/labelme_dataset"),
    Case("tool_exports_small/mot_dataset"),
    *(
        Case(f"tool_exports_small/open_images_dataset/{name}", told="map draft, sizes")
        for name in (
            "v5/annotations/class-descriptions.csv",
            "v5/annotations/test-images-with-rotation.csv",
            "v5/annotations/train-images-with-labels-with-rotation.csv",
            "v6/annotations/image_ids_and_rotation.csv",
            "v6/annotations/oidv6-class-descriptions.csv",
            "v6/annotations/oidv6-train-annotations-bbox.csv",
            "v6/annotations/oidv6-train-annotations-human-imagelabels.csv",
            "v6/annotations/test-annotations-bbox.csv",
            "v6/annotations/test-annotations-human-imagelabels.csv",
            "v6/annotations/train-annotations-object-segmentation.csv",
        )
    ),
    Case("tool_exports_small/roboflow_dataset/coco"),
    Case("tool_exports_small/roboflow_dataset/createml"),
    Case("tool_exports_small/roboflow_dataset/multiclass/train/_classes.csv", told="map draft"),
    Case("tool_exports_small/roboflow_dataset/multiclass/val/_classes.csv", told="map draft"),
    Case("tool_exports_small/roboflow_dataset/tfrecord"),
    Case("tool_exports_small/roboflow_dataset/voc"),
    Case("tool_exports_small/roboflow_dataset/yolo", told="sizes"),
    Case("tool_exports_small/roboflow_dataset/yolo_obb", told="sizes"),
    Case("tool_exports_small/voc_dataset/voc_dataset1"),
    Case("tool_exports_small/voc_dataset/voc_dataset2"),
    Case("tool_exports_small/voc_dataset/voc_dataset3"),
    Case("tool_exports_small/vott_csv_dataset/dataset/test-export.csv", told="map draft"),
    Case("tool_exports_small/vott_csv_dataset/dataset/train-export.csv", told="map draft"),
    Case(
        "tool_exports_small/vott_csv_dataset/dataset_with_meta_file/test-export.csv",
        told="map draft",
    ),
    Case("tool_exports_small/vott_json_dataset"),
    Case("tool_exports_small/yolo_dataset/annotations", told="sizes"),
    Case("tool_exports_small/yolo_dataset/labels", told="sizes"),
    Case("tool_exports_small/yolo_dataset/strict", told="sizes"),
]
NO_EXPORTS = (
    "INDEX.md", "reference_numbers.json", "*/LICENSE*", "*/label_config*", "*/classification_export_*",
    "bluebirds/bluebirds/gt.yaml", "bluebirds/ducks/*.yaml",
    "tool_exports_small/open_images_dataset/v6/annotations/images.meta",
    "tool_exports_small/open_images_dataset/v6/annotations/bbox_labels_600_hierarchy.json",
    "tool_exports_small/vott_csv_dataset/dataset_with_meta_file/dataset_meta.json",
)  # fmt: skip


@dataclass
class Outcome:
    """What reading a source gave, added up."""

    format: str = ""
    refused: str = ""
    n_labels: int = 0
    images: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    states: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    passed_over: Mapping[str, int] = field(default_factory=dict)
    labels: list[pa.RecordBatch] = field(default_factory=list)

    def column(self, name: str) -> list[object]:
        """Return a column of all labels."""
        return [value for batch in self.labels for value in batch[name].to_pylist()]

    def boxes(self) -> Counter[tuple[object, ...]]:
        """Return how often each image, class and box, rounded to whole px, stands."""
        names = ("asset", "class", "x_min", "y_min", "x_max", "y_max")
        rows = zip(*(self.column(name) for name in names), strict=True)
        return Counter((asset, class_, *map(round, box)) for asset, class_, *box in rows)


def options_of(case: Case, root: Path, sizes: Mapping[str, tuple[int, int]]) -> ReadOptions:
    mapping = draft(root / case.path) if "map draft" in case.told else None
    if case.told == "map":
        mapping = DUCKS
    given = (lambda name: sizes.get(name, (640, 480))) if "sizes" in case.told else (lambda _: None)
    base = 1 if "pixel base 1" in case.told else 0
    return ReadOptions(mapping=mapping, size_of=given, pixel_base=base)


def read(case: Case, root: Path, scratch: Path, sizes: Mapping[str, tuple[int, int]]) -> Outcome:
    done = Outcome()
    format = "table" if "map" in case.told else case.format
    try:
        found = sources.find([Piece(root / case.path, case.path)], scratch=scratch, format=format)
        done.format, done.passed_over = found.format, found.passed_over
        options = options_of(case, root, sizes)
        with sources.named_as_given(found.unpacked):
            for piece in found.pieces:
                for chunk in reader(found.format)(piece.path, options):
                    add(done, chunk)
    except LineageError as exc:
        # counts stay, names and keys of the files do not
        told = exc.message.replace(f"{root}/{case.path} ", "")
        told = re.sub(r" \([^()]*\)| with the keys .*?(?=, which)", "", told)
        done.refused = f"`{exc.slug}`: {told}; {exc.hint}"
    return done


def add(done: Outcome, chunk: object) -> None:
    from lineage.formats import Chunk

    assert isinstance(chunk, Chunk)
    done.n_labels += chunk.labels.num_rows
    done.labels.append(chunk.labels)
    done.images.update(chunk.assets["name"].to_pylist())
    for column in (chunk.labels["annotator"], chunk.roster["annotator"]):
        done.people.update(name for name in column.to_pylist() if name is not None)
    done.answers.update(chunk.roster["presence"].to_pylist())
    done.states.update(chunk.completeness["state"].to_pylist())
    done.rules.update(chunk.violations["rule"].to_pylist())
    done.losses.update({name: n for name, n in chunk.losses.items() if n})


@pytest.fixture(scope="module")
def outcomes(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Outcome]:
    """What every case gives; read once."""
    scratch = tmp_path_factory.mktemp("unpacked")
    sizes: dict[str, tuple[int, int]] = {}
    for chunk in reader("voc")(shared_data / "voc100" / "pascalvoc_format", ReadOptions()):
        rows = (chunk.assets[name].to_pylist() for name in ("name", "width", "height"))
        sizes.update({name: (width, height) for name, width, height in zip(*rows, strict=True)})
    return {case: read(case, shared_data, scratch / str(i), sizes) for i, case in enumerate(CASES)}


def counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items())) or "-"


def rows_of(outcomes: Mapping[Case, Outcome]) -> Iterator[str]:
    for case, done in outcomes.items():
        told = ", ".join(filter(None, (case.told, "" if case.format == "auto" else case.format)))
        name = f"`{case.path}`" + (f" ({told})" if told else "")
        if done.refused:
            yield f"| {name} | refused | | | | | {done.refused} | |"
            continue
        cells = (
            name, done.format, f"{len(done.images):,}", f"{done.n_labels:,}",
            f"{len(done.people):,}" if done.people else "-", counted(done.states),
            counted(done.rules), counted(done.losses),
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |"


INTRODUCTION = """# Real exports

What the readers make of every file of the shared data that is an export: counts, and nothing of the files. `LINEAGE_REGENERATE=1 python -m pytest tests/test_real_exports.py`
writes this page; the suite compares it with what comes out. Labels are counted as they leave the reader, before a label schema judges them. Of several files in a folder or archive
the sums are given. *People* are those whom labels or answers name; *state* is what the export says of how far its images are.

In parentheses stands what the caller says: `map draft` reads by the mapping that `lineage import FILE --map-draft` prints, as it is; `map` by one written by hand; `sizes` has the images on record
(`lineage assets add`); a format is `--format`. Bundles of Git come in through `lineage import --from-git`.

| source | format | images | labels | people | state | refused, by rule | not carried |
|---|---|---|---|---|---|---|---|
"""


def test_the_page_is_what_the_readers_give(outcomes: dict[Case, Outcome]) -> None:
    page = INTRODUCTION + "\n".join(rows_of(outcomes)) + "\n"
    if os.environ.get("LINEAGE_REGENERATE"):
        PAGE.write_text(page, "utf-8")
    assert PAGE.read_text("utf-8").splitlines() == page.splitlines()


def test_no_real_file_is_left_out(shared_data: Path) -> None:
    covered = [case.path for case in CASES]
    for path in shared_data.rglob("*"):
        name = path.relative_to(shared_data).as_posix()
        if path.is_dir() or any(fnmatch(name, pattern) for pattern in NO_EXPORTS):
            continue
        assert any(name == c or name.startswith(f"{c}/") for c in covered), name


def of(outcomes: dict[Case, Outcome], path: str, told: str = "") -> Outcome:
    return next(done for case, done in outcomes.items() if (case.path, case.told) == (path, told))


def test_one_persons_boxes_in_two_tools(outcomes: dict[Case, Outcome]) -> None:
    for name in ("label_studio.json", "cvat.xml"):
        done = of(outcomes, f"cats_two_tools/{name}")
        assert (len(done.images), done.n_labels, len(done.people)) == (14, 24, 1)


def test_three_annotators_of_five_tasks(outcomes: dict[Case, Outcome]) -> None:
    done = of(outcomes, "three_annotators/label_studio.json")
    origins = Counter(done.column("origin"))
    assert (done.answers.total(), origins["human"], origins["model"]) == (15, 91, 30)


def test_a_live_project_and_what_its_lesser_exports_lose(outcomes: dict[Case, Outcome]) -> None:
    for name in ("export_JSON.json", "snapshot_JSON.json"):
        done = of(outcomes, f"label_studio_live/{name}")
        assert (done.n_labels, done.answers.total(), len(done.images)) == (122, 34, 12)
        assert done.answers["skipped"] == 1
        assert done.people == {"1", "2", "3"}
    boxes = [kind for kind in of(outcomes, "label_studio_live/export_JSON.json").column("kind")]
    assert of(outcomes, "label_studio_live/export_COCO.zip").n_labels == boxes.count("box")
    assert not of(outcomes, "label_studio_live/export_COCO.zip").people
    # one annotator of an image is left in each of these
    assert of(outcomes, "label_studio_live/export_VOC.zip").n_labels == 34
    assert of(outcomes, "label_studio_live/export_YOLO.zip", "sizes").n_labels == 34


def test_one_set_of_boxes_in_five_formats(outcomes: dict[Case, Outcome]) -> None:
    paths = ("cvat_format", "coco_format_v1", "pascalvoc_format", "imagenet_format")
    found = [of(outcomes, f"voc100/{path}") for path in paths]
    found.append(of(outcomes, "voc100/yolo_format", "sizes"))
    for done in found:
        assert (done.n_labels, len(done.images), len(set(done.column("class")))) == (273, 100, 20)
        assert done.boxes() == found[0].boxes()
    assert of(outcomes, "voc100/pascalvoc_format", "pixel base 1").boxes() != found[0].boxes()


def test_three_versions_of_one_file(outcomes: dict[Case, Outcome]) -> None:
    for path, n_labels, n_classes in (
        ("taco/v1-56bdab81.json", 1827, 63),
        ("taco/v2-a56f6cb4.json", 1827, 63),
        ("taco/v3-a35e9445.json", 2152, 60),
    ):
        done = of(outcomes, path)
        assert (done.n_labels, len(done.images)) == (n_labels, 715)
        assert len(set(done.column("class"))) <= n_classes


def test_blood_cells_as_files_and_as_a_table(outcomes: dict[Case, Outcome]) -> None:
    files, table = of(outcomes, "bccd/BCCD"), of(outcomes, "bccd/test.csv", "map draft")
    assert Counter(files.column("class")) == {"RBC": 4155, "WBC": 372, "Platelets": 361}
    assert files.n_labels == 4888
    assert files.boxes() == table.boxes()
    flat = zip(files.column("x_min"), files.column("x_max"), strict=True)
    assert sum(a == b for a, b in flat) == 2


def test_crowds_and_camera_traps(outcomes: dict[Case, Outcome]) -> None:
    crowd = of(outcomes, "crowd_boxes/boundingbox_data.csv", "map draft")
    assert (crowd.answers.total(), crowd.n_labels) == (1723, 7533)
    assert (len(crowd.people), len(crowd.images)) == (196, 200)
    traps = of(outcomes, "camera_trap/michigan-sample.csv", "map draft")
    assert (traps.answers.total(), len(traps.people)) == (2000, 31)
    ducks = of(outcomes, "bluebirds/ducks/labels.txt", "map")
    assert (len(ducks.people), len(ducks.images), ducks.n_labels) == (53, 240, 9600)


def test_rotated_boxes_of_label_studio(outcomes: dict[Case, Outcome]) -> None:
    done = of(outcomes, "label_studio_cases/test_export_yolo/data_obb.json")
    assert Counter(done.column("kind")) == {"rotated_box": 25}


def test_every_refusal_says_what_to_do_or_what_there_is(outcomes: dict[Case, Outcome]) -> None:
    for case, done in outcomes.items():
        if done.refused:
            assert done.n_labels == 0, case
            assert not done.refused.endswith("; "), case
