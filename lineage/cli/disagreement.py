"""What the disagreements are about, for eyes: disputes, definitions with their camps, habits of drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lineage.cli import report

_SHOWN = 10
_SHOWN_EXAMPLES = 6
Row = Mapping[str, object]


def tell(told: Mapping[str, object]) -> None:
    """Print the part of an agreement report that is about disagreements."""
    _disputes([row for row in _rows(told["disputes"]) if row["verdict"] or row["camps"]])
    scope = told["scope"]
    _splits(_rows(told["splits"]), scope["schemas"] if isinstance(scope, Mapping) else [])
    _conventions([row for row in _rows(told["conventions"]) if row["is_convention"]])


def _rows(value: object) -> list[Row]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _disputes(rows: Sequence[Row]) -> None:
    if not rows:
        return
    report.line()
    report.line("the disagreements themselves, class against class")
    report.table(
        ("class", "against", "objects", "fresh agree", "habit", "p", "verdict"),
        [
            (
                row["class"] or "nothing",
                row["as_class"] or "nothing",
                row["n"],
                row["a_fresh"],
                row["s"],
                row["p"],
                str(row["verdict"] or "-").replace("_", " "),
            )
            for row in rows[:_SHOWN]
        ],
    )


def _splits(rows: Sequence[Row], schemas: Sequence[str]) -> None:
    if not rows:
        return
    report.line()
    report.line("definitions that are read in several ways")
    report.table(
        ("class", "where", "disputed", "of", "fresh agree", "habit", "verdict", "camps"),
        [
            (
                row["class"],
                row["tag"] or "anywhere",
                row["n"],
                row["n_units"],
                row["a_fresh"],
                row["s"],
                str(row["verdict"] or "-").replace("_", " "),
                len(_rows(row["camps"])) or "",
            )
            for row in rows[:_SHOWN]
        ],
    )
    for row in sorted(rows, key=_telling)[:3]:
        report.line()
        report.line(f"{row['class']}, {row['tag'] or 'anywhere'}: {row['advice']}")
        report.line(f"  guideline: class {row['class']} of {', '.join(schemas)}")
        for camp in _rows(row["camps"]):
            report.line(f"  {_people(camp)}: {_ways(camp['ways'])}")
        examples = row["examples"]
        if isinstance(examples, list) and examples:
            shown = ", ".join(str(number) for number in examples[:_SHOWN_EXAMPLES])
            report.line(f"  to be seen on labels {shown} (lineage show LABEL)")


def _telling(row: Row) -> tuple[bool, float]:
    """Order definitions by how clearly a habit splits them."""
    s = row["s"]
    return row["verdict"] != "definition_split", -(s if isinstance(s, float) else 0.0)


def _people(camp: Row) -> str:
    people = camp["annotators"]
    return ", ".join(str(name) for name in people) if isinstance(people, list) else ""


def _ways(ways: object) -> str:
    if not isinstance(ways, Mapping):
        return ""
    words = {
        "nothing": "leave it out",
        "larger": "draw it larger",
        "smaller": "draw it smaller",
        "alike": "as the others",
    }
    told = [f"{share:.0%} {words.get(way, f'call it {way}')}" for way, share in ways.items()]
    return ", ".join(told[:4])


def _conventions(rows: Sequence[Row]) -> None:
    if not rows:
        return
    report.line()
    report.line("habits of drawing, on objects whose boxes overlap by less than 0.8")
    for row in rows[:_SHOWN]:
        report.line(
            f"{row['class']}: people explain {_share(row['share'])} of how {row['n_units']:,} objects' sides "
            "differ; offsets as a share of the object's size"
        )
        camps = _rows(row["camps"])
        if not camps:
            report.line("  nobody has drawn 100 such boxes yet, so nobody is named")
            continue
        report.table(
            ("who", "boxes", "left", "top", "right", "bottom"),
            [
                (_people(c), c["n"], *(f"{c[s]:+.3f}" for s in ("left", "top", "right", "bottom")))
                for c in camps
            ],
        )


def _share(value: object) -> str:
    return f"{value:.0%}" if isinstance(value, float) else "nothing"
