"""``audit``: is everything as the record says, and the proof that a label is on it."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineage.cli import report
from lineage.cli.session import Session, session_of

if TYPE_CHECKING:
    from lineage.activities.audit import AuditReport
    from lineage.activities.findings import Finding

_WIDTH = 100
_WORDS = {
    "segments": "segment file",
    "revisions": "revision",
    "versions": "version",
    "dataset_files": "dataset file",
    "schemas": "label schema",
    "runs": "pinned run",
    "rows": "row/of the store",
    "rebuilt": "version/rebuilt",
    "objects": "object/of DVC's",
    "workspace_files": "tracked file",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("audit")(audit)


def audit(
    ctx: typer.Context,
    versions: Annotated[
        list[str] | None, typer.Argument(metavar="[VERSION]...", help="Only these; all by default.")
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Compare every row, rebuild versions, hash DVC's cache.")
    ] = False,
    prove: Annotated[
        int | None, typer.Option(metavar="ANNOTATION", help="Write the proof of one label instead.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the document here, without times.")
    ] = None,
) -> None:
    """Check that ledger, store, versions, schemas and runs are as the record says; nothing is changed."""
    session = session_of(ctx)
    if prove is not None:
        _prove(session, prove, out)
        return
    from lineage.activities import audit as audits

    start = time.monotonic()
    done = audits.audit(session.locate(), deep=deep, versions=versions or ())
    seconds = time.monotonic() - start
    document = {name: value for name, value in report.fields(done).items() if name != "notes"}
    document = {"ok": done.ok, **document}
    if out is not None:
        _write(out, document)
    if session.as_json:
        report.print_json({**document, "notes": done.notes})
    else:
        _tell(done, seconds, quiet=session.quiet)
    if not done.ok:
        raise typer.Exit(1)


def _tell(done: AuditReport, seconds: float, *, quiet: bool) -> None:
    counted = ", ".join(
        _counted(n, _WORDS.get(name, name)) for name, n in done.checked.items() if n
    )
    how = "deep" if done.deep else "bytes, roots and registries; --deep compares every row"
    for line in textwrap.wrap(f"checked {counted or 'nothing'} in {seconds:.1f} s ({how})", _WIDTH):
        report.line(line)
    for finding in done.findings:
        report.line()
        _show(finding)
    if not quiet:
        for note in done.notes:
            report.line(f"note: {note}")
    report.line()
    if done.ok:
        report.line("everything is as the record says")
    else:
        kinds = len({finding.kind for finding in done.findings})
        report.line(
            f"{len(done.findings):,} findings of {kinds} kinds: docs/trust.md explains each"
        )


def _counted(n: int, what: str) -> str:
    """Return a number of things; what follows the thing's own name stands after a slash."""
    thing, _, more = what.partition("/")
    return f"{n:,} {thing}{'' if n == 1 else 's'}" + (f" {more}" if more else "")


def _show(finding: Finding) -> None:
    label = "" if finding.annotation is None else f", label {finding.annotation}"
    more = "" if finding.n == 1 else f" ({finding.n:,})"
    report.line(f"{finding.kind}{label}{more}")
    rows = {"in": finding.where, "expected": finding.expected, "found": finding.found}
    for name, told in {**rows, "help": finding.cure}.items():
        lines = textwrap.wrap(told, _WIDTH - 12, break_on_hyphens=False) or ["-"]
        for at, line in enumerate(lines):
            report.line(f"  {name if at == 0 else '':<10}{line}")


def _prove(session: Session, annotation: int, out: Path | None) -> None:
    from lineage.activities.prove import prove

    proof = prove(session.locate(), annotation)
    if out is None:
        report.print_json(proof)
        return
    _write(out, proof)
    if session.as_json:
        report.print_json(proof)
    else:
        report.line(f"wrote {out}; check it with: python docs/verify_proof.py {out}")


def _write(path: Path, document: object) -> None:
    from lineage.activities.dataset import pretty

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pretty(report.fields(document)))
