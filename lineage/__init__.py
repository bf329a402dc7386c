"""The label ledger of a computer-vision team: who labelled what, under which guideline, in which batch.

The command line is `lineage.cli`; scripts call the same verbs::

    from pathlib import Path
    from lineage.activities.context import open_project
    from lineage.activities.ingest import ImportOptions, import_labels
    from lineage.activities.version import build, diff

    project = open_project(Path("."))
    report = import_labels(project, [Path("export.json")], "w01", options=ImportOptions(is_whole=True))

Map of the package, from the ground up:

``terms columns identity errors progress``
    The vocabulary: words, Arrow schemas, digests, failures.
``calc``
    Arrays in, arrays out: overlap, matching, liveness, differences, splits, rules.
``labelschema labelcheck schemainfer schemamap``
    The guideline as data.
``settings segments store vcs formats``
    One room for each outside system: settings files, the ledger's Parquet, SQL, Git and DVC, the tools' files.
``activities``
    The verbs. Each takes an open `lineage.activities.context.Project` and returns a frozen value.
``simulate``
    A world with planted faults.

``interchange``
    For training code: a loader over a version, and MLflow.

Training code needs three names, which are looked up when they are first used: `pin`, `dataset`, `collate`::

    import lineage

    pinned = lineage.pin("run-7", version="v1")
    data = lineage.dataset(pinned, split="train", images="data/images")

Nothing is imported here, so that ``lineage --help`` answers at once. ``docs/architecture.md`` says why the house is built so.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lineage.activities.runs_training import pin as pin
    from lineage.interchange.loader import collate as collate
    from lineage.interchange.loader import dataset as dataset

__version__ = "0.1.0"
__all__ = ["collate", "dataset", "pin"]

_HOMES = {
    "pin": "lineage.activities.runs_training",
    "dataset": "lineage.interchange.loader",
    "collate": "lineage.interchange.loader",
}


def __getattr__(name: str) -> object:
    """Return one of the three names for training code, imported now."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
