"""paxtest chosen: one slot of a run as a learner sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from paxtest.auditor.proposals import Proposal

KEYS_SHOWN = 10
COMMANDS_SHOWN = 8


def chosen(
    run: Annotated[Path, typer.Argument(help="A run directory, such as store/latest.")] = Path(
        "store/latest"
    ),
    slot: Annotated[
        int, typer.Option(help="The slot of the log; with --key, the version.", min=1)
    ] = 1,
    key: Annotated[
        str, typer.Option(help="Whose log, where every key has one (engine perkey).")
    ] = "",
) -> None:
    """Show who accepted which proposal in a slot, and what is chosen by that: counted by proposal
    (ballot and value), never by value.

    Exit codes: 0 one value is chosen, 1 more than one, 2 none as far as the traces tell, 254 the
    run has no traces, or none of that slot.
    """
    from paxtest import store
    from paxtest.auditor.files import load
    from paxtest.auditor.proposals import proposals, sentences, slots
    from paxtest.errors import UsageError
    from paxtest.verdict import EXIT_CODES, Verdict

    directory = store.find(run)
    traces = load(directory)
    found = proposals(traces, (key, slot) if key else slot)
    if not found:
        raise UsageError(
            f"{f'--key {key} ' if key else ''}--slot {slot}: the traces of {directory.path} have no"
            " proposal in it",
            _known(slots(traces), key),
        )
    for proposal in found:
        _tell(proposal)
    for sentence in sentences(found):
        typer.echo(sentence)
    values = {p.value for p in found if p.chosen_ns is not None}
    verdicts = {0: Verdict.UNKNOWN, 1: Verdict.VALID}
    raise typer.Exit(EXIT_CODES[verdicts.get(len(values), Verdict.INVALID)])


def _known(slots: dict[str, tuple[int, int]], key: str) -> str:
    """What could have been asked for."""
    if key in slots:
        first, last = slots[key]
        return f"they have slots {first} to {last}"
    if not slots:
        return "they have none at all"
    if "" in slots:
        return "the nodes have one log for all keys: leave --key out"
    return f"every key has a log of its own: --key {', '.join(sorted(slots)[:KEYS_SHOWN])}"


def _tell(proposal: Proposal) -> None:
    from paxtest.auditor.lemma import ballot_text

    typer.echo(
        f"ballot {ballot_text(proposal.ballot)}  value {proposal.value}"
        f"  first seen at {proposal.proposed_by}"
    )
    accepted = sorted(proposal.accepted.items(), key=lambda item: item[1])
    said = ", ".join(f"{node} ({at / 1e9:.4f} s)" for node, at in accepted) or "nobody"
    typer.echo(f"  accepted by {said}; a quorum is {proposal.quorum}")
    if proposal.chosen_ns is not None:
        typer.echo(f"  CHOSEN at {proposal.chosen_ns / 1e9:.4f} s")
    if proposal.commands:
        names = [f"{origin}.{life}#{seq}" for origin, life, seq in proposal.commands]
        more = len(names) - COMMANDS_SHOWN
        listed = ", ".join(names[:COMMANDS_SHOWN])
        typer.echo(f"  commands {listed}" + (f" and {more} more" if more > 0 else ""))
