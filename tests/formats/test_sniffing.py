"""Files are told by what they hold, whatever they are called; the rest is named for what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import BadInput
from lineage.formats import READERS, attributions, side_files, sniff
from lineage.formats.looks import Role
from lineage.formats.sniffing import look
from lineage.formats.yolo import aside
from lineage.segments import parquet_writer

TASK: dict[str, Any] = {"id": 1, "data": {"image": "a.png"}, "annotations": []}
BOX = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9]}
IMAGE = {"id": 1, "file_name": "a.png", "width": 9, "height": 9}
CVAT = (
    '<?xml version="1.0"?>\n<!-- made by hand --><annotations><version>1.1</version></annotations>'
)
VOC = "<annotation><filename>a.png</filename><size><width>9</width></size></annotation>"

EXPORTS: list[tuple[str, object]] = [
    ("cvat", CVAT),
    ("cvat", "<annotations>\n <image id='0' name='a.png'/></annotations>"),
    ("cvat", "<annotations><meta><job/></meta>"),
    ("cvat-rest", {"count": 1, "next": None, "previous": None, "results": []}),
    ("cvat-rest", {"job": {"2": {"shapes": [], "tags": []}}, "task": {}}),
    ("voc", VOC),
    ("voc", "<annotation verified='no'>\n<folder/><object><name>car</name></object></annotation>"),
    ("label-studio", [TASK]),
    ("label-studio", [{"id": 1, "completions": [{"result": []}], "data": {}}]),
    ("label-studio", [{"data": {"image": "a.png"}}]),
    ("label-studio", []),
    ("labelbox", [{"ID": "a", "DataRow ID": "b", "Labeled Data": "u", "Label": {"objects": []}}]),
    ("labelbox", {"data_row": {"id": "a"}, "media_attributes": {}, "projects": {}}),
    ("labelbox", [{"data_row": {"id": "a"}, "projects": {}}]),
    ("labelbox", '{"data_row": {"id": "a"}, "projects": {}}\n{"data_row": {"id": "b"}, "projects": {}}\n'),
    ("coco", {"images": [IMAGE], "annotations": [BOX], "categories": []}),
    ("coco", {"annotations": [BOX], "categories": [], "images": []}),
    ("coco", {"info": {}, "licenses": [], "images": [IMAGE]}),
    ("yolo", "0 0.5 0.5 0.1 0.2\n12 1e-1 .5 0.25 0.125 0.9\n"),
    ("yolo", "0 0.1 0.1 0.2 0.1 0.2 0.2"),
    ("table", "image,label,x1\na.png,car,7\n"),
    ("table", "image;label;x1\na.png;car;7,5\n"),
    ("table", 'image\tlabel\nnote\t"two\nlines"\n'),
    ("table", "ImageID,Source,LabelName,XMin\nb,xclick,/m/0,0.2\nshort,row\nc,x,/m/1,0.3\n"),
    ("table", [{"image": "a.png", "label": "car"}]),
    ("table", '{"image": "a.png", "label": "car"}\n{"image": "b.png", "label": "dog"}\n'),
]  # fmt: skip

NOT_OURS: list[tuple[str, object, str]] = [
    ("LabelMe JSON", {"version": "5.0", "flags": {}, "shapes": [], "imagePath": "a.png"}, "COCO"),
    ("LabelMe JSON", {"imagePath": "a.png", "imageData": "A" * 2_000_000, "shapes": []}, "COCO"),
    ("LabelMe XML", "<annotation><filename>a</filename><object><polygon><username>ann</username>"
     "</polygon></object></annotation>", "Pascal VOC"),
    ("Datumaro JSON", {"info": {}, "categories": {}, "items": []}, "datum convert"),
    ("VoTT JSON", {"name": "a", "tags": [], "videoSettings": {}, "assets": {}}, "VoTT CSV"),
    ("CVAT's REST", {"version": 0, "tags": [], "shapes": [], "tracks": []}, "images 1.1"),
    ("CVAT backup", [{"version": 0, "tags": [], "shapes": [], "tracks": []}], "images 1.1"),
    ("JSON-MIN", [{"image": "a", "annotator": 1, "annotation_id": 2, "id": 1}], "Export, JSON"),
    ("webhooks", [{"action": "ANNOTATION_CREATED", "annotation": {}, "project": {}}], "Export, JSON"),
    ("webhooks", {"action": "TASK_CREATED", "tasks": [], "project": {}}, "Export, JSON"),
    ("one Label Studio task", TASK, "Export, JSON"),
    ("Label Studio CSV", "annotation_id,annotator,created_at,lead_time,image\n1,2,3,4,5", "JSON"),
    ("Labelbox upload", [{"uuid": "a", "dataRow": {"id": "b"}, "bbox": {}}], "Export v2"),
    ("Labelbox upload", '{"uuid": "a", "dataRow": {}}\n{"uuid": "b", "dataRow": {}}', "Export v2"),
    ("COCO panoptic", {"images": [IMAGE], "annotations": [{"segments_info": []}]}, "instances"),
    ("COCO captions", {"images": [IMAGE], "annotations": [{"caption": "a car"}]}, "instances"),
    ("COCO detection results", [{"image_id": 1, "category_id": 1, "bbox": [], "score": 1}], "images"),
    ("CreateML", [{"image": "a.png", "annotations": [{"label": "x", "coordinates": {}}]}], "COCO"),
    ("VGG Image Annotator", {"_via_settings": {}, "_via_img_metadata": {}}, "COCO"),
    ("V7 Darwin", {"version": "2.0", "item": {}, "annotations": []}, "COCO"),
    ("Supervisely", {"description": "", "size": {}, "objects": []}, "COCO"),
    ("Encord", [{"label_hash": "a", "data_units": {}}], "COCO"),
    ("MOT", "1,-1,0,4,4,8,1,3,1.0\n", "header: naming"),
    ("DOTA", "0 0 2 0 2 2 0 2 car 0\n", "Oriented"),
    ("Git bundle", b"# v2 git bundle\n513a refs/heads/main\n\nPACK\x00", "git clone"),
    ("gzip", b"\x1f\x8b\x08\x00rest", "unpack"),
    ("7z", b"7z\xbc\xaf\x27\x1c", "unpack"),
    ("web page", "<!DOCTYPE html>\n<html><body>Log in</body></html>", "fetch it again"),
    ("XML with the root <dataset>", "<dataset><images/></dataset>", "--format"),
    ("SQLite", b"SQLite format 3\x00", "CSV"),
    ("empty file", b" \n \n", "--format"),
    ("binary data", b"\x80\x04\x95\x00\x00\x01", "--format"),
    ("text", "nothing to see here\nat all\n", "--format"),
    ("YAML", "a: {b: true}\n", "--format"),
    ("JSON object with the keys 'a', 'b'", {"a": 1, "b": [1]}, "--format"),
    ("JSON list of int", [1, 2], "--format"),
]  # fmt: skip

BESIDE: list[tuple[str, str, object]] = [
    ("image", "a.jpg", b"whatever its bytes"),
    ("image", "a.bin", b"\x89PNG\r\n\x1a\n"),
    ("licence", "LICENSE", "MIT"),
    ("licence", "LICENCE.txt", "MIT"),
    ("readme", "README.roboflow.txt", "exported by"),
    ("label configuration", "config.xml", "<View><Image name='i'/></View>"),
    ("label configuration", "c.json", {"label": {"type": "Choices", "inputs": [], "labels": []}}),
    ("class list", "data.yaml", "train: images/train\nnc: 2\nnames: [a, b]\n"),
    ("class list", "obj.names", "a\nb\n"),
    ("class list", "classes.txt", "fire truck\nb\n"),
    ("class list", "classes.txt", "car, red\ncar, blue\n"),
    ("class list", "classes.txt", "0\n1\n"),
    ("class list", "obj.data", "classes = 2\nnames = data/obj.names\n"),
    ("class list", "labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\n"),
    ("class list", "notes.json", {"categories": [], "info": {}}),
    ("class hierarchy", "h.json", {"LabelName": "/m/x", "Subcategory": []}),
    ("image list", "train.txt", "data/a.jpg\ndata/b.JPG\n"),
    ("image list", "ImageSets/Main/car_train.txt", "2007_000001  1\n2007_000002 -1\n"),
]


def put(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


@pytest.mark.parametrize(("format", "content"), EXPORTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_exports_are_told_in_whatever_encoding(
    format: str, content: object, encoding: str, tmp_path: Path
) -> None:
    text = content if isinstance(content, str) else json.dumps(content, indent=1)
    path = tmp_path / "misnamed.txt"
    path.write_bytes(text.encode(encoding))
    found = sniff(path)
    assert found.format == format
    assert format in READERS
    assert found.reason


def test_latin_1_and_a_letter_cut_in_two_are_seen_through(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes("Bild;Klasse\na.png;Stra\u00dfe\n".encode("latin-1"))
    assert sniff(path).format == "table"
    path.write_bytes(b'[{"data": {"a": "' + b"\xc3\xa9" * 40_000 + b'"}, "annotations": []}]')
    assert sniff(path).format == "label-studio"


def test_parquet_is_a_table(tmp_path: Path) -> None:
    schema = pa.schema([("a", pa.int64())])
    with parquet_writer(tmp_path / "a", schema) as writer:
        writer.write_batch(pa.record_batch([[1]], schema=schema))
    assert sniff(tmp_path / "a").format == "table"


@pytest.mark.parametrize(("what", "content", "hint"), NOT_OURS)
def test_what_no_reader_takes_is_named_with_what_to_do(
    what: str, content: object, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as caught:
        sniff(
            put(tmp_path / "a.json", content)
            if what != "YAML"
            else put(tmp_path / "a.yaml", content)
        )
    assert caught.value.slug == "unknown-format"
    assert what in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(("what", "name", "content"), BESIDE)
def test_what_stands_beside_exports_is_known(
    what: str, name: str, content: object, tmp_path: Path
) -> None:
    found = look(put(tmp_path / name, content))
    assert (found.role, found.what) == (Role.BESIDE, what)
    if name in ("data.yaml", "obj.data"):
        # by itself it stands for the folder that it declares
        assert sniff(tmp_path / name).format == "yolo"
        return
    with pytest.raises(BadInput, match="stands beside one"):
        sniff(tmp_path / name)


@pytest.mark.parametrize(
    "columns", [attributions.TABLE.names, aside.ASSETS.names, side_files.COMPLETENESS]
)
def test_our_own_side_files_are_no_tables_of_labels(columns: list[str], tmp_path: Path) -> None:
    header = ",".join(f'"{name}"' for name in columns)
    assert look(put(tmp_path / "a.csv", header + "\n")).what == "side file"


def test_a_file_cut_off_anywhere_is_told_by_what_is_left(tmp_path: Path) -> None:
    text = json.dumps({"info": {"a": '[{\\"'}, "images": [IMAGE] * 3, "annotations": [BOX] * 3})
    begins = text.index('"images"') + 12
    for length in range(begins, len(text), 3):
        assert sniff(put(tmp_path / "a", text[:length])).format == "coco"


def test_keys_that_stand_far_in_are_still_seen(tmp_path: Path) -> None:
    late = {"info": {"description": "x" * 300_000}, "images": [IMAGE], "annotations": [BOX]}
    assert sniff(put(tmp_path / "a", late)).format == "coco"
    first = {"id": 1, "annotations": [{"result": [{"value": "y" * 1_500_000}]}], "data": {}}
    assert sniff(put(tmp_path / "a", [first])).format == "label-studio"


def test_only_the_beginning_of_a_file_is_read(tmp_path: Path) -> None:
    path = put(tmp_path / "a", '{"images": [' + "1," * 600_000)
    with path.open("ab") as file:
        file.truncate(1 << 40)  # a terabyte, of which nothing is on disk
    assert sniff(path).format == "coco"


@given(
    st.binary(max_size=300) | st.text(alphabet='{}[]",:<>/\\ \n01ab', max_size=120).map(str.encode)
)
def test_whatever_a_file_holds_is_told_or_refused_cleanly(content: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        found = look(Path(file.name))
        assert (found.role == Role.EXPORT) == (found.what in READERS)
        assert found.what


REAL: list[tuple[str, str, str]] = [
    # pattern, role, what; the first that fits a path decides
    ("*LICENSE*", "beside", "licence"),
    ("*/README.txt", "beside", "readme"),
    ("INDEX.md", "unknown", "text"),
    ("reference_numbers.json", "unknown", "JSON object"),
    ("anaesthetists/*.csv", "export", "table"),
    ("bccd/test.csv", "export", "table"),
    ("bccd/BCCD/Annotations/*", "export", "voc"),
    ("*/ImageSets/*", "beside or unknown", "image list or empty file"),
    ("bluebirds/*.yaml", "unknown", "YAML"),
    ("bluebirds/ducks/labels.txt", "unknown", "text"),
    ("camera_trap/*.csv", "export", "table"),
    ("camera_trap/*.txt", "unknown", "text"),
    ("cats_two_tools/cvat.xml", "export", "cvat"),
    ("cats_two_tools/label_studio.json", "export", "label-studio"),
    ("crowd_boxes/*.csv", "export", "table"),
    ("crowd_boxes/*.json", "unknown", "JSON object"),
    ("cvat_rest/*.json", "export", "cvat-rest"),
    ("git_histories/*", "foreign", "Git bundle"),
    ("label_studio_cases/*/label_config*", "beside", "label configuration"),
    ("label_studio_cases/test_export_csv/csv_test2_result.csv", "foreign", "Label Studio CSV"),
    ("label_studio_cases/test_export_*/*.json", "export", "label-studio"),
    ("label_studio_cases/test_import_coco/*.json", "export", "coco"),
    ("label_studio_cases/test_import_yolo*/classes.txt", "beside", "class list"),
    ("label_studio_cases/test_import_yolo*/labels/*.txt", "export", "yolo"),
    ("label_studio_live/*.zip", "foreign", "archive"),
    ("label_studio_live/label_config.xml", "beside", "label configuration"),
    ("label_studio_live/export_JSON.json", "export", "label-studio"),
    ("label_studio_live/snapshot_JSON.json", "export", "label-studio"),
    ("label_studio_live/export_JSON_MIN.json", "foreign", "Label Studio JSON-MIN"),
    ("label_studio_live/webhooks.json", "foreign", "Label Studio webhooks"),
    ("labelbox_cases/labelbox_v1/*", "export", "labelbox"),
    ("labelbox_cases/ndjson/*", "foreign", "Labelbox upload*"),
    ("labelbox_cases/coco/panoptic.json", "foreign", "COCO panoptic segmentation"),
    ("labelbox_cases/coco/*.json", "export", "coco"),
    ("taco/v*.json", "export", "coco"),
    ("three_annotators/label_studio.json", "export", "label-studio"),
    ("tool_exports_small/coco_dataset/*captions*", "foreign", "COCO captions"),
    ("tool_exports_small/coco_dataset/*panoptic_*.json", "foreign", "COCO panoptic segmentation"),
    ("tool_exports_small/coco_dataset/*.json", "export", "coco"),
    ("tool_exports_small/compat/*.yaml", "unknown", "YAML"),
    ("tool_exports_small/compat/*.json", "foreign", "Datumaro JSON"),
    ("tool_exports_small/datumaro_dataset/*.json", "foreign", "Datumaro JSON"),
    ("tool_exports_small/cvat_dataset/*.xml", "export", "cvat"),
    ("tool_exports_small/labelme_dataset/*.xml", "foreign", "LabelMe XML"),
    ("tool_exports_small/mot_dataset/*/gt.txt", "foreign", "MOT ground truth*"),
    ("tool_exports_small/mot_dataset/*/labels.txt", "beside", "class list"),
    ("tool_exports_small/mot_dataset/*/seqinfo.ini", "unknown", "text"),
    ("tool_exports_small/open_images_dataset/*.csv", "export", "table"),
    ("tool_exports_small/open_images_dataset/*.json", "beside", "class hierarchy"),
    ("tool_exports_small/open_images_dataset/*.meta", "unknown", "text"),
    ("tool_exports_small/roboflow_dataset/coco/*", "export", "coco"),
    ("tool_exports_small/roboflow_dataset/createml/*", "foreign", "CreateML JSON"),
    ("tool_exports_small/roboflow_dataset/multiclass/*", "export", "table"),
    ("tool_exports_small/roboflow_dataset/tfrecord/*", "unknown", "text"),
    ("tool_exports_small/roboflow_dataset/voc/*", "export", "voc"),
    ("tool_exports_small/roboflow_dataset/*/data.yaml", "beside", "class list"),
    ("tool_exports_small/roboflow_dataset/yolo/*.txt", "export", "yolo"),
    ("tool_exports_small/roboflow_dataset/yolo_obb/*.txt", "foreign", "DOTA rows*"),
    ("tool_exports_small/voc_dataset/*/labelmap.txt", "beside", "class list"),
    ("tool_exports_small/voc_dataset/*.xml", "export", "voc"),
    ("tool_exports_small/vott_csv_dataset/*.csv", "export", "table"),
    ("tool_exports_small/vott_*/dataset_meta.json", "beside", "class list"),
    ("tool_exports_small/vott_json_dataset/*-export.json", "foreign", "VoTT JSON"),
    ("tool_exports_small/yolo_dataset/*.txt", "export or beside", "yolo or image list"),
    ("*/obj.names", "beside", "class list"),
    ("*/obj.data", "beside", "class list"),
    ("voc100/coco_format_v1/*", "export", "coco"),
    ("voc100/cvat_format/*", "export", "cvat"),
    ("voc100/*/labelmap.txt", "beside", "class list"),
    ("voc100/imagenet_format/Annotations/*", "export", "voc"),
    ("voc100/pascalvoc_format/*", "export", "voc"),
    ("voc100/labelme_format/*", "foreign", "LabelMe JSON"),
    ("voc100/yolo_format/train.txt", "beside", "image list"),
    ("voc100/yolo_format/obj_train_data/*", "export", "yolo"),
]  # fmt: skip


def real_files(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.is_file())


def test_every_real_file_gets_the_right_answer(shared_data: Path) -> None:
    wrong = []
    used = set()
    for path in real_files(shared_data):
        name = path.relative_to(shared_data).as_posix()
        row = next((row for row in REAL if fnmatch(name, row[0])), None)
        assert row is not None, f"no expectation for {name}"
        used.add(row)
        found = look(path)
        roles, kinds = row[1].split(" or "), row[2].split(" or ")
        if found.role not in roles or not any(fnmatch(found.what, kind) for kind in kinds):
            wrong.append((name, found))
    assert wrong == []
    assert [row for row in REAL if row not in used] == []
