"""The way of the changed labels, from run to version to batch to annotator: one SVG, suspects' ways in colour.

Only batches and annotators that have much of a suspect stand by themselves; the others are one box, so
that the picture is the same size for four batches and for four hundred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lineage.pages.crops import COLOURS
from lineage.pages.suspect_values import Suspected, Suspicion
from lineage.pages.text import escaped

MOST_SUSPECTS = 4
MOST_EACH = 3
"""Batches, and annotators, of each suspect that stand by themselves."""

LEAST_SHARE = 0.1
"""Of a suspect's changed labels, that a batch or annotator of its own box has."""

_WIDTH = 940
_COLUMNS = {"run": (0, 150), "version": (205, 160), "batch": (450, 190), "annotator": (740, 200)}
_TOP, _BOX, _GAP = 34, 40, 16
_LEAST_PX, _MOST_PX = 1.5, 11.0
_CHARACTER_PX = 6.9
_SIDE_PX = 4

Flow = tuple[str | None, str | None]
"""Batch and annotator; None for all others."""


@dataclass(frozen=True, slots=True)
class _Box:
    """A box, px: where it stands, what is written in it, and its suspects' colours."""

    column: str
    y: float
    name: str
    more: str
    colour: str | None
    is_named: bool = False
    is_folded: bool = False

    @property
    def left(self) -> tuple[float, float]:
        return _COLUMNS[self.column][0], self.y + _BOX / 2

    @property
    def right(self) -> tuple[float, float]:
        return sum(_COLUMNS[self.column]), self.y + _BOX / 2

    def drawn(self) -> str:
        """Return it as SVG."""
        x, width = _COLUMNS[self.column]
        room = int((width - 2 * 10) / _CHARACTER_PX)
        shown = self.name if len(self.name) <= room else self.name[: room - 1] + "…"
        kind = "box" + (" named" if self.is_named else "") + (" folded" if self.is_folded else "")
        stroke = f' style="stroke:{self.colour}"' if self.colour else ""
        return (
            f"<g><title>{escaped(f'{self.column} {self.name}: {self.more}')}</title>"
            f'<rect class="{kind}"{stroke} x="{x}" y="{self.y:g}" width="{width}" height="{_BOX}" rx="5"/>'
            f'<text x="{x + 10}" y="{self.y + 17:g}">{escaped(shown)}</text>'
            f'<text class="more" x="{x + 10}" y="{self.y + 32:g}">{escaped(self.more)}</text></g>'
        )


def drawn_suspects(values: Suspicion) -> Sequence[Suspected]:
    """Return whose ways are drawn: those with evidence; without any, the likeliest alone."""
    sure = [one for one in values.suspects if one.is_evidence]
    return sure[:MOST_SUSPECTS] or values.suspects[:1]


def colour_of(one: Suspected) -> str:
    """Return a suspect's colour."""
    return COLOURS[(one.rank - 1) % len(COLOURS)]


def paths(values: Suspicion) -> str:
    """Return the graph as SVG; empty where nothing changed."""
    everything = _counted(values.flows)
    if not everything:
        return ""
    suspects = drawn_suspects(values)
    flows = {one.rank: _counted(one.flows) for one in suspects}
    kept = _kept(flows.values(), 0), _kept(flows.values(), 1)
    total = _folded(everything, *kept)
    ways = [(one, _folded(flows[one.rank], *kept)) for one in suspects]
    boxes = [
        _column(values, "batch", 0, total, ways, len({flow[0] for flow in everything})),
        _column(values, "annotator", 1, total, ways, len({flow[1] for flow in everything})),
    ]
    n = sum(everything.values())
    height = max(_height(boxes[0]), _height(boxes[1]), _TOP + 2 * _BOX + 3 * _GAP + 30)
    trunk, others = _trunk(values, n, height)
    lines = _lines(total, ways, trunk, boxes)
    heads = "".join(
        f'<text class="head" x="{x}" y="18">{name}</text>' for name, (x, _) in _COLUMNS.items()
    )
    drawn = [box.drawn() for box in (*trunk, *boxes[0].values(), *boxes[1].values())]
    told = f"{n:,} changed labels on their way from runs to annotators"
    return (
        f'<svg class="paths" role="img" aria-label="{told}" viewBox="-4 0 {_WIDTH + 8} {height:g}">\n'
        f"{heads}{others}\n" + "\n".join(lines + drawn) + "\n</svg>"
    )


def _counted(rows: Sequence[Mapping[str, object]]) -> Counter[Flow]:
    found: Counter[Flow] = Counter()
    for row in rows:
        found[str(row["batch"]), str(row["annotator"])] += int(str(row["n"]))
    return found


def _kept(flows: Iterable[Counter[Flow]], side: int) -> list[str]:
    """Return which names of one side stand by themselves, suspects' first."""
    kept: dict[str, None] = {}
    for flow in flows:
        tally: Counter[str] = Counter()
        for key, n in flow.items():
            tally[str(key[side])] += n
        ordered = sorted(tally.items(), key=lambda entry: (-entry[1], entry[0]))
        least = LEAST_SHARE * sum(tally.values())
        kept.update(dict.fromkeys(name for name, n in ordered[:MOST_EACH] if n >= least))
    return list(kept)


def _folded(flow: Counter[Flow], batches: Sequence[str], people: Sequence[str]) -> Counter[Flow]:
    found: Counter[Flow] = Counter()
    for (batch, person), n in flow.items():
        found[batch if batch in batches else None, person if person in people else None] += n
    return found


def _column(
    values: Suspicion,
    column: str,
    side: int,
    total: Counter[Flow],
    ways: Sequence[tuple[Suspected, Counter[Flow]]],
    n_names: int,
) -> dict[str | None, _Box]:
    sums: Counter[str | None] = Counter()
    for flow, n in total.items():
        sums[flow[side]] += n
    order = dict.fromkeys(flow[side] for _, way in ways for flow, _ in way.most_common())
    named = [name for name in order if name is not None]
    # what only shares a box with a suspect's way stands below it
    named += sorted(name for name in sums if name is not None and name not in order)
    n_left = n_names - len(named)
    boxes: dict[str | None, _Box] = {}
    for at, name in enumerate([*named, *([None] if None in sums else [])]):
        of = [one for one, way in ways if any(flow[side] == name for flow in way)]
        mine = _of_first(ways, side, name) if name is not None else 0
        is_named = name is not None and any(one.slice.get(column) == name for one in of)
        plural = {"batch": "batches", "annotator": "annotators"}[column] if n_left != 1 else column
        shown = f"{n_left:,} other {plural}" if name is None else name
        if name is not None and column == "annotator":
            shown = values.name(name)
        boxes[name] = _Box(
            column=column,
            y=_TOP + at * (_BOX + _GAP),
            name=shown,
            more=(f"{mine:,} of " if mine else "") + f"{sums[name]:,} changed",
            colour=colour_of(of[0]) if of and name is not None else None,
            is_named=is_named,
            is_folded=name is None,
        )
    return boxes


def _of_first(ways: Sequence[tuple[Suspected, Counter[Flow]]], side: int, name: str) -> int:
    """Return how many changed labels of a name are of the first suspect that has any."""
    for _, way in ways:
        n = sum(n for flow, n in way.items() if flow[side] == name)
        if n:
            return n
    return 0


def _height(boxes: Mapping[str | None, _Box]) -> float:
    return _TOP + len(boxes) * (_BOX + _GAP)


def _trunk(values: Suspicion, n: int, height: float) -> tuple[list[_Box], str]:
    """Return runs and versions, and the lines between what belongs to the good run."""
    bad_y = _TOP
    good_y = height - _GAP - _BOX
    boxes = [
        _Box("run", bad_y, values.bad, "the bad run", None, is_named=True),
        _Box("version", bad_y, values.bad_version, f"{n:,} labels differ", None, is_named=True),
        _Box("run", good_y, values.good, "the good run", None, is_folded=True),
        _Box("version", good_y, values.good_version, "compared with", None, is_folded=True),
    ]
    x = _COLUMNS["version"][0] + _COLUMNS["version"][1] / 2
    lines = [
        _straight(boxes[0].right, boxes[1].left, "line trunk"),
        _straight(boxes[2].right, boxes[3].left, "line apart"),
        _straight((x, bad_y + _BOX), (x, good_y), "line apart"),
    ]
    return boxes, "".join(lines)


def _straight(start: tuple[float, float], end: tuple[float, float], kind: str) -> str:
    return f'<path class="{kind}" d="M{start[0]:g} {start[1]:g}L{end[0]:g} {end[1]:g}"/>'


def _lines(
    total: Counter[Flow],
    ways: Sequence[tuple[Suspected, Counter[Flow]]],
    trunk: Sequence[_Box],
    boxes: Sequence[Mapping[str | None, _Box]],
) -> list[str]:
    """Return lines: grey for all that changed, then each suspect's in its colour beside one another."""
    most = max(total.values())
    found = []
    for one, way in [(None, total), *ways]:
        first: Counter[str | None] = Counter()
        for flow, n in way.items():
            first[flow[0]] += n
        at = 0.0 if one is None else (one.rank - 1) * _SIDE_PX
        for batch, n in first.items():
            ends = trunk[1].right, boxes[0][batch].left
            found.append(_curve(ends, n, most, one, at))
        for (batch, person), n in way.items():
            ends = boxes[0][batch].right, boxes[1][person].left
            found.append(_curve(ends, n, most, one, at))
    return found


def _curve(
    ends: tuple[tuple[float, float], tuple[float, float]],
    n: int,
    most: int,
    one: Suspected | None,
    aside: float,
) -> str:
    (x, y), (to_x, to_y) = ends
    y, to_y, half = y + aside, to_y + aside, (to_x - x) / 2
    width = _LEAST_PX + (_MOST_PX - _LEAST_PX) * min(1.0, n / most) ** 0.5
    kind, told = ("line", f"{n:,} changed labels")
    colour = ""
    if one is not None:
        kind, told = "line suspect", f"suspect {one.rank}: {n:,} changed labels"
        colour = f"stroke:{colour_of(one)};"
    return (
        f'<path class="{kind}" style="{colour}stroke-width:{width:.1f}" '
        f'd="M{x:g} {y:g}C{x + half:g} {y:g} {to_x - half:g} {to_y:g} {to_x:g} {to_y:g}">'
        f"<title>{told}</title></path>"
    )
