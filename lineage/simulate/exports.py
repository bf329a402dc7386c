"""The tools' files: Label Studio JSON week by week, CVAT XML week by week and person by person; and the gold.

Written as text while the blocks go by, the way the tools write them; a label
costs a few microseconds, and nothing is held.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

import numpy as np

from lineage.simulate.people import Work, week_of
from lineage.simulate.scenes import OCCLUSIONS, asset_name
from lineage.simulate.settings import CLASSES, CVAT_CREW, EXPERT, PEOPLE, WorldSettings

START = datetime(2026, 1, 5, tzinfo=UTC)
FILE_IMAGES = 50_000
_LABEL_STUDIO = "label_studio"
_NO_WEEK = 1_000_000
_ASKED_OCCLUSION = frozenset({CLASSES.index("pedestrian"), CLASSES.index("wheelchair_user")})


@dataclass(slots=True)
class _Open:
    file: TextIO
    n_images: int = 0


@dataclass(slots=True)
class Exports:
    """Every export of a world, open for writing.

    Parameters
    ----------
    out
        Where they go.
    settings
        The world.
    """

    out: Path
    settings: WorldSettings
    paths: list[Path] = field(default_factory=list)
    n_labels: int = 0
    _open: dict[tuple[int, str], _Open] = field(default_factory=dict)
    _n_annotations: int = 0
    _n_regions: int = 0

    def append(self, work: Work) -> None:
        """Write a block's work."""
        ends = _ends(work)
        own_week = week_of(self.settings, work.image).tolist()
        in_cvat = work.annotator >= len(PEOPLE) - len(CVAT_CREW)
        kept = np.stack([work.image, work.week, in_cvat])
        is_first = np.ones(len(work.image), bool)
        is_first[1:] = (kept[:, 1:] != kept[:, :-1]).any(axis=0)
        starts = np.append(np.flatnonzero(is_first), len(work.image))
        for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            self._finish(before=own_week[start])
            if in_cvat[start]:
                for at in range(start, stop):
                    self._cvat_image(work, at, ends)
            else:
                # an image that comes back is another task of its project
                is_repeat = int(work.week[start]) > own_week[start]
                task = int(work.image[start]) + 1 + is_repeat * self.settings.n_images
                self._task(work, range(start, stop), ends, task, _LABEL_STUDIO)
        self.n_labels += len(work.row)

    def append_gold(self, work: Work) -> None:
        """Write what the expert labelled in a block."""
        ends = _ends(work)
        for at in range(len(work.image)):
            self._task(work, range(at, at + 1), ends, int(work.image[at]) + 1, EXPERT)
        self.n_labels += len(work.row)

    def close(self) -> None:
        """Finish every file."""
        self._finish(before=_NO_WEEK + 1)

    def _finish(self, *, before: int) -> None:
        """Finish the files of weeks that no image is left for; repeats open later ones early."""
        for key in [key for key in self._open if key[0] < before]:
            self._finish_one(key)

    def _finish_one(self, key: tuple[int, str]) -> None:
        entry = self._open.pop(key)
        entry.file.write("\n]\n" if key[1] in (_LABEL_STUDIO, EXPERT) else "</annotations>\n")
        entry.file.close()

    def _sink(self, week: int, name: str) -> _Open:
        key = (week, name)
        if key in self._open and self._open[key].n_images >= FILE_IMAGES:
            self._finish_one(key)
        if key not in self._open:
            self._open[key] = self._begin(week, name)
        self._open[key].n_images += 1
        return self._open[key]

    def _begin(self, week: int, name: str) -> _Open:
        folder, stem, ending = {
            _LABEL_STUDIO: (_LABEL_STUDIO, f"w{week + 1:02d}", "json"),
            EXPERT: ("gold", "gold", "json"),
        }.get(name, ("cvat", f"w{week + 1:02d}-{name}", "xml"))
        part = sum(p.stem.split(".")[0] == stem and p.parent.name == folder for p in self.paths)
        path = self.out / folder / (f"{stem}.{part + 1}.{ending}" if part else f"{stem}.{ending}")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.paths.append(path)
        file = path.open("w", encoding="utf-8", newline="\n")
        if ending == "xml":
            file.write(_job_head(week, name))
        return _Open(file)

    def _task(self, work: Work, rows: range, ends: np.ndarray, task: int, kind: str) -> None:
        image, week = int(work.image[rows.start]), int(work.week[rows.start])
        sink = self._sink(_NO_WEEK if kind == EXPERT else week, kind)
        name = asset_name(self.settings, image)
        annotations = ",".join(self._annotation(work, at, ends, task) for at in rows)
        n_skipped = int(work.is_skipped[rows.start : rows.stop].sum())
        created = text_of(START + timedelta(weeks=week))
        predictions = "[]" if image % 40 else f"[{900_000 + image}]"
        sink.file.write(
            ("[\n" if sink.n_images == 1 else ",\n")
            + f'{{"id":{task},"annotations":[{annotations}],"drafts":[],"predictions":{predictions},'
            f'"data":{{"image":"/data/local-files/?d={name}"}},"meta":{{}},"created_at":"{created}",'
            f'"updated_at":"{created}","inner_id":{task},"total_annotations":{len(rows) - n_skipped},'
            f'"cancelled_annotations":{n_skipped},"total_predictions":{0 if image % 40 else 1},'
            f'"comment_count":0,"project":{week + 1},"comment_authors":[]}}'
        )

    def _annotation(self, work: Work, at: int, ends: np.ndarray, task: int) -> str:
        self._n_annotations += 1
        person = int(work.annotator[at])
        is_gold = person == len(PEOPLE)
        name, crew = (EXPERT, "team") if is_gold else (PEOPLE[person], "crew-a")
        when = START + timedelta(seconds=float(work.at_s[at]))
        is_skipped = bool(work.is_skipped[at])
        regions = ",".join(self._regions(work, int(ends[at]), int(ends[at + 1])))
        unique = uuid.uuid5(uuid.NAMESPACE_OID, f"{self.settings.seed}/{task - 1}/{name}")
        return (
            f'{{"id":{self._n_annotations},"completed_by":{{"id":{person + 1},"email":"{name}@{crew}.example",'
            f'"first_name":"{name.title()}","last_name":""}},"result":[{regions}],'
            f'"was_cancelled":{str(is_skipped).lower()},"ground_truth":{str(is_gold).lower()},"created_at":"{text_of(when)}",'
            f'"updated_at":"{text_of(when)}","draft_created_at":null,"lead_time":{work.lead_time_s[at]:.3f},'
            f'"prediction":{{}},"result_count":{int(ends[at + 1] - ends[at])},"unique_id":"{unique}",'
            f'"import_id":null,"last_action":null,"bulk_created":false,"task":{task},'
            f'"project":{int(work.week[at]) + 1},"updated_by":{person + 1},"parent_prediction":null,'
            f'"parent_annotation":null,"last_created_by":null}}'
        )

    def _regions(self, work: Work, start: int, stop: int) -> Iterator[str]:
        names = (f"r{self._n_regions + 1 + at}" for at in range(stop - start))
        rows = slice(start, stop)
        yield from regions(
            self.settings, work.class_code[rows], work.occlusion[rows], work.box[rows], names
        )
        self._n_regions += stop - start

    def _cvat_image(self, work: Work, at: int, ends: np.ndarray) -> None:
        sink = self._sink(int(work.week[at]), PEOPLE[int(work.annotator[at])])
        rows = slice(int(ends[at]), int(ends[at + 1]))
        labels = (work.class_code[rows], work.occlusion[rows], work.box[rows])
        sink.file.write(cvat_image(self.settings, sink.n_images - 1, int(work.image[at]), *labels))


def regions(
    settings: WorldSettings,
    class_code: np.ndarray,
    occlusion: np.ndarray,
    box: np.ndarray,
    names: Iterable[str],
) -> Iterator[str]:
    """Return boxes as the regions of a Label Studio result, each by its name.

    Parameters
    ----------
    settings
        The world.
    class_code, occlusion
        ndarrays of int, shape (n,).
    box
        ndarray of float64, shape (n, 4), px.
    names
        Ids of the regions.
    """
    width, height = settings.width, settings.height
    share = np.round(box * 100 / [width, height, width, height], 6).tolist()
    size = f'"original_width":{width},"original_height":{height},"image_rotation":0'
    for name, code, hidden, sides in zip(
        names, class_code.tolist(), occlusion.tolist(), share, strict=False
    ):
        x0, y0, x1, y1 = sides
        yield (
            f'{{"id":"{name}","from_name":"label","to_name":"image","type":"rectanglelabels",'
            f'"origin":"manual",{size},"value":{{"x":{x0},"y":{y0},"width":{round(x1 - x0, 6)},'
            f'"height":{round(y1 - y0, 6)},"rotation":0,"rectanglelabels":["{CLASSES[code]}"]}}}}'
        )
        if code in _ASKED_OCCLUSION:
            yield (
                f'{{"id":"{name}","from_name":"occluded","to_name":"image","type":"choices",'
                f'"origin":"manual",{size},"value":{{"choices":["{OCCLUSIONS[hidden]}"]}}}}'
            )


def cvat_image(
    settings: WorldSettings,
    number: int,
    image: int,
    class_code: np.ndarray,
    occlusion: np.ndarray,
    box: np.ndarray,
) -> str:
    """Return an image of a CVAT job with its boxes.

    Parameters
    ----------
    settings
        The world.
    number
        Of the image in the job.
    image
        Its number in the world.
    class_code, occlusion
        ndarrays of int, shape (n,).
    box
        ndarray of float64, shape (n, 4), px.
    """
    lines = [
        f'  <image id="{number}" name="{asset_name(settings, image)}" width="{settings.width}" '
        f'height="{settings.height}">\n'
    ]
    for code, hidden, sides in zip(
        class_code.tolist(), occlusion.tolist(), np.round(box, 2).tolist(), strict=True
    ):
        x0, y0, x1, y1 = sides
        lines.append(
            f'    <box label="{CLASSES[code]}" source="manual" occluded="{int(hidden > 0)}" '
            f'xtl="{x0:.2f}" ytl="{y0:.2f}" xbr="{x1:.2f}" ybr="{y1:.2f}" z_order="0">\n'
        )
        if code in _ASKED_OCCLUSION:
            lines.append(f'      <attribute name="occluded">{OCCLUSIONS[hidden]}</attribute>\n')
        lines.append("    </box>\n")
    lines.append("  </image>\n")
    return "".join(lines)


def cvat_head(number: int, assignee: str, created: str, updated: str) -> str:
    """Return how the export of a CVAT job begins.

    Parameters
    ----------
    number
        Of the job.
    assignee
        Elements of who did it.
    created, updated
        Times, as CVAT writes them.
    """
    asked = (
        "<attribute><name>occluded</name><mutable>False</mutable><input_type>select</input_type>"
        "<default_value>none</default_value><values>none\npartially\nheavily</values></attribute>"
    )
    labels = "".join(
        f"<label><name>{class_}</name><color>#33ddff</color><type>rectangle</type>"
        f"<attributes>{asked if code in _ASKED_OCCLUSION else ''}</attributes></label>"
        for code, class_ in enumerate(CLASSES)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <job>'
        f"<id>{number}</id><size>0</size><mode>annotation</mode><overlap>0</overlap><bugtracker></bugtracker>"
        f"<created>{created}</created><updated>{updated}</updated><subset>default</subset>"
        f"<assignee>{assignee}</assignee>"
        f"<labels>{labels}</labels></job>\n    <dumped>{updated}</dumped>\n  </meta>\n"
    )


def text_of(moment: datetime) -> str:
    """Return a time as Label Studio writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _ends(work: Work) -> np.ndarray:
    found: np.ndarray = np.searchsorted(work.row, np.arange(len(work.image) + 1))
    return found


def _job_head(week: int, name: str) -> str:
    created, updated = (
        (START + timedelta(weeks=week, days=days)).isoformat(sep=" ") for days in (0, 5)
    )
    number = week * len(CVAT_CREW) + CVAT_CREW.index(name) + 1
    person = f"<username>{name}</username><email>{name}@crew-b.example</email>"
    return cvat_head(number, person, created, updated)
