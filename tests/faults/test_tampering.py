"""Whoever falsifies a project is found out, and the first label that he touched is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import crash, tampering


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world in DVC and Git, with a pinned run."""
    crash.warm_up()
    folder = tmp_path_factory.mktemp("tampering") / "base"
    root = crash.in_child(lambda: tampering.prepare(folder))
    assert isinstance(root, Path), root
    return root


def some_kinds() -> list[str]:
    """Return every kind of its own, of edits each in one of two ways, of the store's rows every fifth."""
    kinds = [kind for kind in tampering.KINDS if kind not in tampering.NO_FINDING]
    edits = [kind for kind in kinds if kind.startswith("edit") and "chain" not in kind]
    tables = [kind for kind in kinds if kind.startswith("store,")]
    others = [kind for kind in kinds if kind not in edits and kind not in tables]
    return others + edits[::2][:5] + edits[1::2][5:] + tables[::5]


@pytest.mark.slow
def test_tampering_is_found_and_the_first_bad_label_named(evidence: Path, tmp_path: Path) -> None:
    chosen = some_kinds()
    rows = [tampering.tamper(evidence, tmp_path, kind, tries=1) for kind in chosen]
    missed = [told for row in rows for told in row.missed]
    assert not missed
    assert sum(row.found for row in rows) == sum(row.tries for row in rows) > 50
    assert sum(row.named for row in rows) > 10


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["older: dataset, whole", "store, delete: version_tag"])
def test_what_the_next_command_settles_is_a_note(kind: str, evidence: Path, tmp_path: Path) -> None:
    row = tampering.tamper(evidence, tmp_path, kind, tries=1)
    assert (row.tries, row.found, row.noted) == (1, 0, 1)
