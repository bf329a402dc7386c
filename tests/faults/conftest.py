"""The world whose copies are broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import crash, world


@pytest.fixture(scope="session")
def fault_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with a dozen activities; copied, never changed."""
    crash.warm_up()
    root = tmp_path_factory.mktemp("faults") / "world"
    told = crash.in_child(lambda: world.build(root))
    assert told == root, told
    return root


@pytest.fixture(scope="session")
def small_fault_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one import, for quick tests; copied, never changed."""
    crash.warm_up()
    root = tmp_path_factory.mktemp("faults") / "small"
    told = crash.in_child(lambda: world.build_small(root))
    assert told == root, told
    return root
