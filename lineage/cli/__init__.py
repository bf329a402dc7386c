"""The command line: words in, values out, and the only place that prints, exits, or reads the environment.

One file for each noun; `report` turns values into tables or into the one JSON
document that ``--json`` promises (``docs/json.md``). Nothing heavy is imported
before a command needs it: ``lineage --help`` answers at once. Start reading at `main`.
"""

from __future__ import annotations

import errno
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lineage import __version__
from lineage.cli import (
    assets,
    audit,
    batch,
    consensus,
    dispute,
    drift,
    erase,
    gold,
    isolate,
    key,
    labels,
    measure,
    pages,
    project,
    quality,
    rare,
    recompute,
    review,
    run,
    schema,
    store,
    subset,
    trace,
    version,
    world,
)
from lineage.cli.session import Session
from lineage.errors import LineageError, StoreFault

_GLOBAL_FLAGS = ("--json", "--quiet", "--pseudonyms")

app = typer.Typer(
    name="lineage",
    help="The label ledger of a computer-vision team: who labelled what, under which guideline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    project,
    audit,
    schema,
    batch,
    labels,
    assets,
    trace,
    quality,
    rare,
    consensus,
    dispute,
    drift,
    erase,
    store,
    gold,
    key,
    measure,
    pages,
    review,
    version,
    recompute,
    subset,
    run,
    isolate,
    world,
):
    module.register(app)


def _show_release(is_asked: bool) -> None:
    if is_asked:
        print(f"lineage {__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    directory: Annotated[Path, typer.Option("-C", help="Work in this directory.")] = Path("."),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no notes.")] = False,
    pseudonyms: Annotated[
        bool, typer.Option("--pseudonyms", help="Show people by pseudonym.")
    ] = False,
    release: Annotated[
        bool,
        typer.Option("--version", callback=_show_release, is_eager=True, help="Print the release."),
    ] = False,
) -> None:
    """Keep what holds for every command."""
    ctx.obj = Session(directory, as_json, quiet, pseudonyms)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 a check failed, 2 usage, 3 refused."""
    # a process of one command makes many short-lived rows and few cycles: at the usual threshold
    # the collector takes a fifth of an import (benchmarks/import_coco.py)
    gc.set_threshold(1_000_000, 20, 100)
    words = _hoisted(list(sys.argv[1:] if argv is None else argv))
    as_json = "--json" in words
    try:
        code = typer.main.get_command(app).main(
            args=words, prog_name="lineage", standalone_mode=False
        )
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except LineageError as exc:
        return _fail(exc, as_json=as_json)
    except KeyboardInterrupt:
        stop = LineageError(
            "interrupted", "interrupted; nothing was recorded of what was under way"
        )
        return _fail(stop, as_json=as_json)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as exc:
        hint = "nothing was recorded"
        fault = (
            StoreFault("disk-full", f"no room left: {exc}", hint=f"free space; {hint}")
            if exc.errno in (errno.ENOSPC, errno.EDQUOT)
            else StoreFault("disk-fault", str(exc), hint=hint)
        )
        return _fail(fault, as_json=as_json)
    except typer.Exit as exc:
        return exc.exit_code
    except Exception as exc:
        return _usage(exc, as_json=as_json)


def _hoisted(words: list[str]) -> list[str]:
    """Let flags that hold for every command stand anywhere before ``--``."""
    end = words.index("--") if "--" in words else len(words)
    flags = [word for word in words[:end] if word in _GLOBAL_FLAGS]
    return [*flags, *(word for word in words[:end] if word not in _GLOBAL_FLAGS), *words[end:]]


def _usage(exc: Exception, *, as_json: bool) -> int:
    shows_usage = getattr(exc, "format_message", None)
    if shows_usage is None:
        if type(exc).__name__ == "Abort":
            return 3
        raise exc
    ctx = getattr(exc, "ctx", None)
    hint = f"{ctx.command_path} --help" if ctx is not None else "lineage --help"
    message = shows_usage()
    if not message:
        return int(getattr(exc, "exit_code", 0))
    error = LineageError("usage", message[:1].lower() + message[1:].rstrip("."), hint=hint)
    _fail(error, as_json=as_json)
    return 2


def _fail(error: LineageError, *, as_json: bool) -> int:
    from lineage.cli import report

    report.failure(error, as_json=as_json)
    return error.exit_code
