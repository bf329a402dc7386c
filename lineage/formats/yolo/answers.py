"""What a folder says of its images: facts, who answered, how far each is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from lineage import columns
from lineage.formats.completeness import States
from lineage.formats.yolo.aside import Reported
from lineage.formats.yolo.images import Known
from lineage.terms import Completeness, Presence

_UNFINISHED = (Completeness.NOT_STARTED, Completeness.SKIPPED, Completeness.IN_PROGRESS)


@dataclass(slots=True)
class Answers:
    """Rows about images while a chunk is read.

    Parameters
    ----------
    reported
        What our own side file says of completeness; it holds where the label file bears it out.
    fallback
        Who looked at images without a label, None where nobody says.
    losses
        Where is counted what is left over.
    """

    reported: Reported
    fallback: str | None
    losses: Counter[str]
    _assets: list[Known] = field(default_factory=list)
    _roster: list[tuple[str, str | None, str]] = field(default_factory=list)
    _states: States = field(default_factory=States)

    def add_empty(self, image: Known) -> None:
        """Add an image whose label file is there and holds nothing: somebody looked."""
        if not image.is_named:
            self.losses["empty-file-of-unknown-image"] += 1
            return
        self._assets.append(image)
        self._roster.append((image.name, self.fallback, Presence.EMPTY.value))
        self._state(image.name, Completeness.COMPLETE_EMPTY, (Completeness.COMPLETE_EMPTY,))

    def add_labelled(self, image: Known, people: Sequence[str | None], *, is_refused: bool) -> None:
        """Add an image whose label file holds rows.

        Parameters
        ----------
        image
            The image.
        people
            Who made its labels; nobody where they are a model's, or none could be read.
        is_refused
            A row of it was: then not all that the file says is on record.
        """
        if not image.is_named:
            return
        self._assets.append(image)
        self._roster += [(image.name, person, Presence.LABELLED.value) for person in people]
        if is_refused:
            self._states.add(image.name, Completeness.IN_PROGRESS)
        else:
            told = (Completeness.COMPLETE, *_UNFINISHED)
            self._state(image.name, Completeness.COMPLETE if people else None, told)

    def add_bare(self, image: Known, *, is_unlisted: bool = False) -> None:
        """Add an image without a label file: it is no negative; ``is_unlisted`` of `Listing`."""
        if not image.is_named:
            self.losses["image-name"] += 1
            return
        self._assets.append(image)
        default = None if is_unlisted else Completeness.NOT_STARTED
        self._state(image.name, default, _UNFINISHED)

    def _state(
        self, name: str, derived: Completeness | None, borne_out: tuple[Completeness, ...]
    ) -> None:
        rows = self.reported.of(name)
        fitting = [row for row in rows if row[0] is not None or row[1] in borne_out]
        self.losses["completeness-stale"] += len(rows) - len(fitting)
        for class_, state, reason in fitting:
            self._states.add(name, state, reason=reason, class_=class_)
        if derived is not None and not fitting:
            self._states.add(name, derived)

    def take(self) -> tuple[pa.RecordBatch, pa.RecordBatch, pa.RecordBatch]:
        """Return assets, roster and completeness so far, and start anew."""
        assets = {
            name: [getattr(image, name) for image in self._assets]
            for name in ("name", "uri", "width", "height", "digest")
        }
        roster = {
            name: [row[at] for row in self._roster]
            for at, name in enumerate(("asset", "annotator", "presence"))
        }
        taken = (
            columns.batch_of(columns.ASSETS, assets, len(self._assets)),
            columns.batch_of(columns.ROSTER, roster, len(self._roster)),
            self._states.take(),
        )
        self._assets, self._roster = [], []
        return taken
