"""docs/messages.md and the slugs in the code, held together both ways."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RAISED = re.compile(
    r"(?:BadInput|NotFound|Refused|StoreFault|Unfinished|Usage|LineageError)\(\s*\"([a-z0-9-]+)\""
)
LISTED = re.compile(r"^\| `([a-z0-9-]+)` \|", re.MULTILINE)


def test_every_slug_is_documented_and_every_documented_slug_exists() -> None:
    raised = {
        slug
        for path in (ROOT / "lineage").rglob("*.py")
        for slug in RAISED.findall(path.read_text("utf-8"))
    }
    listed = LISTED.findall((ROOT / "docs" / "messages.md").read_text("utf-8"))
    assert sorted(listed) == sorted(set(listed)), "a slug stands twice"
    assert set(listed) == raised
