"""Tables in: every trap of real sheets, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from lineage.errors import BadInput
from lineage.formats import ReadOptions, reader
from lineage.formats.table import sheet
from lineage.segments import parquet_writer
from tests.formats.tables import BOXES, CLASSES, Found, found_in, with_

ROWS = "image,label,x1,y1,x2,y2\na.jpg,cat,10,20,40,60\nb.jpg,dog,1.5,2.5,3.5,4.5\n"


def test_a_row_becomes_one_label_with_its_corners_and_its_line(tmp_path: Path) -> None:
    found = found_in(tmp_path, ROWS, BOXES)
    assert found.boxes == [[10, 20, 40, 60], [1.5, 2.5, 3.5, 4.5]]
    label = found.labels[0]
    assert (label["asset"], label["class"], label["kind"]) == ("a.jpg", "cat", "box")
    assert (label["position"], label["origin"], label["attributes"]) == (2, "human", "{}")
    assert label["geometry"] is None
    assert label["source_id"] is None
    assert label["annotator"] is None
    assert found.roster == [("a.jpg", None, "labelled"), ("b.jpg", None, "labelled")]
    assert [row["name"] for row in found.assets] == ["a.jpg", "b.jpg"]
    assert not found.violations
    assert not found.losses
    assert found.notes == {
        "box": "xyxy, the default",
        "unit": "px, the default",
        "origin": "human, the default",
    }


def test_columns_are_told_by_name_wherever_they_stand(tmp_path: Path) -> None:
    shuffled = "y2,label,x2,note,y1,image,x1\n60,cat,40,hm,20,a.jpg,10\n"
    found = found_in(tmp_path, shuffled, BOXES)
    assert found.boxes == [[10, 20, 40, 60]]
    assert found.losses == {"column-not-carried: note": 1}
    assert found.notes["columns-left-over"] == "'note'"


def test_without_a_mapping_a_table_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(ROWS)
    with pytest.raises(BadInput) as caught:
        list(reader("table")(path, ReadOptions()))
    assert caught.value.slug == "map-missing"
    assert "--map-draft" in caught.value.hint


def test_ids_names_and_versions_stay_the_text_they_are(tmp_path: Path) -> None:
    rows = "id,image,who,label,version\n007,0012,08,1.0,33.10\n7,12,8,1,33.1\n"
    mapping = with_(CLASSES, columns={"id": "id", "annotator": "who"}, extra={"version": "version"})
    found = found_in(tmp_path, rows, mapping)
    told = [(r["source_id"], r["asset"], r["annotator"], r["class"]) for r in found.labels]
    assert told == [("007", "0012", "08", "1.0"), ("7", "12", "8", "1")]
    assert [found.extra(row)["version"] for row in (0, 1)] == ["33.10", "33.1"]


# signs and encodings


@pytest.mark.parametrize(
    ("rows", "delimiter"),
    [
        ('image,label,x1,y1,x2,y2\na.jpg,cat,"0,25","0,5","1,0","0,75"\n', ","),
        ("image;label;x1;y1;x2;y2\na.jpg;cat;0,25; 0,5;1,0;0,75\n", ";"),
    ],
)
def test_a_decimal_comma_is_one_if_the_mapping_says_so(
    tmp_path: Path, rows: str, delimiter: str
) -> None:
    mapping = with_(
        BOXES, unit="fraction", delimiter=delimiter, constants={"width": 200, "height": 100}
    )
    assert [rule for _, rule, _, _ in found_in(tmp_path, rows, mapping).wrong] == [
        "not-a-number"
    ] * 4
    assert found_in(tmp_path, rows, {**mapping, "decimal": ","}).boxes == [[50, 50, 200, 75]]


def test_a_point_beside_decimal_commas_is_not_guessed_at(tmp_path: Path) -> None:
    rows = "image;label;x1;y1;x2;y2\na;cat;1.234;0;5,5;9\nb;cat;1,5;0;5,5;9\n"
    found = found_in(tmp_path, rows, with_(BOXES, delimiter=";", decimal=","))
    assert found.wrong == [(2, "not-a-number", "x1", "1.234")]
    assert "decimal comma" in found.violations[0]["expected"]
    assert found.boxes == [[1.5, 0, 5.5, 9]]


def test_latin_1_is_read_when_named_and_never_guessed(tmp_path: Path) -> None:
    rows = "image,label\nBär.jpg,Löwe\n".encode("latin-1")
    with pytest.raises(BadInput) as caught:
        found_in(tmp_path, rows, CLASSES)
    assert caught.value.slug == "not-utf8"
    assert "byte 13 is 0xe4" in str(caught.value)
    assert "encoding: latin-1" in caught.value.hint
    found = found_in(tmp_path, rows, {**CLASSES, "encoding": "latin-1"})
    assert [(row["asset"], row["class"]) for row in found.labels] == [("Bär.jpg", "Löwe")]


def test_windows_has_its_own_signs(tmp_path: Path) -> None:
    rows = "image,label\na,“cat”\n".encode("windows-1252")
    assert found_in(tmp_path, rows, {**CLASSES, "encoding": "cp1252"}).classes == ["“cat”"]
    with pytest.raises(BadInput, match="expected windows-1252"):
        found_in(tmp_path, b"image,label\na,\x81\n", {**CLASSES, "encoding": "windows-1252"})


def test_the_byte_that_is_no_utf_8_is_named_deep_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet, "BLOCK_BYTES", 64)
    rows = b"image,label\n" + b"a.jpg,cat\n" * 50 + b"b\xff,cat\n"
    with pytest.raises(BadInput, match=f"byte {len(rows) - 6} is 0xff"):
        found_in(tmp_path, rows, CLASSES)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le"])
def test_wide_encodings_are_refused_whole(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(BadInput, match="UTF-16 or UTF-32"):
        found_in(tmp_path, "image,label\na,cat\n".encode(encoding), CLASSES)


def test_a_mark_of_byte_order_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert found_in(tmp_path, "\ufeff" + ROWS, BOXES).classes == ["cat", "dog"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("has_last", [True, False])
def test_every_end_of_line_is_one(tmp_path: Path, end: str, has_last: bool) -> None:
    rows = ROWS.rstrip("\n").replace("\n", end) + (end if has_last else "")
    found = found_in(tmp_path, rows, BOXES)
    assert [row["position"] for row in found.labels] == [2, 3]


def test_line_breaks_in_quotes_and_empty_lines_keep_the_count_of_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (
        'image,note,label\n"a.jpg","one\ntwo, ""three""\n",cat\n\n\nb.jpg,,dog\n'
        '"c\r\n.jpg",x,cat\nd.jpg,5" pipe,dog\ne.jpg,"",cat'
    )
    for block_bytes in (1 << 20, 24, 7):
        monkeypatch.setattr(sheet, "BLOCK_BYTES", block_bytes)
        found = found_in(tmp_path, rows, with_(CLASSES, extra=["note"]))
        told = [(row["asset"], row["position"]) for row in found.labels]
        assert told == [("a.jpg", 2), ("b.jpg", 7), ("d.jpg", 10), ("e.jpg", 11)]
        # a line break is no part of an image's name
        assert found.wrong == [(8, "asset-name", "image", "c\r\n.jpg")]
        assert found.extra(0) == {"note": 'one\ntwo, "three"\n'}
        assert found.extra(2) == {"note": '5" pipe'}


def test_a_quote_that_nothing_closes_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        found_in(tmp_path, 'image,label\na,cat\n"b,dog\nc,cat\n', CLASSES)
    assert caught.value.slug == "unreadable-table"
    assert "line 3" in str(caught.value)


def test_a_row_of_another_length_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = 'image,label,"n\nb"\na,cat,1\nb,dog,2,3\n\nc\nd,dog,4\n'
    found = found_in(tmp_path, rows, CLASSES)
    assert [row["position"] for row in found.labels] == [3, 7]
    assert [(v["position"], v["rule"], v["label"]) for v in found.violations] == [
        (4, "row-length", "b,dog,2,3"),
        (6, "row-length", "c"),
    ]
    assert found.violations[0]["value"] == "4 cells"


# what a file as a whole may be


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, content: str) -> None:
    with pytest.raises(BadInput, match="found no row") as caught:
        found_in(tmp_path, content, CLASSES)
    assert caught.value.slug == "unreadable-table"


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    found = found_in(tmp_path, "image,label\n", CLASSES)
    assert (found.labels, found.roster, found.violations) == ([], [], [])


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        found_in(tmp_path, "image,label, label\na,cat,dog\n", CLASSES)
    assert caught.value.slug == "duplicate-column"


def test_columns_that_are_not_there_are_all_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        found_in(tmp_path, ROWS, with_(BOXES, columns={"asset": "imge", "annotator": "whoever"}))
    assert caught.value.slug == "no-such-column"
    assert "asset: 'imge', did you mean 'image'?" in str(caught.value)
    assert "annotator: 'whoever', expected some of image, label, x1" in str(caught.value)


def test_a_kind_that_is_spelt_wrong_is_helped(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="kind: 'clas', did you mean 'class'"):
        found_in(tmp_path, ROWS, {**CLASSES, "kind": "clas"})


def test_a_file_without_names_takes_those_of_the_mapping(tmp_path: Path) -> None:
    rows = "# made by hand\n1,-1,0,4,4,8,1,3,1.0\n"
    names = ["frame", "track", "left", "top", "w", "h", "conf", "what", "seen"]
    mapping = {
        "kind": "box",
        "box": "xywh",
        "header": names,
        "skip_rows": 1,
        "asset_pattern": "img1/{:0>6}.jpg",
        "columns": {
            "asset": "frame", "class": "what", "x_min": "left", "y_min": "top",
            "box_width": "w", "box_height": "h",
        },
    }  # fmt: skip
    found = found_in(tmp_path, rows, mapping)
    assert [row["asset"] for row in found.labels] == ["img1/000001.jpg"]
    assert found.boxes == [[0, 4, 4, 12]]
    assert found.labels[0]["position"] == 2


def test_a_pattern_that_does_not_fit_refuses_the_row(tmp_path: Path) -> None:
    found = found_in(tmp_path, "image,label\na,cat\n", {**CLASSES, "asset_pattern": "{:06d}"})
    assert found.wrong == [(2, "asset-name", "image", "a")]


def test_names_that_climb_are_refused_and_addresses_shortened(tmp_path: Path) -> None:
    rows = "image,label\n../a.jpg,cat\nhttps://x.example/d/b.jpg?v=1,cat\n./c.jpg,cat\n,cat\n"
    found = found_in(tmp_path, rows, CLASSES)
    assert [row["asset"] for row in found.labels] == ["d/b.jpg", "c.jpg"]
    assert [row["uri"] for row in found.assets] == ["https://x.example/d/b.jpg?v=1", "./c.jpg"]
    assert found.wrong == [(2, "asset-name", "image", "../a.jpg"), (5, "asset-name", "image", "")]


# cells that are not what they should be


def test_every_bad_cell_is_a_violation_and_the_rest_comes_in(tmp_path: Path) -> None:
    rows = (
        "id,image,label,x1,y1,x2,y2\n1,a,cat,ten,20,,60\n2,a,cat,nan,20,30,1e400\n"
        "3,a,,1,2,3,4\n4,a,cat,+1, 2 ,3.,4e0\n"
    )
    found = found_in(tmp_path, rows, with_(BOXES, columns={"id": "id"}))
    assert found.boxes == [[1, 2, 3, 4]]
    assert found.wrong == [
        (2, "not-a-number", "x1", "ten"),
        (2, "missing-value", "x2", ""),
        (3, "not-finite", "x1", "nan"),
        (3, "not-finite", "y2", "1e400"),
        (4, "no-class", "label", ""),
    ]
    first = found.violations[0]
    assert (first["asset"], first["source"][-9:]) == ("a", "table.csv")
    assert {v["annotation"] for v in found.violations} == {"1", "2", "3"}
    assert '"x1": "ten"' in first["label"]


def test_good_blocks_and_bad_ones_read_numbers_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = ["+1", " 2 ", ".5", "5.", "1e3", "-0"]
    rows = "image,label,x1,y1,x2,y2\n" + "".join(f"a,cat,{cell},0,9999,9\n" for cell in good)
    clean = found_in(tmp_path, rows, BOXES)
    # one cell that is no number sends all of its block the slow way
    mixed = found_in(tmp_path, rows + "a,cat,0x1,0,9,9\n", BOXES)
    assert clean.boxes == mixed.boxes
    assert [rule for _, rule, _, _ in mixed.wrong] == ["not-a-number"]


def test_words_for_nothing_are_nothing_if_the_mapping_says_so(tmp_path: Path) -> None:
    rows = "image,label,score\na,cat,NA\nb,NA,0.5\n"
    mapping = with_(CLASSES, columns={"score": "score"}, nulls=["NA"])
    found = found_in(tmp_path, rows, mapping)
    assert [(row["class"], row["score"]) for row in found.labels] == [("cat", None)]
    assert found.roster == [("a", None, "labelled"), ("b", None, "empty")]


# who, how, in which words


def test_a_constant_stands_where_a_cell_is_empty(tmp_path: Path) -> None:
    rows = "image,label,who\na,cat,ann\nb,dog,\n"
    mapping = with_(CLASSES, columns={"annotator": "who"}, constants={"annotator": "vendor-a"})
    found = found_in(tmp_path, rows, mapping)
    assert [row["annotator"] for row in found.labels] == ["ann", "vendor-a"]


def test_the_caller_names_whom_the_table_does_not(tmp_path: Path) -> None:
    rows = "image,label,who\na,cat,ann\nb,dog,\n"
    found = found_in(tmp_path, rows, with_(CLASSES, columns={"annotator": "who"}), annotator="bob")
    assert [row["annotator"] for row in found.labels] == ["ann", "bob"]
    assert found.roster == [("a", "ann", "labelled"), ("b", "bob", "labelled")]


def test_rows_of_models_and_of_a_vote_are_told_from_peoples(tmp_path: Path) -> None:
    rows = "image,label,who,how\na,cat,ann,\na,cat,net,detector\na,cat,all,vote\na,dog,x,alien\n"
    values = {"origin": {"detector": "model", "vote": "consensus"}}
    mapping = with_(CLASSES, columns={"annotator": "who", "origin": "how"}, values=values)
    found = found_in(tmp_path, rows, mapping)
    assert [row["origin"] for row in found.labels] == ["human", "model", "consensus"]
    # nobody asked the model or the vote
    assert ("a", "net", "labelled") not in found.roster
    assert ("a", "ann", "labelled") in found.roster
    assert found.wrong == [(5, "unknown-word", "how", "alien")]


def test_a_gold_flag_makes_a_reference(tmp_path: Path) -> None:
    rows = "image,label,gold\na,cat,true\nb,cat,0\nc,cat,\nd,cat,expert\ne,cat,perhaps\n"
    mapping = with_(CLASSES, columns={"gold": "gold"}, values={"gold": {"expert": True}})
    found = found_in(tmp_path, rows, mapping)
    origins = [row["origin"] for row in found.labels]
    assert origins == ["ground_truth", "human", "human", "ground_truth"]
    assert found.wrong == [(6, "unknown-word", "gold", "perhaps")]


def test_classes_are_renamed_and_one_may_stand_for_nothing(tmp_path: Path) -> None:
    rows = "image,label\na,/m/0\nb,none\nc,dog\n"
    found = found_in(
        tmp_path, rows, {**CLASSES, "values": {"class": {"/m/0": "cat", "none": None}}}
    )
    assert found.classes == ["cat", "dog"]
    assert found.roster == [
        ("a", None, "labelled"),
        ("c", None, "labelled"),
        ("b", None, "empty"),
    ]


def test_attributes_are_listed_typed_and_given_other_values(tmp_path: Path) -> None:
    rows = 'image,label,occluded,count,size,note,more\na,cat,Yes,007,1.50,007,"{""a"": 1}"\nb,cat,-1,,,,\n'
    mapping = with_(
        CLASSES,
        attributes={
            "is_occluded": "occluded",
            "count": "count",
            "size": "size",
            "note": "note",
            "more": "more",
        },
        types={"is_occluded": "boolean", "count": "integer", "size": "number", "more": "json"},
        values={"is_occluded": {"-1": None}},
    )
    found = found_in(tmp_path, rows, mapping)
    assert found.labels[0]["attributes"] == (
        '{"count":7,"is_occluded":true,"more":{"a":1},"note":"007","size":1.5}'
    )
    assert found.labels[1]["attributes"] == "{}"


def test_an_attribute_that_is_not_of_its_type_refuses_its_label(tmp_path: Path) -> None:
    rows = "image,label,n\na,cat,2\nb,cat,2.5\nc,cat,1e999\n"
    mapping = with_(CLASSES, attributes=["n"], types={"n": "integer"})
    found = found_in(tmp_path, rows, mapping)
    assert [found.attributes()] == [{"n": 2}]
    assert found.wrong == [(3, "not-of-type", "n", "2.5"), (4, "not-of-type", "n", "1e999")]
    mapping["types"] = {"n": "number"}
    assert found_in(tmp_path, rows, mapping).wrong == [(4, "not-of-type", "n", "1e999")]


@pytest.mark.parametrize("key", ["attributes", "extra"])
def test_the_rest_of_the_columns_is_carried_if_asked_for(tmp_path: Path, key: str) -> None:
    rows = 'image,label,b,a,\nx,cat,"say ""ä"" \\",,unnamed\n'
    found = found_in(tmp_path, rows, {**CLASSES, key: "rest"})
    carried = found.attributes() if key == "attributes" else found.extra()
    assert carried == {"b": 'say "ä" \\'}
    assert found.losses == {"column-not-carried: ": 1}


def test_a_column_may_hold_all_attributes_as_json(tmp_path: Path) -> None:
    rows = 'image,label,attributes\na,cat,"{""b"": 1, ""a"": [true]}"\nb,cat,\nc,cat,[1]\n'
    found = found_in(tmp_path, rows, with_(CLASSES, columns={"attributes": "attributes"}))
    assert [row["attributes"] for row in found.labels] == ['{"a":[true],"b":1}', "{}"]
    assert found.wrong == [(4, "not-json", "attributes", "[1]")]


def test_the_ledgers_own_numbers_come_back(tmp_path: Path) -> None:
    rows = "image,label,annotation\na,cat,12\nb,cat,\nc,cat,x\n"
    found = found_in(tmp_path, rows, with_(CLASSES, columns={"annotation": "annotation"}))
    assert [row["annotation"] for row in found.labels] == [12, None]
    assert found.wrong == [(4, "not-a-number", "annotation", "x")]


# other files than CSV


def test_ndjson_is_read_as_it_stands_nothing_made_a_number(tmp_path: Path) -> None:
    rows = (
        '{"image":"a.jpg","label":"cat","x1":1,"y1":2.0,"x2":3,"y2":4,"id":"007","v":33.10}\n'
        '\n{"label":"d\\u00f6g","image":"b.jpg","x1":"1","y1":2,"x2":3,"y2":NaN}\n[1]\n'
        '{"image":"c.jpg","label":null,"x1":null,"late":[1,{"a":"b"}]}\n'
    )
    mapping = with_(BOXES, columns={"id": "id"}, extra={"v": "v"})
    found = found_in(tmp_path, rows, mapping)
    assert [(row["source_id"], row["position"]) for row in found.labels] == [("007", 1)]
    assert found.extra() == {"v": "33.10"}
    assert found.wrong[0][:2] == (4, "element")
    assert found.wrong[1] == (3, "missing-value", "y2", "")
    assert ("c.jpg", None, "empty") in found.roster
    assert found.losses == {"column-not-carried: late": 4}


def test_a_json_array_of_rows_is_a_table_too(tmp_path: Path) -> None:
    rows = '[{"image":"a","label":"cat"},\n {"image":"b","label":"dog"}]'
    found = found_in(tmp_path, rows, CLASSES)
    assert [(row["class"], row["position"]) for row in found.labels] == [("cat", 0), ("dog", 1)]


def test_a_key_that_no_row_has_is_refused_at_the_end(tmp_path: Path) -> None:
    rows = '{"image":"a","label":"cat"}\n'
    with pytest.raises(BadInput) as caught:
        found_in(tmp_path, rows, with_(CLASSES, columns={"annotator": "wo", "id": "lable"}))
    assert caught.value.slug == "no-such-column"
    assert "'lable', did you mean 'label'?" in str(caught.value)


def test_a_cut_off_ndjson_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        found_in(tmp_path, '{"image":"a","label":"cat"}\n{"image":"b","la', CLASSES)
    assert caught.value.slug == "unreadable-json"


def test_parquet_is_read_with_its_own_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "image": pa.array(["a", "a", None]).dictionary_encode(),
            "label": ["cat", "dog", "cat"],
            "id": pa.array([1, 2, 3], pa.int64()),
            "x1": pa.array([1, 2, 3], pa.int32()),
            "y1": pa.array([1.5, None, 3], pa.float32()),
            "x2": ["9", "9", "9"],
            "y2": pa.array([9.0, float("nan"), 9]),
            "at": pa.array([0, 1, 2], pa.timestamp("ms", tz="Europe/Berlin")),
            "ok": [True, None, False],
            "list": [[1, 2], None, []],
        }
    )
    path = tmp_path / "t.parquet"
    with parquet_writer(path, table.schema) as writer:
        writer.write_table(table)
    mapping = with_(
        BOXES,
        columns={"id": "id", "labelled_at": "at"},
        attributes=["ok", "list"],
        types={"ok": "boolean", "list": "json"},
    )
    found = Found(path, mapping)
    assert found.boxes == [[1, 1.5, 9, 9]]
    assert found.labels[0]["source_id"] == "1"
    assert found.labels[0]["labelled_at"].isoformat() == "1970-01-01T00:00:00+00:00"
    assert found.attributes() == {"list": [1, 2], "ok": True}
    assert sorted(found.wrong) == [
        (1, "missing-value", "y1", ""),
        (1, "not-finite", "y2", "nan"),
        (2, "asset-name", "image", ""),
    ]


def test_a_damaged_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        found_in(tmp_path, b"PAR1 and then nothing", CLASSES)
    assert caught.value.slug == "unreadable-table"


# chunks


def test_chunks_hold_no_more_labels_than_asked_and_say_the_same(tmp_path: Path) -> None:
    rows = "image,label,who\n" + "".join(f"i{n % 7},cat,p{n % 3}\n" for n in range(50))
    mapping = with_(CLASSES, columns={"annotator": "who"})
    whole, small = (
        found_in(tmp_path, rows, mapping),
        found_in(tmp_path, rows, mapping, chunk_rows=4),
    )
    assert max(chunk.labels.num_rows for chunk in small.chunks) == 4
    assert small.labels == whole.labels
    assert sorted(small.roster) == sorted(whole.roster)
    assert len(whole.roster) == len(set(whole.roster)) == 21
