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

Nothing is imported here, so that ``lineage --help`` answers at once. ``docs/architecture.md`` says why the house is built so.
"""

__version__ = "0.1.0"
