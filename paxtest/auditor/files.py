"""The traces that the nodes of a run left, as the auditor takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from paxtest.auditor.audit import Audit, audit
from paxtest.auditor.identities import Traces
from paxtest.auditor.slots import hashable, per_key
from paxtest.errors import StoreError
from paxtest.store import Run

_DECODER = msgspec.json.Decoder(list[Any])


def load(run: Run) -> Traces:
    """node -> its events, times in ns since the run began (where the run does not say when that
    was, since the first event). Raises StoreError where no node left a trace."""
    paths = run.traces()
    if not paths:
        raise StoreError(
            f"{run.path} holds no trace",
            "nodes of the bundled Paxos leave traces, unless the plan says system.options.trace:"
            " false",
        )
    return since_the_run_began(run, {node: events(path) for node, path in paths.items()})


def events(path: Path) -> list[list[Any]]:
    """The events of one file, [] where there is none. What was torn by the end of a life is left
    out; other damage ends the trace with an event `cut`. Raises OSError."""
    found = _lines(path) if path.exists() else []
    return [hashable(event) for event in found] if per_key(found) else found


def _lines(path: Path) -> list[list[Any]]:
    found: list[list[Any]] = []
    torn = False
    for line in path.read_bytes().splitlines():
        event = _event(line)
        if event is None:
            torn = True
            continue
        if torn and event[1] != "clock":  # no new life began behind it: events are missing
            return [*found, [found[-1][0] if found else event[0], "cut", 0]]
        torn = False
        found.append(event)
    return found


def _event(line: bytes) -> list[Any] | None:
    try:
        event = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if len(event) < 2 or type(event[0]) is not int or type(event[1]) is not str:
        return None
    return event


def since_the_run_began(run: Run, traces: Traces) -> Traces:
    """Shift times of CLOCK_MONOTONIC to the run's own (in place)."""
    boot, start_ns = run.load_clock()
    known = {event[2] for found in traces.values() for event in found if event[1] == "clock"}
    if not known:  # virtual time
        return traces
    firsts = {node: found[0][0] for node, found in traces.items() if found}
    for node, found in traces.items():
        base = firsts.get(node, 0)
        if len(known) == 1:
            base = start_ns if boot in known else min(firsts.values())
        for event in found:
            event[0] -= base
    return traces


def audit_run(run: Run) -> tuple[Audit, Traces]:
    """Audit the traces of a run. Raises StoreError where there is none, or where one holds what
    no node of this version writes."""
    traces = load(run)
    try:
        return audit(traces), traces
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise StoreError(
            f"the traces of {run.path} cannot be understood: {type(error).__name__}: {error}",
            "were they written by another version of paxtest, or changed since?",
        ) from error
