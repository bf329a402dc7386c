"""What a world is to be."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from lineage.errors import BadInput

CLASSES = (
    "car",
    "pedestrian",
    "cyclist",
    "truck",
    "bus",
    "traffic_light",
    "dog",
    "wheelchair_user",
)
SHARES = (0.40, 0.25, 0.10, 0.08, 0.05, 0.09, 0.027, 0.003)
LABEL_STUDIO_CREW = ("alice", "bruno", "chen", "dalia")
CVAT_CREW = ("erin", "femi", "goran", "hana")
PEOPLE = (*LABEL_STUDIO_CREW, *CVAT_CREW)
EXPERT = "gold"
WAYS = ("visible_part", "full_extent", "skip", "as_cyclist")
FAULTS: Mapping[str, frozenset[str]] = {
    "definition_split": frozenset({"kind", "class", "edge_case", "from_week", "annotators"}),
    "hurried": frozenset({"kind", "annotator", "from_week"}),
    "wrong_schema": frozenset({"kind", "batch", "schema"}),
}


_FRACTIONS = (
    "overlap_fraction",
    "cross_overlap_fraction",
    "repeat_fraction",
    "gold_fraction",
)


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """A world.

    Parameters
    ----------
    seed
        Everything follows from it.
    n_images, images_per_scene
        Scenes are sequences; neighbours look alike.
    mean_objects
        In an image.
    width, height
        Of an image, px.
    n_weeks
        The work is spread over.
    overlap_fraction
        Of the images, labelled blindly by further annotators.
    opinions_per_overlap
        Annotators of such an image, the first among them: 2 to 8.
    cross_overlap_fraction
        Of the further annotators, those who are of the other crew and work in its tool.
    repeat_fraction
        Of the images, those that come back to their first annotator in a later week.
    gold_fraction
        Of the images, those that an expert labels by the guideline, and that everybody is given.
    draw_pixels
        Whether to draw the images.
    faults
        What is planted; see `FAULTS` for the keys of each kind.
    """

    seed: int = 7
    n_images: int = 600
    images_per_scene: int = 10
    mean_objects: float = 6.0
    width: int = 320
    height: int = 192
    n_weeks: int = 8
    overlap_fraction: float = 0.10
    opinions_per_overlap: int = 2
    cross_overlap_fraction: float = 0.5
    repeat_fraction: float = 0.02
    gold_fraction: float = 0.01
    draw_pixels: bool = True
    faults: tuple[Mapping[str, object], ...] = ()

    def fault(self, kind: str) -> Mapping[str, object] | None:
        """Return the planted fault of a kind."""
        return next((fault for fault in self.faults if fault["kind"] == kind), None)


def from_params(params: Mapping[str, object]) -> WorldSettings:
    """Return the world that ``simulate`` in ``params.yaml`` describes.

    Raises
    ------
    BadInput
        ``simulate-params``, with everything that is wrong.
    """
    known = {field.name: field for field in dataclasses.fields(WorldSettings)}
    problems = [f"{name}: unknown" for name in params if name not in known]
    values: dict[str, object] = {}
    for name, value in params.items():
        if name == "faults":
            values[name] = _faults(value, problems)
        elif name in known and isinstance(value, (int, float)):
            values[name] = value
        elif name in known:
            problems.append(f"{name}: {value!r}, expected a number")
    if problems:
        raise BadInput(
            "simulate-params",
            "; ".join(problems),
            hint="docs/simulate.md",
            where="params.yaml: simulate",
        )
    settings = WorldSettings(**values)  # type: ignore[arg-type]
    if settings.n_images < 1 or settings.n_weeks < 1 or settings.images_per_scene < 1:
        raise BadInput(
            "simulate-params", "a world needs an image, a week, and a scene to put it in"
        )
    for name in _FRACTIONS:
        value = getattr(settings, name)
        if not 0 <= value <= 1:
            raise BadInput("simulate-params", f"{name}: {value:g}, expected a fraction in [0, 1]")
    if settings.opinions_per_overlap not in range(2, len(PEOPLE) + 1):
        raise BadInput(
            "simulate-params",
            f"opinions_per_overlap: {settings.opinions_per_overlap!r}, expected a whole number from 2 "
            f"to {len(PEOPLE)}",
        )
    return settings


def _faults(value: object, problems: list[str]) -> tuple[Mapping[str, object], ...]:
    if not isinstance(value, list):
        problems.append(f"faults: {value!r}, expected a list")
        return ()
    for at, fault in enumerate(value):
        kind = fault.get("kind") if isinstance(fault, Mapping) else None
        if not isinstance(kind, str) or kind not in FAULTS:
            problems.append(f"faults[{at}].kind: {kind!r}, expected one of {', '.join(FAULTS)}")
            continue
        problems += [f"faults[{at}].{key}: unknown" for key in fault if key not in FAULTS[kind]]
        ways = fault.get("annotators", {})
        if not isinstance(ways, Mapping) or set(ways.values()) - set(WAYS):
            problems.append(f"faults[{at}].annotators: expected names and {', '.join(WAYS)}")
        people = [*ways] + ([fault["annotator"]] if "annotator" in fault else [])
        problems += [
            f"faults[{at}]: no annotator {name!r}" for name in people if name not in PEOPLE
        ]
    return tuple(value)
