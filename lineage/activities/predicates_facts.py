"""What the record says of a predicate's values: who and what they are, and what is gold, disputed or agreed on."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.activities import collect, gather, gold, position, rare_groups, schemas, trace
from lineage.activities.context import Project
from lineage.activities.gather import Threshold
from lineage.activities.opinions import Opinions
from lineage.activities.trace import Choice
from lineage.errors import BadInput, NotFound
from lineage.settings import load_params
from lineage.store import read
from lineage.terms import Kind, Origin, Stage

_ENUMS: Mapping[str, Sequence[str]] = {"stage": list(Stage), "kind": list(Kind), "origin": list(Origin)}  # fmt: skip
_SAID = "@"
Found = tuple[tuple[str, ...], "Facts"]


def _no_numbers() -> np.ndarray:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a clause is tested by; which of these depends on its dimension.

    Parameters
    ----------
    words
        Batches of a vendor.
    numbers
        ndarray of int64, ascending: revisions that are gold, annotations that are disputed, keys of
        images.
    names
        Names of the same images.
    tags
        By (schema, class) the attribute values, as ``name=value``, that make an edge case.
    """

    words: tuple[str, ...] = ()
    numbers: np.ndarray = field(default_factory=_no_numbers)
    names: pa.Array | None = None
    tags: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)


class Record:
    """Looks values up as of a place in the log; what costs a scan is asked for once."""

    def __init__(self, project: Project, seq: int, is_recorded: bool) -> None:
        self._project = project
        self._seq = seq
        self._is_recorded = is_recorded
        self._images: pa.Table | None = None
        self._opinions: Opinions | None = None

    def looked_up(self, dimension: str, values: tuple[str, ...]) -> Found:
        """Return the values as they go on record, and the facts behind them."""
        if dimension in _ENUMS:
            _refuse_others(dimension, values, _ENUMS[dimension])
        way = self._ways().get(dimension)
        return (values, Facts()) if way is None else way(values)

    def _ways(self) -> Mapping[str, Callable[[tuple[str, ...]], Found]]:
        return {
            "annotator": self._annotators,
            "batch": self._batches,
            "class": self._classes,
            "schema": self._schemas,
            "vendor": self._vendors,
            "asset": self._assets,
            "since": _moment,
            "until": _moment,
            "edge_case": self._edge_cases,
            "gold": self._gold,
            "disputed": self._disputed,
            "agreement_below": partial(self._agreement, is_below=True),
            "agreement_least": self._agreement,
            "opinions_least": self._opinions_least,
        }

    def _annotators(self, values: tuple[str, ...]) -> Found:
        return trace.selector_of(self._project, Choice(annotator=values)).annotators, Facts()

    def _batches(self, values: tuple[str, ...]) -> Found:
        trace.selector_of(self._project, Choice(batch=values))
        return values, Facts()

    def _schemas(self, values: tuple[str, ...]) -> Found:
        for ref in values:
            schemas.get(self._project, ref)
        return values, Facts()

    def _classes(self, values: tuple[str, ...]) -> Found:
        known = {
            name
            for row in schemas.list_all(self._project)
            for name in schemas.as_schema(row).classes
        }
        for value in sorted(set(values) - known):
            raise NotFound(
                "no-class",
                f"no label schema on record has a class {value!r}{_near(value, known)}",
                hint="lineage schema list",
            )
        return values, Facts()

    def _vendors(self, values: tuple[str, ...]) -> Found:
        with self._project.store.reading() as connection:
            rows = read.batches(connection)
        known = {row.vendor for row in rows if row.vendor is not None}
        for value in sorted(set(values) - known):
            raise NotFound(
                "no-vendor",
                f"no batch on record is of a vendor {value!r}{_near(value, known)}",
                hint="lineage batch list",
            )
        return values, Facts(words=tuple(row.tag for row in rows if row.vendor in values))

    def _assets(self, values: tuple[str, ...]) -> Found:
        images = self._facts_of_images()
        names = images["name"].combine_chunks()
        chosen = np.zeros(len(names), bool)
        for value in values:
            here = np.asarray(pc.equal(names, value))
            if not here.any():
                here = np.asarray(pc.ends_with(names, f"/{value}"))
            if not here.any():
                raise NotFound(
                    "no-asset",
                    f"no asset {value!r} on record as of {self._seq}",
                    hint="lineage sql 'SELECT name FROM asset'",
                )
            chosen |= here
        facts = self._of_keys(np.asarray(images["asset"])[chosen])
        return tuple(sorted(names.filter(pa.array(chosen)).to_pylist())), facts

    def _edge_cases(self, values: tuple[str, ...]) -> Found:
        told = gold.standing(self._project.ledger, self._seq)
        rows = schemas.list_all(self._project)
        parts = [
            (row.ref, part)
            for row in rows
            for part in rare_groups.groups_of([schemas.as_schema(row)]).rows
            if part.of is rare_groups.Of.EDGE_CASE
        ]
        mapped = {} if self._is_recorded else self._mapped()
        known = {str(part.name) for _, part in parts} | {*mapped}
        known |= {case for case in told["edge_case"].to_pylist() if case is not None}
        recorded = []
        names: dict[str, frozenset[str]] = {}
        for value in values:
            name, *said = value.split(_SAID)
            if name not in known and not said:
                raise NotFound(
                    "no-edge-case",
                    f"no schema, gold or params.yaml knows an edge case {name!r}{_near(name, known)}",
                    hint="lineage rare",
                )
            own = sorted({*said, *mapped.get(name, [])})
            recorded.append(_SAID.join([name, *own]))
            names[name] = frozenset(word.replace(":", "=", 1) for word in own)
        tags: dict[tuple[str, str], frozenset[str]] = {}
        for ref, part in parts:
            if part.name in names:
                key = (ref, part.class_)
                tags[key] = tags.get(key, frozenset()) | part.tags | names[part.name]
        is_so = np.isin(np.array(told["edge_case"].to_pylist(), dtype=object), list(names))
        return tuple(recorded), Facts(numbers=np.unique(np.asarray(told["revision"])[is_so]), tags=tags)  # fmt: skip

    def _mapped(self) -> Mapping[str, list[str]]:
        """Return, per edge case, the attributes that ``params.yaml`` maps to it, as ``name:value``."""
        found: dict[str, list[str]] = {}
        for batch in load_params(self._project.root).ingest:
            for attribute, cases in batch.gold_edge_cases.items():
                for value, case in cases.items():
                    found.setdefault(case, []).append(f"{attribute}:{value}")
        return found

    def _gold(self, values: tuple[str, ...]) -> Found:
        _refuse_others("gold", (_one("gold", values),), ("yes", "no"))
        told = gold.standing(self._project.ledger, self._seq)
        return values, Facts(numbers=np.unique(np.asarray(told["revision"])))

    def _disputed(self, values: tuple[str, ...]) -> Found:
        wanted = _one("disputed", values)
        _refuse_others("disputed", (wanted,), ("yes", "no"))
        found = [_no_numbers()]
        for block in self._told().blocks():
            gathered = gather.gathered(block, Threshold())
            said, n = gathered.said, int(gathered.unit.max(initial=-1)) + 1
            low, high = np.full(n, np.iinfo(np.int64).max), np.full(n, -1, np.int64)
            np.minimum.at(low, said.unit, said.value)
            np.maximum.at(high, said.unit, said.value)
            is_apart = low[gathered.unit] != high[gathered.unit]
            found.append(gathered.labels.annotation[is_apart == (wanted == "yes")])
        return values, Facts(numbers=np.unique(np.concatenate(found)))

    def _agreement(self, values: tuple[str, ...], *, is_below: bool = False) -> Found:
        bound = _number("agreement", _one("agreement", values), 0.0, 1.0)
        opinions = self._told()
        assets = np.unique(opinions.asset_of(opinions.answers.image))
        n_said, n_borne = np.zeros(len(assets)), np.zeros(len(assets))
        n_classes = len(opinions.words.classes)
        for block in opinions.blocks():
            gathered = gather.gathered(block, Threshold())
            at = np.searchsorted(assets, opinions.asset_of(gathered.image))
            pairs = gathered.pairs
            for value in (pairs.said_first, pairs.said_second):
                n_said += np.bincount(at, value < n_classes, minlength=len(assets))
            is_same = pairs.said_first == pairs.said_second
            n_borne += 2 * np.bincount(at, is_same, minlength=len(assets))
        # where all drew nothing they agree
        f1 = np.divide(n_borne, n_said, out=np.ones(len(assets)), where=n_said > 0)
        return values, self._of_keys(assets[(f1 < bound) if is_below else (f1 >= bound)])

    def _opinions_least(self, values: tuple[str, ...]) -> Found:
        least = _number("opinions_least", _one("opinions_least", values), 1, np.inf)
        opinions = collect.load(self._project, self._as_of(), least_people=1)
        said = np.unique(
            np.stack([opinions.answers.image, opinions.answers.annotator], axis=1), axis=0
        )
        image, n = np.unique(said[:, 0], return_counts=True)
        return values, self._of_keys(np.unique(opinions.asset_of(image[n >= least])))

    def _told(self) -> Opinions:
        if self._opinions is None:
            self._opinions = collect.load(self._project, self._as_of())
        return self._opinions

    def _as_of(self) -> Choice:
        return Choice(as_of=str(self._seq))

    def _facts_of_images(self) -> pa.Table:
        if self._images is None:
            self._images = trace.asset_facts(self._project, self._seq).select(["asset", "name"])
        return self._images

    def _of_keys(self, keys: np.ndarray) -> Facts:
        images = self._facts_of_images()
        at = np.searchsorted(np.asarray(images["asset"]), keys)
        return Facts(numbers=keys, names=images["name"].combine_chunks().take(pa.array(at)))


def _moment(values: tuple[str, ...]) -> Found:
    return (position.aware(_one("since and until", values)).isoformat(),), Facts()


def _one(dimension: str, values: tuple[str, ...]) -> str:
    if len(values) != 1:
        raise BadInput("predicate", f"{dimension} has {len(values)} values, expected one")
    return values[0]


def _number(dimension: str, text: str, least: float, most: float) -> float:
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not least <= found <= most:
        told = f"from {least:g} to {most:g}" if most < np.inf else f"of {least:g} or more"
        raise BadInput("predicate", f"{dimension}: {text!r}, expected a number {told}")
    return found


def _refuse_others(dimension: str, values: tuple[str, ...], known: Iterable[str]) -> None:
    wrong = [value for value in values if value not in known]
    if wrong:
        told = ", ".join(known)
        raise BadInput("predicate", f"{dimension}: {wrong[0]!r}, expected some of {told}")


def _near(value: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(value, list(known), n=3, cutoff=0.5)
    return f"; near it: {', '.join(near)}" if near else ""
