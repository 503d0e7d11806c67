"""The command line: `paxtest COMMAND`. Exit codes are given out here and nowhere else."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer
from typer.exceptions import TyperException

from paxtest._version import __version__
from paxtest.errors import PaxtestError, UsageError
from paxtest.verdict import EXIT_CRASH, EXIT_USAGE

_INTERRUPTED = 130  # what typer makes of Ctrl-C

app = typer.Typer(
    name="paxtest",
    help="Jepsen-style black-box linearizability tester for deployed clusters.",
    epilog="Exit codes: 0 valid, 1 invalid, 2 unknown or vacuous, 254 usage or plan error, "
    "255 paxtest or its environment failed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"paxtest {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


# Commands import what they need when they run: `paxtest check` must not wait for Docker or Bokeh.
def _register() -> None:
    from paxtest.commands import (
        audit,
        check,
        chosen,
        cluster,
        doctor,
        heal,
        listing,
        report,
        run,
        serve,
        simulate,
        zoo,
    )

    app.command("run")(run.run)
    app.command("check")(check.check)
    app.command("audit")(audit.audit)
    app.command("chosen")(chosen.chosen)
    app.command("report")(report.report)
    app.command("serve")(serve.serve)
    app.command("simulate")(simulate.simulate)
    app.command("zoo")(zoo.zoo)
    app.command("heal")(heal.heal)
    app.command("list")(listing.list_)
    app.command("doctor")(doctor.doctor)
    app.add_typer(cluster.app, name="cluster")


_register()


def main() -> None:
    """Run the command line and exit with the documented codes.

    typer and click use 2 for usage errors and 1 for aborts; both mean something else here.
    """
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        show = getattr(error, "show", None)  # usage line, hint and message, where it has them
        if show is not None:
            show()
        else:
            print(f"Error: {error.message}", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    except typer.Abort:
        print("aborted", file=sys.stderr)
        sys.exit(EXIT_CRASH)
    except PaxtestError as error:
        kind = "" if isinstance(error, UsageError) else "failed: "
        print(f"paxtest: {kind}{error.message}", file=sys.stderr)
        if error.hint:
            print(f"  hint: {error.hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone (`| head`); nothing went wrong
        sys.exit(0)
    except Exception:
        traceback.print_exc()
        print(
            "paxtest crashed; this is a bug of paxtest. The lines above are what its developers "
            "need; no verdict was reached.",
            file=sys.stderr,
        )
        sys.exit(EXIT_CRASH)
    if code == _INTERRUPTED:
        print("interrupted", file=sys.stderr)
        code = EXIT_CRASH
    sys.exit(code if isinstance(code, int) else 0)
