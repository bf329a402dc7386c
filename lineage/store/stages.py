"""The stages' state machine, held where events come in: what a revision may become next, and what that takes."""

from __future__ import annotations

from sqlalchemy import Connection, text

from lineage.errors import Refused
from lineage.terms import STAGE_MOVES, Stage, Verdict

_BEFORE = (
    "COALESCE((SELECT p.stage FROM stage_event p WHERE p.revision_id = e.revision_id "
    "AND p.id < e.id ORDER BY p.id DESC LIMIT 1), r.stage)"
)
_SHOWN = 5


def refuse_moves(connection: Connection, after: int) -> None:
    """Refuse stage events that the machine does not allow; the caller's transaction falls with them.

    Parameters
    ----------
    connection
        In a transaction that has appended them.
    after
        Number of the last event before.

    Raises
    ------
    Refused
        ``stage-move``: a revision cannot go there from where it is; ``stage-unchecked``: one that was
        drawn becomes final without a reviewer's verdict; ``stage-own-dispute``: whoever disputed it
        settles it.
    """
    allowed = ", ".join(
        f"'{one.value}>{other.value}'" for one, others in STAGE_MOVES.items() for other in others
    )
    _refuse(
        connection,
        f"({_BEFORE} || '>' || e.stage) NOT IN ({allowed})",
        after,
        slug="stage-move",
        message="cannot go there from where it is",
    )
    judged = "SELECT 1 FROM verdict v WHERE v.revision_id = e.revision_id"
    _refuse(
        connection,
        f"e.stage = '{Stage.FINAL.value}' AND {_BEFORE} = '{Stage.IN_REVIEW.value}' "
        f"AND NOT EXISTS ({judged})",
        after,
        slug="stage-unchecked",
        message="was drawn for a blind check and nobody has judged it yet",
    )
    own = f"{judged} AND v.verdict = '{Verdict.DISPUTE.value}' AND v.annotator_id = e.annotator_id"
    _refuse(
        connection,
        f"{_BEFORE} = '{Stage.CONTESTED.value}' AND EXISTS ({own})",
        after,
        slug="stage-own-dispute",
        message="is settled by the reviewer who disputed it",
    )


def _refuse(connection: Connection, condition: str, after: int, *, slug: str, message: str) -> None:
    rows = connection.execute(
        text(
            f"SELECT e.revision_id, {_BEFORE}, e.stage FROM stage_event e "
            f"JOIN revision r ON r.id = e.revision_id WHERE e.id > :after AND {condition} "
            f"ORDER BY e.id LIMIT {_SHOWN + 1}"
        ),
        {"after": after},
    ).all()
    if rows:
        told = "; ".join(f"revision {row[0]}, {row[1]} to {row[2]}" for row in rows[:_SHOWN])
        more = " and more" if len(rows) > _SHOWN else ""
        raise Refused(slug, f"{told}{more}: {message}", hint="docs/review.md has the stages")
