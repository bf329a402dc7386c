"""A table into Arrow, block by block, as its mapping says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.errors import BadInput
from lineage.formats import Chunk, ReadOptions
from lineage.formats.completeness import States
from lineage.formats.refusals import Refusals
from lineage.formats.table import facts
from lineage.formats.table import images as images_of
from lineage.formats.table.answers import Cells, cells_of
from lineage.formats.table.asked import listed
from lineage.formats.table.check import near
from lineage.formats.table.given import Given, Words
from lineage.formats.table.images import Images
from lineage.formats.table.mapping import TableMapping, parse
from lineage.formats.table.plan import Plan, plan_of
from lineage.formats.table.roster import Answers, Roster, pairs_of
from lineage.formats.table.shapes import shapes
from lineage.formats.table.source import Block, Source, open_source, refuse_misfits
from lineage.formats.table.standing import Standing, standing
from lineage.terms import Completeness, Kind, Origin, Presence

_NOT_ASKED = (Origin.MODEL, Origin.CONSENSUS, Origin.ADJUDICATED)
_DEFAULTS = ("box", "unit")


def read(path: Path, options: ReadOptions) -> Iterator[Chunk]:
    """Read a table; see `lineage.formats`.

    Raises
    ------
    BadInput
        ``map-missing``: no mapping says what the columns are; ``mapping-invalid``,
        ``no-such-column``, ``duplicate-column``, ``unreadable-table``, ``unreadable-json``,
        ``not-utf8``, ``element-too-large``; ``no-such-file``: the roster's.
    """
    if options.mapping is None:
        raise BadInput(
            "map-missing",
            "a table says nothing about what its columns mean, expected a mapping file",
            hint="lineage import --map-draft FILE writes a first one; then --map MAP.yaml",
            where=str(path),
        )
    mapping = parse(options.mapping, str(path))
    source = open_source(path, mapping)
    plan = plan_of(mapping, source.columns, is_open=source.is_open, where=str(path))
    file = _File(path, options, mapping, plan)
    for block in source.blocks(plan.wanted, plan.numbers):
        yield from file.chunks(block)
    yield file.farewell(source)


class _File:
    """What holds for a whole table while its blocks go by."""

    def __init__(self, path: Path, options: ReadOptions, mapping: TableMapping, plan: Plan) -> None:
        self._path = path
        self._options = options
        self._mapping = mapping
        self._plan = plan
        self._refusals = Refusals(str(path))
        self._roster = Roster()
        self._n_rows = 0

    def chunks(self, block: Block) -> Iterator[Chunk]:
        """Turn a block of rows into chunks of labels; a row's labels stay together."""
        self._n_rows += block.cells.num_rows + len(block.misfits)
        refuse_misfits(block, self._refusals)
        cells = cells_of(block, self._plan, self._mapping.nulls)
        start = 0
        while start < len(cells):
            stop = start + self._options.chunk_rows
            if stop < len(cells):
                first = int(np.searchsorted(cells.row, cells.row[stop]))
                beyond = int(np.searchsorted(cells.row, cells.row[stop], side="right"))
                stop = first if first > start else beyond
            yield self._chunk(cells.slice(start, min(stop, len(cells))))
            start = stop
        if not len(cells) and self._refusals.rows:
            yield self._bare()

    def farewell(self, source: Source) -> Chunk:
        """Return the last chunk: what the whole file adds up to.

        Raises
        ------
        BadInput
            ``no-such-column``: no row of a JSON file had a key that the mapping names.
        """
        self._refuse_unseen(source)
        used = {place.column for place in self._plan.places.values()}
        used |= set() if self._plan.each is None else {self._plan.each.column}
        left_over = [name for name in source.columns if name not in used]
        losses = {f"column-not-carried: {name}": self._n_rows for name in left_over if self._n_rows}
        notes = {name: f"{getattr(self._mapping, name)}, the default" for name in self._taken()}
        if left_over:
            notes["columns-left-over"] = ", ".join(map(repr, left_over))
        if not {"origin", "gold"} & {*self._plan.places, *self._mapping.constants}:
            notes["origin"] = "human, the default"
        if self._mapping.roster != "rows":
            told, n_nameless = listed(self._path, self._mapping)
            losses |= {"roster-row-without-asset": n_nameless} if n_nameless else {}
            pairs = pairs_of(told)
            self._roster.wait(pairs, [Presence.EMPTY.value] * pairs.num_rows)
            if n_beside := self._roster.n_labelled_beside(pairs):
                notes["not-on-roster"] = f"{n_beside:,} pairs of image and annotator have labels"
        rest = self._roster.rest()
        names = pc.unique(rest["asset"])
        assets = columns.batch_of(columns.ASSETS, {"name": names}, len(names))
        return self._bare(assets=assets, roster=rest, losses=losses, notes=notes)

    def _taken(self) -> list[str]:
        """Return the settings that nobody stated and that labels hang on."""
        is_drawn = self._mapping.kind is not Kind.CLASS
        document = self._options.mapping or {}
        return [name for name in _DEFAULTS if is_drawn and name not in document]

    def _refuse_unseen(self, source: Source) -> None:
        unseen = [
            place
            for place in self._plan.places.values()
            if place.column not in (None, *source.columns)
        ]
        if unseen and self._n_rows:
            told = [f"{one.told!r}, {near(one.told, source.columns)}" for one in unseen]
            raise BadInput(
                "no-such-column",
                f"no row has {'; '.join(told)}",
                hint="columns are named as the rows' keys are",
                where=str(self._path),
            )

    def _chunk(self, cells: Cells) -> Chunk:
        given = Given(cells, self._mapping, self._plan)
        is_torn = given.problems.is_bad.copy()
        images = images_of.images(given)
        found = standing(given)
        size = images.size
        if self._mapping.unit != "px":
            size = images_of.sizes(images, self._options.size_of)
        drawn = shapes(given, found.rows_of, size)
        when = facts.times(given, images.words.is_given)
        person = self._people(given)
        origin = facts.origins(given, found.is_label)
        source_id = self._ids(given)
        values: dict[str, object] = {
            "asset": images.words.to_arrow(),
            "annotator": person.to_arrow(),
            "class": found.class_.to_arrow(),
            "kind": found.kind.to_arrow(),
            **{name: _column(drawn.box[:, side]) for side, name in enumerate(columns.BOX)},
            "geometry": drawn.geometry,
            "attributes": facts.attributes(given, found.is_label),
            "origin": origin.to_arrow(),
            "source_id": source_id,
            "labelled_at": when.labelled_at,
            "created_by": given.words("created_by").to_arrow(),
            "updated_by": given.words("updated_by").to_arrow(),
            "lead_time_s": _column(when.lead_time_s),
            "score": _column(given.numbers("score", found.is_label)),
            "extra": facts.extras(given, when.untold),
            "position": pa.array(cells.position),
            "annotation": self._annotations(given, found.is_label),
        }
        labels = _labels(values, found.is_label & ~given.problems.is_bad)
        is_asked = (
            images.words.is_given
            & ~is_torn
            & ~np.isin(
                origin.codes, [at for at, name in enumerate(origin.names) if name in _NOT_ASKED]
            )
        )
        answers = Answers(images.words, person, found.presence, np.flatnonzero(is_asked))
        has_answers = self._plan.each is not None
        if not has_answers or self._mapping.roster != "rows":
            roster = self._roster.take(answers)
        if has_answers:
            roster = _answers(answers, cells, when, source_id=given.text("id"))
        self._refuse(given, images.words, source_id)
        losses = Counter(found.losses)
        losses.update(when.losses)
        return Chunk(
            labels,
            images_of.facts(given, images),
            roster,
            self._refusals.take(),
            dict(losses),
            self._completeness(given, found, images),
        )

    def _people(self, given: Given) -> Words:
        """Return who labelled, those whom the caller names where the table names nobody."""
        words = given.words("annotator")
        fallback = self._options.fallback_annotator(self._path)
        if fallback is None or words.is_given.all():
            return words
        names = [*words.names, fallback]
        return Words(np.where(words.is_given, words.codes, len(names) - 1), names).renamed(names)

    def _ids(self, given: Given) -> pa.Array:
        """Return the ids of entries; of several in one row, the row's and a number."""
        ids = given.text("id")
        if ids is None:
            return pa.nulls(given.n, pa.string())
        if self._plan.each is None:
            return ids
        numbers = pa.array(given.cells.number).cast(pa.string())
        return pc.binary_join_element_wise(ids, numbers, "/")

    def _annotations(self, given: Given, rows: np.ndarray) -> pa.Array | None:
        """Return the ledger's own numbers, in tables that it wrote."""
        cells = given.text("annotation")
        if cells is None:
            return None
        is_number = np.asarray(pc.match_substring_regex(cells, r"^\d{1,18}$").fill_null(False))
        is_given = np.asarray(pc.is_valid(cells))
        given.refuse(rows & is_given & ~is_number, "not-a-number", "annotation", "a whole number")
        return pc.if_else(pa.array(is_number), cells, pa.scalar(None, pa.string())).cast(pa.int64())

    def _completeness(self, given: Given, found: Standing, images: Images) -> pa.RecordBatch:
        """Return what the state column says of images, or of a class on each."""
        states = States()
        rows = np.flatnonzero(found.state.is_given & images.words.is_given)
        if self._mapping.state_of == "class":
            rows = rows[found.class_.is_given[rows]]
        if len(rows) == 0:
            return states.take()
        reasons = given.words("reason")
        parts = [images.words, found.state, reasons]
        parts += [found.class_] if self._mapping.state_of == "class" else []
        keys = np.column_stack([words.codes[rows] for words in parts])
        _, first = np.unique(keys, axis=0, return_index=True)
        for row in rows[np.sort(first)].tolist():
            told = [
                words.names[words.codes[row]] if words.codes[row] >= 0 else None for words in parts
            ]
            states.add(
                str(told[0]),
                Completeness(str(told[1])),
                reason=told[2],
                class_=told[3] if len(told) > 3 else None,
            )
        return states.take()

    def _refuse(self, given: Given, asset: Words, ids: pa.Array) -> None:
        wrong = [
            (at, value, problem)
            for problem in given.problems.found
            for at, value in zip(problem.rows.tolist(), problem.values, strict=True)
        ]
        for at, value, problem in sorted(wrong, key=lambda one: one[0]):
            code = int(asset.codes[at])
            self._refusals.add(
                problem.rule,
                position=int(given.cells.position[at]),
                path=problem.path,
                value=value,
                expected=problem.expected,
                label=self._told(given.cells, at),
                asset=asset.names[code] if code >= 0 else None,
                annotation=ids[at].as_py(),
            )

    def _told(self, cells: Cells, at: int) -> str:
        row = {self._plan.told(key): column[at].as_py() for key, column in cells.cells.items()}
        kept = {name: value for name, value in row.items() if value is not None}
        return json.dumps(kept, ensure_ascii=False, default=str)

    def _bare(
        self,
        *,
        assets: pa.RecordBatch | None = None,
        roster: pa.RecordBatch | None = None,
        losses: Mapping[str, int] | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> Chunk:
        return Chunk(
            columns.empty(columns.LABELS),
            assets if assets is not None else columns.empty(columns.ASSETS),
            roster if roster is not None else columns.empty(columns.ROSTER),
            self._refusals.take(),
            losses or {},
            notes=notes or {},
        )


def _column(values: np.ndarray) -> pa.Array:
    return pa.array(values, from_pandas=True)


def _labels(values: Mapping[str, object], is_label: np.ndarray) -> pa.RecordBatch:
    """Return the entries that are labels as `columns.LABELS`."""
    if is_label.all():
        return columns.batch_of(columns.LABELS, values, len(is_label))
    mask = pa.array(is_label)
    kept = {
        name: value.filter(mask) if isinstance(value, pa.Array) else value
        for name, value in values.items()
    }
    return columns.batch_of(columns.LABELS, kept, int(is_label.sum()))


def _answers(
    answers: Answers, cells: Cells, when: facts.Times, *, source_id: pa.Array | None
) -> pa.RecordBatch:
    """Return a row of the roster for every row of the table: it is an answer, whatever it holds."""
    rows = answers.rows
    if len(rows) == 0:
        return columns.empty(columns.ROSTER)
    # of a row's entries the first speaks, and the furthest presence holds
    row, first, place = np.unique(cells.row[rows], return_index=True, return_inverse=True)
    labelled = answers.presence.names.index(Presence.LABELLED)
    is_labelled = np.zeros(len(row), bool)
    np.logical_or.at(is_labelled, place, answers.presence.codes[rows] == labelled)
    codes = np.where(is_labelled, labelled, answers.presence.codes[rows[first]])
    kept = pa.array(rows[first])
    values = {
        "asset": answers.asset.to_arrow().take(kept).cast(pa.string()),
        "annotator": answers.annotator.to_arrow().take(kept).cast(pa.string()),
        "presence": Words(codes, answers.presence.names).to_arrow().cast(pa.string()),
        "source_id": None if source_id is None else source_id.take(kept),
        "answered_at": when.labelled_at.take(kept),
        "lead_time_s": _column(when.lead_time_s).take(kept),
    }
    return columns.batch_of(columns.ROSTER, values, len(row))
