"""Checkpoints are signed where the key is, kept signed where it is not, and never written unsigned by mistake."""

from __future__ import annotations

import dataclasses
import shutil
import stat
from pathlib import Path

import pytest

from lineage.activities import batches, keys
from lineage.activities.context import CONFIG, Project, locate, open_project
from lineage.errors import BadInput, Refused
from lineage.segments.notes import Signer, joined, parse_verifier, split_note, verified
from lineage.settings import load_project, with_key
from lineage.store import read
from lineage.terms import BatchKind
from tests.conftest import make_batch

FIRST, SECOND = Signer("proj", b"1" * 32), Signer("colleague", b"2" * 32)


def reopened(project: Project) -> Project:
    return open_project(project.root, agent="tess@team.example")


def with_seed(project: Project, signer: Signer) -> Project:
    return dataclasses.replace(project, entropy=lambda n: signer.seed[:n])


def signers(project: Project) -> tuple[str, ...]:
    known = [parse_verifier(line) for line in load_project(project.root).verifiers]
    return verified(project.ledger.checkpoint_text(), known).valid


@pytest.fixture(scope="module")
def keyed_template(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a batch, and a key that signs here; copied by `keyed`, never changed."""
    root = tmp_path_factory.mktemp("keyed") / "proj"
    shutil.copytree(empty_project, root)
    project = open_project(root, agent="tess@team.example")
    make_batch(project, {"car": ["box"]})
    keys.create(with_seed(project, FIRST))
    project.store.engine.dispose()
    return root


@pytest.fixture
def keyed(keyed_template: Path, tmp_path: Path) -> Project:
    """The same project, the test's own."""
    root = tmp_path / "keyed"
    shutil.copytree(keyed_template, root)
    return open_project(root, agent="tess@team.example")


def another_batch(project: Project) -> None:
    order = batches.BatchOrder("b2", "detection", "things@1.0", BatchKind.ARCHIVE)
    batches.create(project, order)


def test_a_new_key_is_private_named_in_the_settings_and_signs_what_stands(
    project: Project,
) -> None:
    make_batch(project, {"car": ["box"]})
    config = project.root / CONFIG
    config.write_text(config.read_text() + "# ours\nerase = []\n")
    made = keys.create(with_seed(reopened(project), FIRST))
    assert made == keys.NewKey("proj", FIRST.verifier.text, keys.KEY_FILE, True)
    path = project.root / keys.KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == FIRST.text + "\n"
    assert config.read_text().count("# ours\nerase = []\n") == 1
    settings = load_project(project.root)
    assert (settings.signing_key, settings.erase) == (keys.KEY_FILE, ())
    assert settings.verifiers == (FIRST.verifier.text,)
    assert signers(project) == ("proj",)


def test_whatever_is_recorded_with_a_key_is_signed(keyed: Project) -> None:
    before = keyed.ledger.checkpoint_text()
    another_batch(keyed)
    body, lines = split_note(keyed.ledger.checkpoint_text())
    assert body != split_note(before)[0]
    assert lines == [FIRST.line(body)]


def test_a_machine_without_the_key_restores_and_strips_nothing(keyed: Project) -> None:
    before = keyed.ledger.checkpoint_text()
    (keyed.root / keys.KEY_FILE).unlink()
    keyed.store.engine.dispose()
    for path in (keyed.root / ".lineage").glob("store.db*"):
        path.unlink()
    restored = reopened(keyed)
    assert restored.ledger.checkpoint_text() == before
    assert keys.show(restored).is_here is False


@pytest.mark.slow
def test_signatures_of_others_under_the_same_text_are_kept(keyed: Project) -> None:
    body, lines = split_note(keyed.ledger.checkpoint_text())
    text = joined(body, [SECOND.line(body), *lines])
    keyed.ledger.checkpoint_path.write_text(text)
    reopened(keyed)
    assert not keyed.ledger.sign_checkpoint()
    assert keyed.ledger.checkpoint_text() == text
    keyed.ledger.checkpoint_path.write_text(joined(body, [SECOND.line(body)]))
    assert keyed.ledger.sign_checkpoint()
    assert keyed.ledger.checkpoint_text() == text


@pytest.mark.slow
def test_an_own_signature_that_does_not_hold_is_replaced(keyed: Project) -> None:
    body, lines = split_note(keyed.ledger.checkpoint_text())
    keyed.ledger.checkpoint_path.write_text(joined(body, [FIRST.line("another text\n")]))
    assert keyed.ledger.sign_checkpoint()
    assert split_note(keyed.ledger.checkpoint_text()) == (body, lines)


def test_what_a_crash_left_unsigned_is_signed_by_the_next_command(keyed: Project) -> None:
    earlier = keyed.ledger.checkpoint_text()
    another_batch(keyed)
    newest = keyed.ledger.checkpoint_text()
    keyed.ledger.checkpoint_path.write_text(earlier)
    assert reopened(keyed).ledger.checkpoint_text() == newest


@pytest.mark.slow
def test_a_checkpoint_that_was_replaced_is_not_signed_and_nothing_is_recorded_on_it(
    keyed: Project,
) -> None:
    body, _ = split_note(keyed.ledger.checkpoint_text())
    keyed.ledger.checkpoint_path.unlink()
    project = reopened(keyed)
    assert project.ledger.checkpoint_text() == body
    with pytest.raises(Refused) as refused:
        another_batch(project)
    assert refused.value.slug == "checkpoint-unsigned"
    assert project.ledger.positions() == [1, 2, 3]
    assert keys.sign(project)
    assert not keys.sign(project)
    another_batch(project)
    assert signers(project) == ("proj",)


@pytest.mark.slow
def test_what_a_colleague_recorded_is_not_signed_by_whoever_replays_it(
    keyed: Project, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(keyed.root, clone)
    another_batch(keyed)
    shutil.copytree(keyed.ledger.segments, clone / "ledger" / "segments", dirs_exist_ok=True)
    assert split_note(open_project(clone).ledger.checkpoint_text())[1] == []
    shutil.copy(keyed.ledger.checkpoint_path, clone / "ledger" / "checkpoint")
    assert signers(open_project(clone)) == ("proj",)


def test_signing_without_a_key_is_refused(project: Project) -> None:
    with pytest.raises(BadInput) as refused:
        keys.sign(project)
    assert refused.value.slug == "signing-key"


@pytest.mark.parametrize(
    "fault",
    ["missing", "garbage", *(pytest.param(w, marks=pytest.mark.slow) for w in ("folder", "bytes"))],
)
def test_a_key_that_is_named_and_cannot_be_used_stops_before_anything_is_recorded(
    keyed: Project, fault: str
) -> None:
    path = keyed.root / keys.KEY_FILE
    path.unlink()
    if fault == "folder":
        path.mkdir()
    elif fault != "missing":
        path.write_bytes(b"PRIVATE+KEY+x" if fault == "garbage" else b"\xff\xfe")
    positions, text = keyed.ledger.positions(), keyed.ledger.checkpoint_text()
    with pytest.raises(BadInput) as refused:
        another_batch(locate(keyed.root))
    assert refused.value.slug == "signing-key"
    assert (keyed.ledger.positions(), keyed.ledger.unfinished()) == (positions, [])
    assert keyed.ledger.checkpoint_text() == text
    with keyed.store.reading() as connection:
        assert [row.tag for row in read.batches(connection)] == ["b1"]


def test_a_key_is_never_overwritten(keyed: Project) -> None:
    with pytest.raises(Refused) as refused:
        keys.create(keyed)
    assert refused.value.slug == "key-exists"
    assert (keyed.root / keys.KEY_FILE).read_text() == FIRST.text + "\n"


@pytest.mark.parametrize("name", ["", "two words", "a+b"])
def test_a_key_is_called_by_one_word_and_nothing_is_left_otherwise(
    project: Project, name: str
) -> None:
    before = (project.root / CONFIG).read_text()
    with pytest.raises(BadInput) as refused:
        keys.create(project, name=name)
    assert refused.value.slug == "key-name"
    assert not (project.root / keys.KEY_FILE).exists()
    assert (project.root / CONFIG).read_text() == before


def test_a_colleague_s_clone_gets_a_key_of_its_own_and_both_are_trusted(
    keyed: Project, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(keyed.root, clone)
    (clone / keys.KEY_FILE).unlink()
    made = keys.create(with_seed(open_project(clone), SECOND), name="colleague")
    settings = load_project(clone)
    assert settings.verifiers == (made.verifier, FIRST.verifier.text)
    assert settings.signing_key == keys.KEY_FILE
    assert signers(open_project(clone)) == ("proj", "colleague")
    shown = keys.show(open_project(clone))
    assert [(key.name, key.signs_here, key.has_signed) for key in shown.keys] == [
        ("colleague", True, True),
        ("proj", False, True),
    ]


@pytest.mark.slow
def test_a_project_without_keys_shows_none(project: Project) -> None:
    assert keys.show(project) == keys.Keys(None, False, (), 0, 0)
    assert not keys.create(with_seed(project, FIRST)).is_signed


@pytest.mark.parametrize(
    "text",
    [
        'origin = "a"',
        'origin = "a"\nverifiers = []\n',
        'origin = "a"\nverifiers = ["x+1+A"]\nsigning_key = "k" # mine\n',
        'origin = "a"\n  verifiers=[ # all of us\n  "x+1+A", # tess\n]\nerase = ["extra"]\n',
    ],
)
def test_settings_keep_all_that_they_say_when_a_key_is_added(tmp_path: Path, text: str) -> None:
    (tmp_path / ".lineage").mkdir()
    path = tmp_path / CONFIG
    path.write_text(text)
    before = load_project(tmp_path)
    path.write_text(with_key(text, "new", "y+2+B"))
    after = load_project(tmp_path)
    assert after.verifiers == ("y+2+B", *before.verifiers)
    assert after.signing_key == (before.signing_key or "new")
    assert (after.origin, after.erase) == (before.origin, before.erase)
    for line in text.splitlines():
        assert line.split("=")[0].strip() in path.read_text()
    assert path.read_text().count("#") == text.count("#")


def test_settings_into_which_a_key_does_not_fit_are_left_and_told() -> None:
    text = 'origin = "a"\n"verifiers" = ["x+1+A"]\n'
    with pytest.raises(Refused) as refused:
        with_key(text, "k", "y+2+B")
    assert refused.value.slug == "settings-edit"
