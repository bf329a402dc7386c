"""Settings: ``.lineage/config.toml`` and ``params.yaml`` become frozen values. The only YAML and TOML.

Unknown keys are refused, all of them at once and with the nearest known key:
a setting that is silently ignored is a decision nobody made.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from lineage.errors import BadInput
from lineage.settings.problems import refuse, refuse_unknown
from lineage.settings.project import ProjectSettings as ProjectSettings
from lineage.settings.project import dump_project as dump_project
from lineage.settings.project import load_project as load_project
from lineage.settings.project import verifiers_of as verifiers_of
from lineage.settings.project import with_key as with_key
from lineage.settings.requirements import MeasureSettings, requirements_of

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_MAX_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class IngestSource:
    """What the ``ingest`` stage imports into a batch; ``path`` may be a pattern."""

    path: str
    format: str = "auto"
    whole: bool = False
    stage: str = "submitted"
    identity: str = "auto"
    annotator: str | None = None
    map: str | None = None
    pixel_base: int = 0
    task: str = "auto"


@dataclass(frozen=True, slots=True)
class IngestBatch:
    """A batch that the ``ingest`` stage creates where it is missing, and its sources.

    With ``gold`` what it holds is declared gold; ``gold_edge_cases`` gives, by attribute and value, the
    edge case that a label is of.
    """

    tag: str
    task: str
    schema: str
    kind: str = "archive"
    vendor: str | None = None
    priority: int = 0
    overlap_fraction: float = 0.0
    review_fraction: float = 0.0
    gold_fraction: float = 0.0
    agreement_least: float = 0.8
    gold: bool = False
    gold_edge_cases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sources: tuple[IngestSource, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which labels a dataset version takes, and how it is split; an empty field does not restrict.

    With ``require_final`` only final labels; without, of volume batches those that are finalised. None asks
    nothing of anybody, as before there was review. ``where`` and ``without`` are predicates
    (`activities.predicates`): labels that one of the texts chooses, and labels taken as if they had never
    been; with ``revert`` the newest earlier revision that is not so stands in their place. ``of`` names a
    version whose recipe and place in the log are taken instead of the other keys.
    """

    schemas: tuple[str, ...] = ()
    stages: tuple[str, ...] = ("submitted", "in_review", "final")
    classes: tuple[str, ...] = ()
    exclude_classes: tuple[str, ...] = ()
    batches: tuple[str, ...] = ()
    exclude_batches: tuple[str, ...] = ()
    annotators: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    origins: tuple[str, ...] = ("human", "assisted", "ground_truth", "adjudicated")
    require_final: bool | None = False
    include_pilots: bool = False
    as_of: str | None = None
    since: str | None = None
    until: str | None = None
    splits: Mapping[str, float] = field(
        default_factory=lambda: {"train": 0.8, "val": 0.1, "test": 0.1}
    )
    split_salt: str = "lineage"
    group_pattern: str | None = None
    where: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    revert: bool = False
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Params:
    """``params.yaml``."""

    schemas_dir: str = "schemas"
    edge_tolerance_px: float = 1.0
    ingest: tuple[IngestBatch, ...] = ()
    measure: MeasureSettings = field(default_factory=MeasureSettings)
    recipe: Recipe = field(default_factory=Recipe)
    simulate: Mapping[str, object] = field(default_factory=dict)


def is_safe_name(text: str) -> bool:
    """Tell whether a name may reach a shell: DVC pastes parameters into commands as they are."""
    return _NAME.fullmatch(text) is not None and text not in (".", "..")


def load_params(root: Path) -> Params:
    """Read ``params.yaml``; a missing file is all defaults.

    Raises
    ------
    BadInput
        ``settings-unreadable`` or ``settings-invalid``, with everything that is wrong.
    """
    path = root / "params.yaml"
    if not path.exists():
        return Params()
    document = load_yaml(path)
    problems: list[str] = []
    refuse_unknown(
        document,
        ("schemas_dir", "validation", "ingest", "measure", "build", "simulate"),
        "",
        problems,
    )
    validation = _mapping(document.get("validation"), "validation", problems)
    refuse_unknown(validation, ("edge_tolerance_px",), "validation.", problems)
    ingest = _mapping(document.get("ingest"), "ingest", problems)
    refuse_unknown(ingest, ("batches",), "ingest.", problems)
    batches = [
        _batch(_mapping(entry, f"ingest.batches[{i}]", problems), f"ingest.batches[{i}].", problems)
        for i, entry in enumerate(_list(ingest.get("batches"), "ingest.batches", problems))
    ]
    measure = _measure(_mapping(document.get("measure"), "measure", problems), problems)
    build = _mapping(document.get("build"), "build", problems)
    recipe = _filled(Recipe, build, "build.", problems)
    tolerance = validation.get("edge_tolerance_px", 1.0)
    if not isinstance(tolerance, (int, float)) or isinstance(tolerance, bool) or tolerance < 0:
        problems.append(f"validation.edge_tolerance_px: {tolerance!r}, expected pixels")
    simulate = _mapping(document.get("simulate"), "simulate", problems)
    refuse(problems, path)
    return Params(
        schemas_dir=str(document.get("schemas_dir", "schemas")),
        edge_tolerance_px=float(cast(float, tolerance)),
        ingest=tuple(batch for batch in batches if batch is not None),
        measure=measure,
        recipe=recipe or Recipe(),
        simulate=simulate,
    )


def load_yaml(path: Path) -> dict[str, object]:
    """Read a YAML file whose top level is a mapping; a key that stands twice is refused.

    Raises
    ------
    BadInput
        ``settings-unreadable``.
    """
    import yaml

    class _Loader(yaml.SafeLoader):
        """A safe loader that refuses a key standing twice."""

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[object, object]:
        keys = [loader.construct_object(key) for key, _ in node.value]
        twice = next((key for i, key in enumerate(keys) if key in keys[:i]), None)
        if twice is not None:
            raise yaml.YAMLError(f"the key {twice!r} stands twice, {node.start_mark}")
        return dict(loader.construct_mapping(node, deep=True))

    _Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadInput("settings-unreadable", "larger than 10 MB", where=str(path))
        document = yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as exc:
        raise BadInput("settings-unreadable", f"no readable YAML: {exc}", where=str(path)) from exc
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadInput("settings-unreadable", "expected a mapping at the top", where=str(path))
    return document


def dump_yaml(document: Mapping[str, object]) -> str:
    """Return a mapping as YAML, keys in their order."""
    import yaml

    return str(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=100))


def _batch(document: Mapping[str, object], prefix: str, problems: list[str]) -> IngestBatch | None:
    sources = [
        _filled(
            IngestSource,
            _mapping(entry, f"{prefix}sources[{i}]", problems),
            f"{prefix}sources[{i}].",
            problems,
        )
        for i, entry in enumerate(_list(document.get("sources"), f"{prefix}sources", problems))
    ]
    rest = {name: value for name, value in document.items() if name != "sources"}
    batch = _filled(IngestBatch, rest, prefix, problems)
    if batch is None:
        return None
    if not is_safe_name(batch.tag):
        problems.append(f"{prefix}tag: {batch.tag!r}, expected letters, digits and . _ - only")
    values = {f.name: getattr(batch, f.name) for f in fields(batch)}
    return IngestBatch(**{**values, "sources": tuple(s for s in sources if s is not None)})


def _measure(document: Mapping[str, object], problems: list[str]) -> MeasureSettings:
    named = _mapping(document.get("requirements"), "measure.requirements", problems)
    rest = {name: value for name, value in document.items() if name != "requirements"}
    plain = _filled(MeasureSettings, rest, "measure.", problems)
    requirements = requirements_of(named, problems)
    return dataclasses.replace(plain or MeasureSettings(), requirements=requirements)


def _filled(kind: Any, document: Mapping[str, object], prefix: str, problems: list[str]) -> Any:
    known = {f.name: f for f in fields(kind)}
    n_before = len(problems)
    refuse_unknown(document, tuple(known), prefix, problems)
    values: dict[str, object] = {}
    for name, value in document.items():
        if name in known:
            values[name] = _value(str(known[name].type), value, f"{prefix}{name}", problems)
    for name, known_field in known.items():
        has_default = (known_field.default, known_field.default_factory) != (MISSING, MISSING)
        if not has_default and name not in document:
            problems.append(f"{prefix}{name}: missing")
    return kind(**values) if len(problems) == n_before else None


def _value(kind: str, value: object, path: str, problems: list[str]) -> object:
    if value is None and kind.endswith("None"):
        return None
    if kind.startswith("tuple[str"):
        words = [value] if isinstance(value, str) else value
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return tuple(words)
        problems.append(f"{path}: {value!r}, expected a list of words")
        return ()
    if kind.startswith("Mapping[str, Mapping[str, str]]"):
        return _nested(value, path, problems)
    if kind.startswith("Mapping[str, float]"):
        if isinstance(value, dict) and all(isinstance(n, (int, float)) for n in value.values()):
            return {str(name): float(n) for name, n in value.items()}
        problems.append(f"{path}: {value!r}, expected fractions by name")
        return {}
    wanted: dict[str, tuple[type, ...]] = {
        "str": (str,),
        "bool": (bool,),
        "int": (int,),
        "float": (int, float),
    }
    types = wanted[kind.split(" ")[0]]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        problems.append(f"{path}: {value!r}, expected {kind.split(' ')[0]}")
    return value


def _nested(value: object, path: str, problems: list[str]) -> dict[str, dict[str, str]]:
    """Return words by value by name; a value is written as in JSON: YAML reads ``true`` as no text."""
    if isinstance(value, dict) and all(
        isinstance(words, dict) and all(isinstance(word, str) for word in words.values())
        for words in value.values()
    ):
        return {
            str(name): {
                key if isinstance(key, str) else json.dumps(key): word
                for key, word in words.items()
            }
            for name, words in value.items()
        }
    problems.append(f"{path}: {value!r}, expected words by attribute and value")
    return {}


def _mapping(value: object, path: str, problems: list[str]) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        problems.append(f"{path}: {value!r}, expected a mapping")
        return {}
    return value


def _list(value: object, path: str, problems: list[str]) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        problems.append(f"{path}: {value!r}, expected a list")
        return []
    return value
