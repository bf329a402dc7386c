"""Signed notes are those that Go's checksum database writes, and a signature holds for one text alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import BadInput
from lineage.segments.notes import (
    Signer,
    is_key_name,
    joined,
    parse_signer,
    parse_verifier,
    split_note,
    verified,
)

# the example of Go's package golang.org/x/mod/sumdb/note
PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR"
    "Zb6KE6RyyBwJnAM="
)
BODY = "team\n7\nnND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=\n"

seeds = st.binary(min_size=32, max_size=32)


def test_the_published_key_signs_the_published_text_as_published() -> None:
    signer = parse_signer(PRIVATE + "\n", "x")
    assert signer.verifier.text == PUBLIC
    assert signer.line(TEXT) == LINE
    note = joined(TEXT, [LINE])
    assert note == f"{TEXT}\n{LINE}\n"
    assert verified(note, [parse_verifier(PUBLIC)]).valid == ("PeterNeumann",)


@settings(max_examples=20)
@given(seeds)
def test_keys_survive_their_text(seed: bytes) -> None:
    signer = Signer("team/log", seed)
    assert parse_signer(signer.text, "x") == signer
    assert parse_verifier(signer.verifier.text) == signer.verifier


@settings(max_examples=20)
@given(seeds, st.data())
def test_a_signature_holds_for_no_other_text_and_no_other_key(
    seed: bytes, data: st.DataObject
) -> None:
    signer = Signer("a", seed)
    at = data.draw(st.integers(0, len(BODY) - 2))
    other = BODY[:at] + ("x" if BODY[at] != "x" else "y") + BODY[at + 1 :]
    line = signer.line(BODY)
    assert verified(joined(BODY, [line]), [signer.verifier]).valid == ("a",)
    assert verified(joined(other, [line]), [signer.verifier]).invalid == (line,)
    stranger = Signer("a", bytes(32) if seed != bytes(32) else b"\x01" * 32)
    assert verified(joined(BODY, [line]), [stranger.verifier]).unknown == (line,)


def test_a_note_without_signatures_is_its_text() -> None:
    assert split_note(BODY) == (BODY, [])
    assert joined(BODY, []) == BODY
    assert split_note(joined(BODY, ["— a b", "— c d"])) == (BODY, ["— a b", "— c d"])
    assert verified(BODY, [parse_verifier(PUBLIC)]).valid == ()


@pytest.mark.parametrize(
    "line", ["- a AAAAAAAA", "— a", "— a AAAAA", "— a AAAA", "—  AAAAAAAA", "— a AAAA AAAA"]
)
def test_a_line_of_no_form_is_invalid_and_never_passed_over(line: str) -> None:
    assert verified(f"{BODY}\n{line}\n", []).invalid == (line,)


def test_a_name_counts_once_however_often_it_signs() -> None:
    one, two = Signer("a", b"1" * 32), Signer("a", b"2" * 32)
    note = joined(BODY, [one.line(BODY), one.line(BODY), two.line(BODY)])
    assert verified(note, [one.verifier, two.verifier]).valid == ("a",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        PUBLIC.replace("c74f20a3", "c74f20a4"),
        PUBLIC.replace("PeterNeumann", "Peter"),
        PUBLIC.replace("+AR", "+AQ"),
        PUBLIC[:-4],
        "a b+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_verifier(text)
    assert refused.value.slug == "verifier-key"


@pytest.mark.parametrize("text", ["", "x", PUBLIC, PRIVATE[:-4], PRIVATE.replace("c7", "c8")])
def test_what_is_no_private_key_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_signer(text, "key")
    assert refused.value.slug == "signing-key"
    assert "AYEKFALVFGy" not in str(refused.value)


def test_a_signer_does_not_show_its_key() -> None:
    assert repr(parse_signer(PRIVATE, "x")) == "Signer(name='PeterNeumann')"


def test_a_key_is_called_by_one_word() -> None:
    assert is_key_name("team.example/log")
    assert not any(is_key_name(name) for name in ("", "a b", "a+b", "a\nb", "a\u00a0b", "a\x00"))


def test_reading_a_ledger_does_not_load_the_cryptography() -> None:
    script = "import lineage.segments, sys; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
