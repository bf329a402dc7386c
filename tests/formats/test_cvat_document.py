"""Hostile and broken XML: a clear refusal each time, and memory that stays flat."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import BadInput
from lineage.formats import ReadOptions
from lineage.formats.cvat.document import elements
from lineage.formats.cvat.read import read

BOX = '<box label="cat" occluded="0" xtl="1.50" ytl="2.25" xbr="300.75" ybr="400.10" z_order="0"></box>'


def refusal(tmp_path: Path, content: bytes) -> BadInput:
    path = tmp_path / "bad.xml"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        list(read(path, ReadOptions()))
    assert str(path) in caught.value.where
    return caught.value


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE annotations [<!ENTITY a "ha">'
    + b"".join(
        b'<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">' % (98 + i, *[97 + i] * 8)
        for i in range(20)
    )
    + b"]><annotations><version>&u;</version></annotations>"
)


@pytest.mark.parametrize(
    "content",
    [
        LAUGHS,
        b'<!DOCTYPE annotations [<!ENTITY f SYSTEM "file:///etc/passwd">]><annotations>&f;</annotations>',
        b'<!DOCTYPE annotations SYSTEM "http://127.0.0.1:9/x.dtd"><annotations/>',
        b'<!DOCTYPE annotations [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><annotations/>',
        b"<!DOCTYPE annotations><annotations/>",
    ],
    ids=["laughs", "file", "outside-dtd", "parameter-entity", "bare"],
)
def test_a_document_type_is_refused_before_anything_is_read(tmp_path: Path, content: bytes) -> None:
    found = refusal(tmp_path, content)
    assert found.slug == "xml-forbidden"
    assert "line 1" in found.where


def test_an_undeclared_entity_is_no_xml(tmp_path: Path) -> None:
    assert refusal(tmp_path, b"<annotations>&what;</annotations>").slug == "unreadable-xml"


WHOLE = f'<annotations><meta></meta><image id="0" name="a">{BOX}</image></annotations>'.encode()


@given(cut=st.integers(0, len(WHOLE) - 1))
@settings(max_examples=60, deadline=None)
def test_a_truncated_file_is_refused_wherever_it_ends(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    found = refusal(tmp_path_factory.mktemp("cut"), WHOLE[:cut])
    assert found.slug == "unreadable-xml"
    assert "ends within" in found.message


def test_a_truncated_file_tells_where_it_ends(tmp_path: Path) -> None:
    found = refusal(tmp_path, WHOLE[: WHOLE.index(b"ytl")])
    assert "<annotations><image>" in found.message
    assert "1 whole element" in found.message


@pytest.mark.parametrize(
    "content",
    [
        b'<annotations><image id="0" name="caf\xe9.jpg" width="1" height="1"></image></annotations>',
        b"<annotations><meta><task><name>caf\xe9</name></task></meta></annotations>",
        b'<?xml version="1.0" encoding="utf-8"?><annotations><image name="\xff"/></annotations>',
    ],
)
def test_bytes_that_are_not_utf8_are_refused_with_their_place(
    tmp_path: Path, content: bytes
) -> None:
    found = refusal(tmp_path, content)
    assert found.slug == "not-utf8"
    foreign = min(content.index(byte) for byte in (b"\xe9", b"\xff") if byte in content)
    assert f"byte {foreign} " in found.message


@pytest.mark.parametrize("encoding", ["udf-8", "klingon", "hex"])
def test_an_encoding_that_nobody_knows_is_refused(tmp_path: Path, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><annotations></annotations>'
    found = refusal(tmp_path, text.encode())
    assert found.slug == "unreadable-xml"
    assert encoding in found.message


def test_a_declared_encoding_is_honoured(tmp_path: Path) -> None:
    path = tmp_path / "latin.xml"
    path.write_bytes(
        '<?xml version="1.0" encoding="iso-8859-1"?><annotations><image name="café"/></annotations>'.encode(
            "latin-1"
        )
    )
    (image,) = elements(path)
    assert image.attributes == {"name": "café"}


@pytest.mark.parametrize(
    ("content", "slug"),
    [
        (b"", "unreadable-xml"),
        (b"{}", "unreadable-xml"),
        (b"<annotation><object/></annotation>", "wrong-shape"),
        (b"<annotations><image></annotations>", "unreadable-xml"),
        (b"<annotations/><annotations/>", "unreadable-xml"),
        (b"<annotations><image a='1' a='2'/></annotations>", "unreadable-xml"),
        (b"<annotations>\x00</annotations>", "unreadable-xml"),
        (b"<annotations>" + b"<a>" * 100_000, "too-deep"),
        (b"<annotations><image name='a'>" + b"<b>" * 100_000, "too-deep"),
        (b"<annotations><image name='a'/><meta/></annotations>", "wrong-shape"),
        pytest.param(
            b"<annotations><image name='" + b"a" * (34 << 20), "too-large", marks=pytest.mark.slow
        ),
    ],
)  # fmt: skip
def test_what_is_no_cvat_file_is_refused(tmp_path: Path, content: bytes, slug: str) -> None:
    assert refusal(tmp_path, content).slug == slug


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "bom.xml"
    path.write_bytes(b"\xef\xbb\xbf" + WHOLE)
    assert sum(chunk.labels.num_rows for chunk in read(path, ReadOptions())) == 1


@pytest.mark.parametrize("block_bytes", [1, 2, 7, 64])
def test_the_size_of_blocks_changes_nothing(tmp_path: Path, block_bytes: int) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(
        "<annotations><meta><task><name>é &amp; 你</name></task></meta>"
        '<image name="ü"><box><attribute name="a">x &lt; 你\n y</attribute></box></image>'
        "</annotations>".encode()
    )
    meta, image = elements(path, block_bytes=block_bytes)
    assert meta.children[0].word("name") == "é & 你"
    assert image.attributes == {"name": "ü"}
    assert image.children[0].children[0].text == "x < 你\n y"


def big_export(path: Path, n_images: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("<annotations>")
        for number in range(n_images):
            file.write(
                f'<image id="{number}" name="{number}.jpg" width="640" height="480">{BOX * 10}</image>\n'
            )
        file.write("</annotations>")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "big.xml"
    peaks = []
    for n_images in (300, 1500):
        big_export(path, n_images)
        tracemalloc.start()
        n = sum(chunk.labels.num_rows for chunk in read(path, ReadOptions(chunk_rows=500)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert n == 10 * n_images
    assert peaks[1] < 1.2 * peaks[0]


RICH = (
    "<annotations><meta><task><id>1</id><assignee><username>a</username></assignee></task></meta>"
    f'<image id="0" name="a" width="9" height="9">{BOX}<mask label="m" rle="1,2,1" left="0" top="0" '
    'width="2" height="2"/><skeleton label="s"><points label="1" points="1,2"/></skeleton>'
    '<ellipse label="e" cx="1" cy="2" rx="3" ry="4"/><tag label="t"/></image><track id="0" label="c">'
    '<polygon frame="3" points="1,2;3,4;5,6"/></track></annotations>'
).encode()


@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(RICH) - 1), st.integers(0, 3), st.binary(max_size=3)),
        max_size=4,
    )
)
@settings(max_examples=300, deadline=None)
def test_any_damage_is_read_or_refused_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int, bytes]]
) -> None:
    content = RICH
    for at, n_gone, put in edits:
        content = content[:at] + put + content[at + n_gone :]
    path = tmp_path_factory.getbasetemp() / "damaged.xml"
    path.write_bytes(content)
    with suppress(BadInput):
        for chunk in read(path, ReadOptions()):
            chunk.labels.validate(full=True)
