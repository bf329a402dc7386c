"""``lineage key ...``: the keys that sign checkpoints."""

from __future__ import annotations

from typing import Annotated

import typer

from lineage.cli import report
from lineage.cli.session import session_of

_key = typer.Typer(help="Keys that sign checkpoints: create, sign, show.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_key, name="key")


@_key.command("create")
def create(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Option(help="Of the key; the log's name by default.")] = None,
) -> None:
    """Make a key for this machine, name it in the settings, and sign the checkpoint."""
    from lineage.activities import keys

    session = session_of(ctx)
    made = keys.create(session.open(), name=name)
    if session.as_json:
        report.print_json(made)
        return
    report.line(
        f"private key  {made.path} (stays on this machine; keep a copy where you keep such)"
    )
    report.line(f"public key   {made.verifier}")
    report.line(
        "signed       "
        + ("ledger/checkpoint" if made.is_signed else "nothing yet: there is no checkpoint")
    )
    report.line("next: commit .lineage/config.toml and ledger/checkpoint")


@_key.command("sign")
def sign(ctx: typer.Context) -> None:
    """Sign the checkpoint that stands; look at `lineage audit` first."""
    from lineage.activities import keys

    session = session_of(ctx)
    is_new = keys.sign(session.open())
    if session.as_json:
        report.print_json({"is_signed": is_new})
        return
    report.line("signed ledger/checkpoint" if is_new else "nothing to sign: the signature is there")


@_key.command("show")
def show(ctx: typer.Context) -> None:
    """List the public keys, and which of them signed the checkpoint."""
    from lineage.activities import keys

    session = session_of(ctx)
    found = keys.show(session.locate())
    if session.as_json:
        report.print_json(found)
        return
    if not found.keys and found.signing_key is None:
        report.line("no keys: lineage key create")
        return
    for key in found.keys:
        told = ["signs here"] if key.signs_here else []
        told.append("signed the checkpoint" if key.has_signed else "not on the checkpoint")
        report.line(f"{key.verifier}   {', '.join(told)}")
    if found.signing_key is not None and not found.is_here:
        report.line(f"{found.signing_key} is not on this machine: nothing can be recorded here")
    if found.n_invalid or found.n_unknown:
        report.line(
            f"on the checkpoint besides: {found.n_invalid} that do not hold, "
            f"{found.n_unknown} of keys that are not listed"
        )
