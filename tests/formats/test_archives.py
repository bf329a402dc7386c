"""Archives: what honest ones hold comes out, hostile ones are refused whole and write nowhere else."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lineage.errors import BadInput
from lineage.formats import archives
from lineage.formats.archives import Limits, kind_of, unpack

Members = list[tuple[str, bytes]]


def zipped(path: Path, members: Members) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: Members, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def special(path: Path, kind: bytes, name: str = "a.xml", target: str = "/etc/passwd") -> Path:
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def refusal(path: Path, folder: Path, limits: Limits = archives.LIMITS) -> str:
    folder.mkdir(exist_ok=True)
    with pytest.raises(BadInput) as caught:
        unpack(path, folder, limits=limits)
    assert str(path) in str(caught.value)
    return caught.value.slug


def slug_of(path: Path, folder: Path) -> str | None:
    try:
        unpack(path, folder)
    except BadInput as exc:
        return exc.slug
    return None


MAKERS: dict[str, Callable[[Path, Members], Path]] = {
    "zip": zipped,
    "tar": lambda path, members: tarred(path, members),
    "tar.gz": lambda path, members: tarred(path, members, "w:gz"),
    "tar.bz2": lambda path, members: tarred(path, members, "w:bz2"),
    "tar.xz": lambda path, members: tarred(path, members, "w:xz"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_each_kind_is_told_by_its_content_and_unpacked(kind: str, tmp_path: Path) -> None:
    members = [("a.xml", b"<a/>"), ("deep/er/b.txt", b"0 1" * 9000), ("deep/c.txt", b"")]
    path = MAKERS[kind](tmp_path / "named.json", members)
    assert kind_of(path) == kind
    (tmp_path / "out").mkdir()
    done = unpack(path, tmp_path / "out")
    assert (done.n_files, done.n_images) == (3, 0)
    assert files(tmp_path / "out") == dict(members)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"PK",
        b"\x1f\x8b",
        gzip.compress(b"{}", mtime=0),
        bz2.compress(b"["),
        lzma.compress(b""),
    ],
)
def test_what_is_no_archive_is_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert kind_of(path) is None


@pytest.mark.parametrize(
    "name",
    [
        "../a.xml", "a/../../b.xml", "/etc/cron.d/a", "C:/a.xml", "c:a.xml", "a\x07.xml",
        "x" * 256, "/".join(["folder"] * 300), "/".join("d" * 101),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_lead_elsewhere_are_refused(kind: str, name: str, tmp_path: Path) -> None:
    path = MAKERS[kind](tmp_path / "a", [("good.xml", b"<a/>"), (name, b"evil")])
    assert refusal(path, tmp_path / "out") == "archive-unsafe"
    assert [p.name for p in tmp_path.iterdir()] in (["a", "out"], ["out", "a"])
    assert set(files(tmp_path / "out")) <= {"good.xml"}


def test_backslashes_are_folders_and_climb_no_more_than_slashes(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", [("labels\\a.txt", b"0")])
    (tmp_path / "out").mkdir()
    unpack(path, tmp_path / "out")
    assert files(tmp_path / "out") == {"labels/a.txt": b"0"}
    path = zipped(tmp_path / "b.zip", [("..\\..\\a.txt", b"0")])
    assert refusal(path, tmp_path / "out2") == "archive-unsafe"


def test_a_name_that_hides_behind_a_nul_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", [("good.xmlX/evil", b"")])
    path.write_bytes(path.read_bytes().replace(b"good.xmlX/", b"good.xml\x00/"))
    assert refusal(path, tmp_path / "out") == "archive-unsafe"


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_of_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    assert refusal(special(tmp_path / "a.tar", kind), tmp_path / "out") == "archive-unsafe"
    assert files(tmp_path / "out") == {}


def test_a_file_with_holes_is_refused(tmp_path: Path) -> None:
    path = special(tmp_path / "a.tar", tarfile.GNUTYPE_SPARSE, target="")
    assert refusal(path, tmp_path / "out") == "archive-unsafe"
    assert files(tmp_path / "out") == {}


def test_a_link_of_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a.xml")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert refusal(tmp_path / "a.zip", tmp_path / "out") == "archive-unsafe"


@pytest.mark.parametrize(
    "names", [("a.xml", "a.xml"), ("a.xml", "./a.xml"), ("a", "a/b"), ("a/b", "a"), ("a/b/", "a")]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_that_stand_in_each_others_place_are_refused(
    kind: str, names: tuple[str, str], tmp_path: Path
) -> None:
    if kind == "tar" and names[0].endswith("/"):
        names = (names[0] + "c", names[1])  # `tarred` writes no folders
    path = MAKERS[kind](tmp_path / "a", [(name, b"") for name in names])
    assert refusal(path, tmp_path / "out") == "archive-unsafe"


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", [("a.xml", b"<a/>")])
    content = bytearray(path.read_bytes())
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(magic) + at] |= 1
    path.write_bytes(bytes(content))
    assert refusal(path, tmp_path / "out") == "archive-encrypted"


@pytest.mark.parametrize("kind", MAKERS)
def test_bombs_are_stopped_while_they_unpack(kind: str, tmp_path: Path) -> None:
    small = Limits(n_bytes=1 << 30, n_members=100, ratio=50, free_bytes=1 << 20)
    zeros = bytes(8 << 20)
    if kind != "tar":
        path = MAKERS[kind](tmp_path / "ratio", [("a.json", zeros)])
        assert refusal(path, tmp_path / "out1", small) == "archive-too-large"
        assert sum(len(b) for b in files(tmp_path / "out1").values()) < 4 << 20
    path = MAKERS[kind](tmp_path / "bytes", [(f"{i}.json", os.urandom(400_000)) for i in range(4)])
    few = Limits(n_bytes=1_000_000)
    assert refusal(path, tmp_path / "out2", few) == "archive-too-large"
    assert sum(len(b) for b in files(tmp_path / "out2").values()) <= 1_000_000
    path = MAKERS[kind](tmp_path / "members", [(f"{i}.txt", b"") for i in range(101)])
    assert refusal(path, tmp_path / "out3", small) == "archive-too-large"


def test_a_bomb_among_images_that_are_left_packed_is_stopped_too(tmp_path: Path) -> None:
    small = Limits(ratio=50, free_bytes=1 << 20)
    path = tarred(tmp_path / "a.tgz", [("a.png", bytes(64 << 20)), ("b.json", b"[]")], "w:gz")
    assert refusal(path, tmp_path / "out", small) == "archive-too-large"


def test_a_size_that_lies_is_not_believed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", [("a.json", bytes(8 << 20))])
    content = bytearray(path.read_bytes())
    for magic, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", content, content.find(magic) + at, 10)
    path.write_bytes(bytes(content))
    assert refusal(path, tmp_path / "out") == "archive-unreadable"
    assert sum(len(b) for b in files(tmp_path / "out").values()) <= 10


def test_a_list_of_members_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", [(f"{'n' * 200}{i}", b"") for i in range(30)])
    assert refusal(path, tmp_path / "out", Limits(n_members=10)) == "archive-too-large"


def test_a_tar_header_may_not_announce_a_giant_comment(tmp_path: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 64 << 20
    content = info.tobuf(tarfile.USTAR_FORMAT) + bytes(64 << 20)
    path = tmp_path / "a.tgz"
    path.write_bytes(gzip.compress(content, 1, mtime=0))
    assert refusal(path, tmp_path / "out") == "archive-unreadable"


@pytest.mark.parametrize("size", [-1, -1024, -(1 << 40)])
def test_a_tar_header_may_not_lead_backwards(size: int, tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.xml")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = size.to_bytes(12, "big", signed=True)
    header[148:156] = b"        "
    header[148:156] = b"%06o\x00 " % sum(header[:512])
    path = tmp_path / "a.tar"
    path.write_bytes(bytes(header) + bytes(1024))
    assert refusal(path, tmp_path / "out") == "archive-unreadable"


@pytest.mark.parametrize("kind", MAKERS)
def test_every_truncation_is_refused_cleanly(kind: str, tmp_path: Path) -> None:
    members = [("a.xml", os.urandom(3000)), ("b.xml", b"<b/>" * 500)]
    whole = MAKERS[kind](tmp_path / "whole", members).read_bytes()
    path = tmp_path / "cut"
    for n, length in enumerate(range(600, len(whole) - 1100, 177)):
        path.write_bytes(whole[:length])
        if kind_of(path) is None:
            continue
        folder = tmp_path / f"out{n}"
        folder.mkdir()
        # a plain tar may be cut between two members, which nobody can tell
        assert slug_of(path, folder) in ("archive-unreadable", None if kind == "tar" else "")


def test_images_stay_packed_or_are_cut_behind_their_header(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.frombytes("RGB", (300, 200), os.urandom(180_000)).save(picture, "PNG")
    content = picture.getvalue()
    members = [("images/a.png", content), ("labels/a.txt", b"0 .5 .5 .1 .1"), ("b.jpg", b"none")]
    for kind in ("zip", "tar.gz"):
        path = MAKERS[kind](tmp_path / kind, members)
        folder = tmp_path / f"out-{kind}"
        folder.mkdir()
        assert unpack(path, folder).n_images == 2
        assert set(files(folder)) == {"labels/a.txt"}
        unpack(path, folder, images=True)
        assert set(files(folder)) == {"labels/a.txt", "images/a.png", "b.jpg"}
        assert (folder / "images/a.png").stat().st_size < len(content) // 10
        with Image.open(folder / "images/a.png") as image:
            assert image.size == (300, 200)


NAMES = st.lists(
    st.text(alphabet="ab./\\:~ \x00\x1f\u00e9\u202e-", min_size=1, max_size=20)
    | st.sampled_from(["..", "../x", "/x", "a/../../x", "a//b", "./.", "~root/x", "a/", "con"]),
    min_size=1,
    max_size=5,
)


@given(NAMES, st.sampled_from(["zip", "tar"]))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_name_whatever_writes_outside_the_folder(names: list[str], kind: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        root = Path(home)
        folder = root / "outer" / "scratch"
        folder.mkdir(parents=True)
        if kind == "zip":
            names = [name.replace("\x00", "") or "." for name in names]
        path = MAKERS[kind](root / "a", [(name, b"x") for name in names])
        before = {p for p in root.rglob("*") if folder not in p.parents}
        assert slug_of(path, folder) in (None, "archive-unsafe", "archive-unreadable")
        assert {p for p in root.rglob("*") if folder not in p.parents} == before
        assert not any(p.is_symlink() for p in folder.rglob("*"))


@given(st.binary(max_size=400), st.sampled_from([b"PK\x03\x04", b"PK\x05\x06", b""]))
def test_random_bytes_are_refused_cleanly(noise: bytes, start: bytes) -> None:
    with tempfile.TemporaryDirectory() as home:
        path, folder = Path(home) / "a", Path(home) / "out"
        path.write_bytes(start + noise)
        folder.mkdir()
        with pytest.raises(BadInput) as caught:
            unpack(path, folder)
        assert caught.value.slug.startswith("archive-")
