"""paxtest audit: hold the traces of a run against the lemmas of the proof of Paxos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from paxtest.auditor import Audit
    from paxtest.store import Run


def audit(
    run: Annotated[Path, typer.Argument(help="A run directory, such as store/latest.")] = Path(
        "store/latest"
    ),
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Hold what the nodes of the bundled Paxos did against the lemmas of its proof, and name the
    earliest that fails.

    Exit codes: 0 no lemma fails, 1 one fails, 2 none fails in what there is, but traces or parts
    of them are missing, 254 the run has no traces.
    """
    from paxtest import store
    from paxtest.auditor.files import audit_run
    from paxtest.auditor.told import tell

    directory = store.find(run)
    found, traces = audit_run(directory)
    linearizable = _linearizable(directory)
    if json_:
        import msgspec

        typer.echo(msgspec.json.encode(tell(found, linearizable)))
    else:
        _tell(found, sorted(traces), linearizable)
    raise typer.Exit(exit_code(found))


def exit_code(found: Audit) -> int:
    """A failure is a failure, whatever else is missing."""
    from paxtest.verdict import EXIT_CODES, Verdict

    if found.failed:
        return EXIT_CODES[Verdict.INVALID]
    return EXIT_CODES[Verdict.UNKNOWN if found.incomplete else Verdict.VALID]


def _linearizable(directory: Run) -> bool | None:
    """What the run's own check said; None where it was not checked."""
    from paxtest.checkers.linearizable import Linearizable
    from paxtest.verdict import Verdict

    if not directory.results.exists():
        return None
    known = {Verdict.VALID: True, Verdict.INVALID: False}
    checks = directory.load_results().checks
    return next((known.get(c.verdict) for c in checks if c.name == Linearizable.name), None)


def _tell(found: Audit, nodes: list[str], linearizable: bool | None) -> None:
    from paxtest.auditor import LEMMAS

    for sentence in found.sentences(linearizable):
        typer.echo(sentence)
    typer.echo("")
    for lemma, statement in LEMMAS.items():
        status, why = found.status(lemma)
        typer.echo(f"{lemma:<4} {status:<11}  {statement}")
        first = found.first(lemma)
        if first is not None:
            more = found.counts[lemma] - 1
            also = f" (and {more:,} more)" if more else ""
            typer.echo(f"{'':<18}at {first.time_ns / 1e9:.4f} s: {first.text}{also}")
        elif why:
            typer.echo(f"{'':<18}{why}")
    typer.echo(f"\n{found.events:,} events of {', '.join(nodes)}")
