"""A pin in MLflow: the dataset of an MLflow run, by our digest, through MLflow's own dataset API.

MLflow's own digest of a table is 32 bits over the first 10,000 rows and sees no labels, so it is never asked for.
Its field holds 36 characters: ours is cut to that, and stands in full in a tag.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from lineage.errors import NotFound

try:
    from mlflow.data.dataset import Dataset
    from mlflow.data.dataset_source import DatasetSource
    from mlflow.entities import DatasetInput, InputTag, Param, RunTag
    from mlflow.tracking import MlflowClient
except ImportError as exc:
    raise NotFound(
        "extra-missing", f"no mlflow here: {exc}", hint="pip install 'lineage[mlflow]'"
    ) from exc

if TYPE_CHECKING:
    from lineage.activities.runs_training import Pinned

DIGEST_CHARACTERS = 36
_PREFIX = "lineage."


class LedgerSource(DatasetSource):
    """Where a dataset version comes from: a place in a ledger.

    Parameters
    ----------
    facts
        ``version``, ``digest``, ``seq``, ``log_root`` and ``checkpoint``, as the pin has them.
    """

    def __init__(self, facts: Mapping[str, object]) -> None:
        self._facts = dict(facts)

    @staticmethod
    def _get_source_type() -> str:
        return "lineage"

    def load(self) -> str:
        """Say how the files come back: they are DVC's to fetch."""
        return f"git checkout the commit of version {self._facts['version']}, then: dvc pull"

    @staticmethod
    def _can_resolve(raw_source: object) -> bool:
        return False

    @classmethod
    def _resolve(cls, raw_source: object) -> LedgerSource:
        raise NotFound("no-version", f"{raw_source!r} names no dataset version of a ledger")

    def to_dict(self) -> dict[str, object]:
        """Return the facts."""
        return dict(self._facts)

    @classmethod
    def from_dict(cls, source_dict: Mapping[str, object]) -> LedgerSource:
        """Return the source that `to_dict` described."""
        return cls(source_dict)


class PinnedDataset(Dataset):
    """A pinned dataset version as MLflow knows datasets.

    Parameters
    ----------
    pinned
        What `lineage.pin` returned.
    """

    def __init__(self, pinned: Pinned) -> None:
        self._pin = dict(pinned.document)
        names = ("version", "digest", "seq", "log_root", "checkpoint")
        source = LedgerSource({name: self._pin[name] for name in names})
        # of a part of a version, the digest of the part: that is what the run sees
        self._whole = str(self._told["digest"])
        name = f"lineage {self._pin['version']}"
        super().__init__(source=source, name=name, digest=self._whole[:DIGEST_CHARACTERS])

    @property
    def _told(self) -> Mapping[str, object]:
        return cast(Mapping[str, object], self._pin["subset"] or self._pin)

    def _compute_digest(self) -> str:
        return self._whole[:DIGEST_CHARACTERS]

    @property
    def profile(self) -> dict[str, object]:
        """How much it is: ``n_annotations`` and ``n_assets``, and the subset's words."""
        subset = cast(Mapping[str, object] | None, self._pin["subset"])
        told = {name: self._told[name] for name in ("n_annotations", "n_assets")}
        return told if subset is None else {**told, "subset": subset["where"]}

    @property
    def schema(self) -> None:
        """None: MLflow's schemas have no word for labels."""
        return None

    def to_dict(self) -> dict[str, str]:
        """Return what MLflow keeps."""
        return {**super().to_dict(), "profile": json.dumps(self.profile)}


def log_pin(pinned: Pinned, run_id: str, *, client: MlflowClient | None = None) -> PinnedDataset:
    """Log a pin as the dataset of an MLflow run, with its full digests as tags.

    Parameters
    ----------
    pinned
        What `lineage.pin` returned.
    run_id
        The MLflow run: ``mlflow.active_run().info.run_id``.
    client
        Of the tracking server; that of the present settings by default.

    Returns
    -------
    PinnedDataset
        What was logged.

    Notes
    -----
    Tags ``lineage.run``, ``.version``, ``.digest``, ``.pin``, ``.seq``, ``.log_root``, ``.subset`` and
    ``.subset_digest``; the version is a parameter too, so that runs can be compared by it.
    """
    found = PinnedDataset(pinned)
    tracking = client or MlflowClient()
    context = [InputTag("mlflow.data.context", "training")]
    tracking.log_inputs(run_id, [DatasetInput(found._to_mlflow_entity(), context)])
    names = ("run", "version", "digest", "pin", "seq", "log_root")
    told = {name: pinned.document[name] for name in names}
    subset = cast(Mapping[str, object] | None, pinned.document["subset"])
    if subset is not None:
        words = cast(Sequence[str], subset["where"])
        told |= {"subset": " or ".join(words), "subset_digest": subset["digest"]}
    tracking.log_batch(
        run_id,
        params=[Param(f"{_PREFIX}version", str(pinned.version))],
        tags=[RunTag(f"{_PREFIX}{name}", str(value)) for name, value in told.items()],
    )
    return found
