"""One VOC file as bytes: what is refused, what encodings are read, and damage of every kind."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from time import perf_counter
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import BadInput
from lineage.formats import ReadOptions
from lineage.formats.voc import document
from lineage.formats.voc.read import read
from tests.formats.test_voc_read import BOX, CAT, NUMBERED, ROTATED, only_chunk, put
from tests.formats.test_voc_read import document as voc


def refusal(folder: Path, content: bytes) -> BadInput:
    path = folder / "a.xml"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        list(read(path, ReadOptions()))
    assert str(path) in caught.value.where
    return caught.value


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE annotation [<!ENTITY a "ha">'
    + b"".join(
        b'<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">' % (98 + i, *[97 + i] * 8)
        for i in range(20)
    )
    + b"]><annotation><filename>&u;</filename></annotation>"
)


@pytest.mark.parametrize(
    "content",
    [
        LAUGHS,
        b'<!DOCTYPE annotation [<!ENTITY f SYSTEM "file:///etc/passwd">]><annotation>&f;</annotation>',
        b'<!DOCTYPE annotation SYSTEM "http://127.0.0.1:9/x.dtd"><annotation/>',
        b'<!DOCTYPE annotation [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><annotation/>',
        b"<!DOCTYPE annotation><annotation/>",
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE annotation><annotation/>'.encode(
            "utf-16"
        ),
        b'<?xml version="1.0" encoding="gbk"?><!DOCTYPE annotation [<!ENTITY a "b">]><annotation>&a;</annotation>',
    ],
    ids=["laughs", "file", "outside-dtd", "parameter-entity", "bare", "utf-16", "gbk"],
)
def test_a_document_type_is_refused_before_anything_it_says_is_used(
    tmp_path: Path, content: bytes
) -> None:
    started = perf_counter()
    assert refusal(tmp_path, content).slug == "xml-forbidden"
    assert perf_counter() - started < 5


def test_the_words_of_a_document_type_in_a_comment_are_none(tmp_path: Path) -> None:
    chunk = only_chunk(tmp_path, voc(CAT, more="<!-- <!DOCTYPE x> -->"))
    assert chunk.labels.num_rows == 1


NAMED = "<annotation><filename>a.jpg</filename><object><name>{}</name>" + BOX + "</object></annotation>"  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("iso-8859-1", "café"),
        ("cp1252", "caf\u20ac"),
        ("utf-8", "café 你"),
        ("utf-16", "café 你"),
        ("gbk", "猫"),
        ("shift_jis", "猫"),
    ],
)
def test_a_declared_encoding_is_honoured(tmp_path: Path, encoding: str, name: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>' + NAMED.format(name)
    path = tmp_path / "a.xml"
    path.write_bytes(text.encode(encoding))
    (chunk,) = read(path, ReadOptions())
    assert chunk.labels["class"].to_pylist() == [name]


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(b"\xef\xbb\xbf" + NAMED.format("é").encode())
    (chunk,) = read(path, ReadOptions())
    assert chunk.labels["class"].to_pylist() == ["é"]


@pytest.mark.parametrize("declared", ["", '<?xml version="1.0" encoding="UTF-8"?>'])
def test_bytes_that_are_not_utf8_are_refused_with_their_place(
    tmp_path: Path, declared: str
) -> None:
    content = (declared + NAMED.format("café")).encode("latin-1")
    found = refusal(tmp_path, content)
    assert found.slug == "not-utf8"
    assert f"byte {content.index(0xE9)} " in found.message


@pytest.mark.parametrize(
    ("content", "slug"),
    [
        (b"", "unreadable-xml"),
        (b"{}", "unreadable-xml"),
        (b"<annotation>", "unreadable-xml"),
        (b"<annotation><a></annotation>", "unreadable-xml"),
        (b"<annotation/><annotation/>", "unreadable-xml"),
        (b"<annotation>&what;</annotation>", "unreadable-xml"),
        (b"<annotation>\x00</annotation>", "unreadable-xml"),
        (b'<?xml version="1.0" encoding="nope"?><annotation/>', "unreadable-xml"),
        (b'<?xml version="1.0" encoding="rot13"?><annotation/>', "unreadable-xml"),
        (b'<?xml version="1.0" encoding="gbk"?><annotation>\xff</annotation>', "unreadable-xml"),
        (b"<annotation>" + b"<a>" * 50_000, "unreadable-xml"),
        (b"<annotations><image/></annotations>", "wrong-shape"),
        (b'<annotation xmlns="u"/>', "wrong-shape"),
        (b"<annotation><objects><object/></objects></annotation>", "wrong-shape"),
        (b"<annotation><filename>a.jpg</filename><imagesize><nrows>7</nrows></imagesize></annotation>", "labelme-xml"),
        (b"<annotation><object><name>c</name><deleted>0</deleted></object></annotation>", "labelme-xml"),
        (b"<annotation>" + b" " * (33 << 20) + b"</annotation>", "too-large"),
    ],
)  # fmt: skip
def test_what_is_no_voc_file_is_refused(tmp_path: Path, content: bytes, slug: str) -> None:
    assert refusal(tmp_path, content).slug == slug


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    whole = voc(CAT, ROTATED).encode()
    for cut in range(len(whole)):
        found = refusal(tmp_path, whole[:cut])
        assert found.slug == "unreadable-xml"
        assert "ends before" in found.message


def test_labelmes_own_xml_is_refused_by_name(shared_data: Path) -> None:
    path = shared_data / "tool_exports_small/labelme_dataset/Annotations/subset1/img1.xml"
    with pytest.raises(BadInput) as caught:
        list(read(path, ReadOptions()))
    assert caught.value.slug == "labelme-xml"


def test_nesting_beyond_any_tools_costs_what_is_deep_and_is_counted(tmp_path: Path) -> None:
    deep = "<a>" * 5000 + "x" + "</a>" * 5000
    chunk = only_chunk(tmp_path, voc(CAT.replace("</object>", f"{deep}</object>")))
    assert chunk.losses == {"too-deep": 1}
    assert len(chunk.labels["extra"][0].as_py()) < 500
    refused = only_chunk(tmp_path, voc(f"<object><name>c</name>{deep}</object>"))
    assert refused.violations["rule"].to_pylist() == ["missing-element"]


def test_elements_become_json_by_tag_and_several_of_one_a_list(tmp_path: Path) -> None:
    root = document.root_of(put(tmp_path, '<annotation><a>1</a><a k="v"> 2 </a><b/></annotation>'))
    assert document.plain(root) == {"a": ["1", {"@k": "v", "#text": "2"}], "b": ""}


RICH = voc(
    CAT,
    ROTATED,
    f"<object><name>d</name><pose>L</pose><difficult>1</difficult>{BOX}<polygon>{NUMBERED}</polygon>"
    "<attributes><attribute><name>n</name><value type='json'>[1]</value></attribute></attributes>"
    f"<part><name>h</name>{BOX}</part><lineage><annotation>7</annotation><labelled_at>2025-01-01T00:00:00Z"
    "</labelled_at><origin>model</origin><rotation_deg>3</rotation_deg></lineage></object>",
    more="<source><annotator>é</annotator></source><lineage><pixel_base>1</pixel_base>"
    '<completeness state="complete" class="c"/></lineage>',
).encode()


@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(RICH) - 1),
            st.integers(0, 12),
            st.one_of(
                st.binary(max_size=3),
                st.sampled_from(
                    [b"NaN", b"1e999", b"-", b"</object>", b"<object>", b"<bndbox/>", b"&lt;", b"<a>"]
                ),
            ),
        ),
        max_size=4,
    )
)  # fmt: skip
@settings(max_examples=250)
def test_any_damage_is_read_or_refused_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int, bytes]]
) -> None:
    content = RICH
    for at, n_gone, inserted in edits:
        content = content[:at] + inserted + content[at + n_gone :]
    path = tmp_path_factory.getbasetemp() / "damaged.xml"
    path.write_bytes(content)
    with suppress(BadInput):
        for chunk in read(path, ReadOptions()):
            chunk.labels.validate(full=True)
            chunk.completeness.validate(full=True)


numbers = st.one_of(
    st.floats(), st.integers(-(10**30), 10**30), st.sampled_from(["", " 7 ", "1,5", "0x1", "1_0"])
)


@given(
    corners=st.tuples(*[numbers] * 4),
    turned=st.tuples(*[numbers] * 5),
    points=st.lists(numbers, min_size=4, max_size=9),
    json_text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
    base=st.sampled_from([0, 1]),
)
@settings(max_examples=80)
def test_any_numbers_are_rows_or_violations(
    tmp_path_factory: pytest.TempPathFactory,
    corners: tuple[object, ...],
    turned: tuple[object, ...],
    points: list[object],
    json_text: str,
    base: int,
) -> None:
    def elements(names: list[str], values: object) -> str:
        return "".join(f"<{n}>{v}</{n}>" for n, v in zip(names, values, strict=False))  # type: ignore[call-overload]

    box = f"<bndbox>{elements(['xmin', 'ymin', 'xmax', 'ymax'], corners)}</bndbox>"
    turn = f"<robndbox>{elements(['cx', 'cy', 'w', 'h', 'angle'], turned)}</robndbox>"
    names = [f"{axis}{i}" for i in range(1, 6) for axis in "xy"]
    attribute = (
        f"<attribute><name>j</name><value type='json'>{escape(json_text)}</value></attribute>"
    )
    text = voc(
        f"<object><name>a</name>{box}<attributes>{attribute}</attributes></object>",
        f"<object><name>b</name>{box}{turn}</object>",
        f"<object><name>c</name>{box}<polygon>{elements(names, points)}</polygon></object>",
    )
    path = tmp_path_factory.getbasetemp() / "numbers.xml"
    path.write_text(text, encoding="utf-8")
    (chunk,) = read(path, ReadOptions(pixel_base=base))
    chunk.labels.validate(full=True)
    assert chunk.labels.num_rows + chunk.violations.num_rows == 3
