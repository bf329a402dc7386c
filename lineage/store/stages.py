"""The stages' state machine, held where events come in: what a revision may become next, and what that takes."""

from __future__ import annotations

from sqlalchemy import Connection, text

from lineage.errors import Refused
from lineage.terms import STAGE_MOVES, Stage, Verdict

_BEFORE = (
    "COALESCE((SELECT p.stage FROM stage_event p WHERE p.revision_id = e.revision_id "
    "AND p.id < e.id ORDER BY p.id DESC LIMIT 1), r.stage)"
)
_SINCE = (
    "COALESCE((SELECT MAX(p.seq) FROM stage_event p WHERE p.revision_id = e.revision_id "
    f"AND p.id < e.id AND p.stage = '{Stage.IN_REVIEW.value}'), 0)"
)
_SHOWN = 5
_HINT = "docs/review.md has the table of stages"


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
        drawn becomes final and no reviewer has agreed since, or contested and none has disputed it;
        ``stage-own-dispute``: whoever disputed it settles it.
    """
    allowed = ", ".join(
        f"'{one.value}>{other.value}'" for one, others in STAGE_MOVES.items() for other in others
    )
    found = _against(connection, f"({_BEFORE} || '>' || e.stage) NOT IN ({allowed})", after)
    if found:
        raise Refused("stage-move", f"{found}: cannot go there from where it is", hint=_HINT)
    judged = "SELECT 1 FROM verdict v WHERE v.revision_id = e.revision_id"
    # an approval that is judged in turn takes an answer of its own: the one it rested on will not do
    agreed = f"{judged} AND v.verdict = '{Verdict.AGREE.value}' AND v.seq >= {_SINCE}"
    unchecked = (
        f"e.stage = '{Stage.FINAL.value}' AND {_BEFORE} = '{Stage.IN_REVIEW.value}' "
        f"AND NOT EXISTS ({agreed})"
    )
    found = _against(connection, unchecked, after)
    if found:
        raise Refused(
            "stage-unchecked",
            f"{found}: was drawn for a blind check and no reviewer has agreed since",
            hint=_HINT,
        )
    disputed = f"{judged} AND v.verdict = '{Verdict.DISPUTE.value}' AND v.seq >= {_SINCE}"
    uncontested = f"e.stage = '{Stage.CONTESTED.value}' AND NOT EXISTS ({disputed})"
    found = _against(connection, uncontested, after)
    if found:
        raise Refused(
            "stage-unchecked",
            f"{found}: was drawn for a blind check and no reviewer has disputed it since",
            hint=_HINT,
        )
    own = f"{judged} AND v.verdict = '{Verdict.DISPUTE.value}' AND v.annotator_id = e.annotator_id"
    settled = f"{_BEFORE} = '{Stage.CONTESTED.value}' AND EXISTS ({own})"
    found = _against(connection, settled, after)
    if found:
        raise Refused(
            "stage-own-dispute", f"{found}: is settled by the reviewer who disputed it", hint=_HINT
        )


def _against(connection: Connection, condition: str, after: int) -> str:
    """Return the first events that meet a condition, in words; empty where none does."""
    rows = connection.execute(
        text(
            f"SELECT e.revision_id, {_BEFORE}, e.stage FROM stage_event e "
            f"JOIN revision r ON r.id = e.revision_id WHERE e.id > :after AND {condition} "
            f"ORDER BY e.id LIMIT {_SHOWN + 1}"
        ),
        {"after": after},
    ).all()
    told = "; ".join(f"revision {row[0]}, {row[1]} to {row[2]}" for row in rows[:_SHOWN])
    return told + (" and more" if len(rows) > _SHOWN else "")
