"""The labelling configuration of a Label Studio project, so that the locked schema is what people see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lineage.formats.cvat.text import quoted
from lineage.formats.forms import (
    Class,
    Configuration,
    Field,
    Gap,
    Input,
    colour_of,
    form_of,
    merged,
    pointer,
)
from lineage.terms import Kind

IMAGE = "image"
"""Name of the image, and the key of its address in a task."""

CONTROLS: Mapping[str, str] = {kind.value: f"label-{kind.value.replace('_', '-')}" for kind in Kind}
"""Name of the control that draws a kind; attributes are asked by controls of their own names."""

RESERVED = frozenset({IMAGE, *CONTROLS.values()})
"""Names that no attribute's control can have: the tool wants every name once."""

_TAGS = {
    Kind.BOX: "RectangleLabels",
    Kind.ROTATED_BOX: "RectangleLabels",
    Kind.POLYGON: "PolygonLabels",
    Kind.POLYLINE: "VectorLabels",
    Kind.KEYPOINTS: "KeyPointLabels",
    Kind.MASK: "BrushLabels",
}
_MORE = {Kind.BOX: ' canRotate="false"', Kind.ROTATED_BOX: ' canRotate="true"'}


def configuration(document: Mapping[str, object]) -> Configuration:
    """Return the configuration for a label schema's document.

    Parameters
    ----------
    document
        A label schema, as it is on record.

    Returns
    -------
    Configuration
        XML, and what the tool does not ask or hold to.

    Notes
    -----
    Classes have one control for each kind of geometry, colours of their own, and their definition
    and edge cases as a hint. An attribute is asked of a region, where its class has it; where
    classes ask one name in several ways, their choices are joined, for names are unique in the tool.
    """
    form = form_of(document)
    gaps = [*form.gaps]
    lines = [f'  <Header value={quoted(form.title)} size="4"/>']
    if form.guidelines:
        lines.append(f'  <Header value={quoted(f"Guidelines: {form.guidelines}")} size="6"/>')
    lines.append(f'  <Image name="{IMAGE}" value="${IMAGE}" zoom="true"/>')
    for kind in _TAGS:
        lines += _drawing(kind, [c for c in form.classes if kind in c.kinds])
    lines += _choosing([c for c in form.classes if Kind.CLASS in c.kinds])
    if any(Kind.KEYPOINTS in c.kinds for c in form.classes):
        gaps.append(Gap("/classes", "keypoints", "points are drawn one by one, without visibility"))
    lines += _asking(form.classes, gaps)
    return Configuration("\n".join(["<View>", *lines, "</View>", ""]), tuple(gaps))


def _drawing(kind: Kind, classes: Sequence[Class]) -> Iterator[str]:
    if not classes:
        return
    yield f'  <{_TAGS[kind]} name="{CONTROLS[kind]}" toName="{IMAGE}"{_MORE.get(kind, "")}>'
    for index, class_ in enumerate(classes):
        told = f' background="{colour_of(class_.name)}"{_hint(class_)}'
        if kind is Kind.KEYPOINTS:
            # without it the tool's own COCO export gives up
            told += f' model_index="{index}"'
        yield f"    <Label value={quoted(class_.name)}{told}/>"
    yield f"  </{_TAGS[kind]}>"


def _choosing(classes: Sequence[Class]) -> Iterator[str]:
    if not classes:
        return
    yield f'  <Choices name="{CONTROLS[Kind.CLASS]}" toName="{IMAGE}" choice="multiple">'
    for class_ in classes:
        yield f"    <Choice value={quoted(class_.name)}{_hint(class_)}/>"
    yield "  </Choices>"


def _hint(class_: Class) -> str:
    cases = [f"{name.replace('_', ' ')}: {told}" for name, told in class_.edge_cases.items()]
    told = "; ".join(part for part in (class_.definition, *cases) if part)
    return f" hint={quoted(told)}" if told else ""


def _asking(classes: Sequence[Class], gaps: list[Gap]) -> Iterator[str]:
    asked: dict[str, list[tuple[str, Field]]] = {}
    for class_ in classes:
        if set(class_.kinds) & {Kind.CLASS.value} and class_.fields:
            path = pointer("classes", class_.name, "attributes")
            gaps.append(Gap(path, "class", "asked of regions, not of whole images"))
        if set(class_.kinds) - {Kind.CLASS.value}:
            for one in class_.fields:
                asked.setdefault(one.name, []).append((class_.name, one))
    for name, entries in asked.items():
        if name in RESERVED:
            gaps.append(
                Gap(pointer("attributes", name), "name", "not asked: the name is a control's own")
            )
            continue
        fields = [one for _, one in entries]
        if any(one != fields[0] for one in fields):
            told = "classes ask it in several ways: asked in one that holds them all"
            gaps.append(Gap(pointer("attributes", name), "classes", told))
        yield from _control(merged(fields), [class_ for class_, _ in entries], gaps)


def _control(asked: Field, classes: Sequence[str], gaps: list[Gap]) -> Iterator[str]:
    when = ' visibleWhen="region-selected"'
    if any("," in class_ for class_ in classes):
        told = "asked of every region: a class' name with a comma cannot be told from two"
        gaps.append(Gap(pointer("attributes", asked.name), "classes", told))
    else:
        when += f" whenLabelValue={quoted(','.join(classes))}"
    head = f'name={quoted(asked.name)} toName="{IMAGE}" perRegion="true"{when}'
    if asked.is_required:
        head += f' required="true" requiredMessage={quoted(f"{asked.name} is missing")}'
    yield f"  <View{when}>"
    yield f'    <Header value={quoted(asked.name)} size="6"/>'
    if asked.input is Input.NUMBER:
        yield f"    <Number {head}{_bounds(asked)}/>"
    elif asked.input is Input.TEXT:
        yield f'    <TextArea {head} maxSubmissions="1" editable="true"/>'
    else:
        choice = "multiple" if asked.input is Input.SEVERAL else "single-radio"
        values = ("true", "false") if asked.input is Input.YES_NO else asked.values
        yield f'    <Choices {head} choice="{choice}" showInline="true">'
        for value in values:
            yield f"      <Choice value={quoted(value)}/>"
        yield "    </Choices>"
    yield "  </View>"


def _bounds(asked: Field) -> str:
    told = {"min": asked.minimum, "max": asked.maximum, "step": asked.step}
    return "".join(f' {name}="{value!r}"' for name, value in told.items() if value is not None)
