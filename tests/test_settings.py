"""Settings: every mistake is told, none is passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage import settings
from lineage.errors import BadInput
from tests.cli.conftest import REPOSITORY


def read(tmp_path: Path, text: str) -> settings.Params:
    (tmp_path / "params.yaml").write_text(text)
    return settings.load_params(tmp_path)


def test_nothing_is_all_defaults(tmp_path: Path) -> None:
    assert settings.load_params(tmp_path) == settings.Params()
    assert read(tmp_path, "") == settings.Params()


def test_our_own_files_are_read() -> None:
    params = settings.load_params(REPOSITORY)
    assert len(params.ingest) == 17
    assert sum(params.recipe.splits.values()) == pytest.approx(1)
    assert settings.load_project(REPOSITORY).origin == "lineage-demo"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("buidl: {}", "did you mean 'build'"),
        ("build: {stage: [final]}", "did you mean 'stages'"),
        ("build: {stages: 3}", "list of words"),
        ("build: {splits: [1]}", "fractions by name"),
        ("build: {include_pilots: 1}", "expected bool"),
        ("ingest: {batches: [{tag: a b, task: t, schema: s@1.0}]}", "letters, digits"),
        ("ingest: {batches: [{task: t}]}", r"tag: missing"),
        ("ingest: {batches: [{tag: $(rm), task: t, schema: s@1.0}]}", "letters, digits"),
        ("ingest: {batches: [{tag: a, task: t, schema: s@1.0, sources: [{}]}]}", "path: missing"),
        ("ingest: {batches: 3}", "expected a list"),
        ("validation: {edge_tolerance_px: -1}", "expected pixels"),
        ("[1, 2]", "expected a mapping"),
        ("a: [", "no readable YAML"),
        ("build: {}\nbuild: {}", "stands twice"),
        ("build: !!python/object/apply:os.system [true]", "no readable YAML"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as caught:
        read(tmp_path, text)
    assert caught.value.where.endswith("params.yaml")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="3 problems"):
        read(tmp_path, "x: 1\nbuild: {y: 2}\nvalidation: {z: 3}")


@pytest.mark.parametrize(
    "text", ["origin = 3", 'origin = "a"\nstore = "x"', "store_url = 'x'", "origin ="]
)
def test_a_project_file_is_checked_too(tmp_path: Path, text: str) -> None:
    (tmp_path / ".lineage").mkdir()
    (tmp_path / ".lineage" / "config.toml").write_text(text)
    with pytest.raises(BadInput):
        settings.load_project(tmp_path)


def test_every_key_is_documented() -> None:
    page = (REPOSITORY / "docs" / "settings.md").read_text("utf-8")
    for kind in (settings.Recipe, settings.IngestBatch, settings.IngestSource):
        for name in kind.__dataclass_fields__:
            assert any(f"{sign}{name}" in page for sign in (".", "`")), name
