"""What only a senior can settle: two candidates without names, and the decisions that come back.

Which candidate is A is dealt by a keyed hash, and an object's name tells nothing
either. What was put before a senior stays on record as it was put, so that a decision
means the same however late it comes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lineage.activities.adjudicate_cases import Case
from lineage.activities.adjudicate_open import numbers, of_kind, told
from lineage.errors import BadInput
from lineage.store.read import ActivityRow
from lineage.terms import ActivityKind

_NAME_BYTES = 6


class Decision(StrEnum):
    """What a senior may answer."""

    A = "A"
    B = "B"
    BOTH_WRONG = "both wrong"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Question:
    """An object as it was put before a senior.

    Parameters
    ----------
    name
        Opaque.
    revisions
        What is contested, or the reviewers' labels of a missed object.
    asset
        Of the image.
    a, b
        Revisions of the candidates; None for "nothing".
    is_original_a
        A is what the record has.
    opinions
        Revisions of all opinions by then.
    people
        Pseudonyms of who gave them.
    is_missed, is_ambiguous
        As the case was.
    soft
        The posterior by class, "" for nothing.
    """

    name: str
    revisions: tuple[int, ...]
    asset: int
    a: int | None
    b: int | None
    is_original_a: bool
    opinions: tuple[int, ...]
    people: tuple[str, ...]
    is_missed: bool
    is_ambiguous: bool
    soft: Mapping[str, float]

    def row(self) -> dict[str, object]:
        """Return the question as an activity's outcome has it."""
        return {
            "object": self.name,
            "revisions": list(self.revisions),
            "asset": self.asset,
            "a": self.a,
            "b": self.b,
            "is_original_a": self.is_original_a,
            "opinions": list(self.opinions),
            "people": list(self.people),
            "is_missed": self.is_missed,
            "is_ambiguous": self.is_ambiguous,
            "soft": dict(self.soft),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """A senior's decision on one object."""

    name: str
    decision: Decision
    comment: str | None


def question_of(case: Case, key: bytes, *, is_ambiguous: bool) -> Question:
    """Return the question that a case is: what the record has against the likeliest other opinion."""
    one = case.object
    original = None if one.is_missed else one.revision
    other = _other(case)
    digest = hashlib.blake2b(
        f"{'missed' if one.is_missed else 'label'} {one.revision}".encode(),
        key=key,
        digest_size=_NAME_BYTES + 1,
    ).digest()
    is_original_a = digest[-1] % 2 == 0
    return Question(
        name=digest[:_NAME_BYTES].hex(),
        revisions=tuple(each.revision for each in case.objects),
        asset=one.asset,
        a=original if is_original_a else other,
        b=other if is_original_a else original,
        is_original_a=is_original_a,
        opinions=tuple(case.derived_from),
        people=tuple(sorted({each.annotator for each in case.opinions}.union(*(each.by for each in case.objects)))),
        is_missed=one.is_missed,
        is_ambiguous=is_ambiguous,
        soft={name or "": round(p, 6) for name, p in case.posterior.items()},
    )  # fmt: skip


def _other(case: Case) -> int | None:
    """Return the revision to hold against the record; None where it is that there is nothing."""
    one = case.object
    if one.is_missed:
        return one.revision
    own = next((each.class_ for each in case.opinions if each.revision == one.revision), None)
    others = [each for each in case.opinions if each.revision != one.revision]
    rivals = [each for each in others if each.class_ != own]
    if not rivals:
        # of one class: what the reviewer drew, or wrote, differently
        return one.opinion
    best = max(
        rivals,
        key=lambda each: (case.posterior.get(each.class_, 0.0), each.revision == one.opinion),
    )
    return best.revision


def questions(log: list[ActivityRow], batch: str) -> dict[str, tuple[int, Question]]:
    """Return everything that was put before seniors of a batch, by name, with the place in the log."""
    found = {}
    for entry in of_kind(log, ActivityKind.ADJUDICATE, batch):
        for row in told(entry.outcome, "asked"):
            one = _question(row)
            found[one.name] = (entry.seq, one)
    return found


def _question(row: Mapping[str, object]) -> Question:
    a, b, soft, people = row["a"], row["b"], row["soft"], row["people"]
    return Question(
        name=str(row["object"]),
        revisions=tuple(numbers(row["revisions"])),
        asset=int(str(row["asset"])),
        a=a if isinstance(a, int) else None,
        b=b if isinstance(b, int) else None,
        is_original_a=bool(row["is_original_a"]),
        opinions=tuple(numbers(row["opinions"])),
        people=tuple(map(str, people)) if isinstance(people, list) else (),
        is_missed=bool(row["is_missed"]),
        is_ambiguous=bool(row["is_ambiguous"]),
        soft={str(k): float(v) for k, v in soft.items()} if isinstance(soft, Mapping) else {},
    )


def decisions(path: Path) -> list[Answer]:
    """Read a senior's decisions: the filled-in sheet, or the tool's JSON. Blank ones are left out.

    Raises
    ------
    BadInput
        ``no-such-file``, ``decisions-unreadable``: neither of the two; ``decisions-invalid``: words that
        are no decision, or two for one object; all of them are listed.
    """
    if not path.is_file():
        raise BadInput("no-such-file", f"no file {path}", hint="check the path")
    try:
        text = path.read_text("utf-8-sig")
        given = _of_tasks(json.loads(text)) if text.lstrip()[:1] == "[" else _of_sheet(text)
    except (UnicodeDecodeError, ValueError, LookupError, TypeError, AttributeError) as exc:
        raise BadInput(
            "decisions-unreadable",
            "expected decisions.csv (columns object, decision, comment) or Label Studio's JSON export",
            where=str(path),
        ) from exc
    known = {one.value.lower(): one for one in Decision}
    found: dict[str, Answer] = {}
    wrong = []
    for name, word, comment in given:
        decision = known.get(word.strip().lower().replace("_", " "))
        if not word.strip():
            continue
        if decision is None:
            wrong.append(f"{name}: {word!r}")
        elif name in found and found[name].decision is not decision:
            wrong.append(f"{name}: {found[name].decision.value!r} and {decision.value!r}")
        else:
            found[name] = Answer(name, decision, comment.strip() or None)
    if wrong:
        raise BadInput(
            "decisions-invalid",
            f"{len(wrong)} decisions: {'; '.join(wrong)}; expected one of {', '.join(Decision)} for each",
            where=str(path),
        )
    return list(found.values())


def _of_sheet(text: str) -> list[tuple[str, str, str]]:
    return [
        (row["object"], row["decision"] or "", row.get("comment") or "")
        for row in csv.DictReader(io.StringIO(text))
    ]


def _of_tasks(tasks: Sequence[Mapping[str, object]]) -> list[tuple[str, str, str]]:
    found = []
    for task in tasks:
        data = task["data"]
        given = task.get("annotations") or ()
        if not isinstance(data, Mapping) or not isinstance(given, Sequence):
            raise TypeError
        for answer in given:
            if answer.get("was_cancelled"):
                continue
            word, comment = "", ""
            for result in answer["result"]:
                value = result.get("value", {})
                if result.get("from_name") == "decision":
                    word = value["choices"][0]
                elif result.get("from_name") == "comment":
                    comment = "\n".join(value["text"])
            found.append((str(data["object"]), word, comment))
    return found
