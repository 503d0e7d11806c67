"""Simulated runs of the reference Paxos, judged by the native core."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from paxtest.auditor import audit
from paxtest.checkers.linearizable import Linearizable
from paxtest.checkers.protocol import Evidence
from paxtest.cluster.paxos_server.simulator.simulation import Options, Result, run_seed
from paxtest.simulated_load import MODELS, WorkloadLoad
from paxtest.store import TRACE, Run
from paxtest.verdict import Verdict

AHEAD = 64  # seeds handed to other processes beyond the one that is waited for


@dataclass(frozen=True)
class Judgement:
    """What is to be said of one seed. `problems` is empty exactly when the verdict is valid.

    `by`: the checks that found it invalid. `counterexample`: operations in it, 0 without one.
    `first_violation_s`: virtual time at which the history became impossible. `lemma`: the
    earliest that the auditor saw fail, "" for none.
    """

    seed: int
    verdict: Verdict
    problems: tuple[str, ...]
    ok: int
    fail: int
    info: int
    virtual_s: float
    faults: int
    by: tuple[str, ...] = ()
    counterexample: int = 0
    first_violation_s: float | None = None
    lemma: str = ""


def judge(result: Result, time_budget_s: float = 30.0) -> Judgement:
    """Is the history linearizable, are the nodes of one mind in the end, did none crash, and
    does every lemma of the proof hold over what they did?"""
    with tempfile.TemporaryDirectory(prefix="paxtest-simulate-") as directory:
        path = Path(directory) / "history.jsonl"
        save(result, path)
        checked = Linearizable(MODELS[result.workload]).check(
            Evidence(history=path, time_budget_s=time_budget_s)
        )
    problems, by = [], []
    verdict = checked.verdict
    if verdict is Verdict.INVALID:
        by.append(checked.name)
    if verdict is not Verdict.VALID:
        problems.append(checked.explanation or f"the history is {verdict}")
    if result.divergence:
        verdict = Verdict.INVALID
        problems.append(result.divergence)
        by.append("divergence")
    if result.crashes:
        verdict = Verdict.INVALID
        problems += result.crashes[:3]
        by.append("crash")
    audited = audit(result.traces)
    if audited.failed:
        linearizable = {Verdict.VALID: True, Verdict.INVALID: False}.get(checked.verdict)
        verdict = Verdict.INVALID
        problems += audited.sentences(linearizable)
        by.append("audit")
    first_ns = checked.first_violation_ns
    return Judgement(
        result.seed,
        verdict,
        tuple(problems),
        result.ok,
        result.fail,
        result.info,
        result.virtual_s,
        len(result.faults),
        by=tuple(by),
        counterexample=len(checked.counterexample),
        first_violation_s=None if first_ns is None else first_ns / 1e9,
        lemma=audited.earliest.lemma if audited.earliest else "",
    )


def save(result: Result, path: Path) -> None:
    """Write the history where `paxtest check` can read it."""
    path.write_bytes(b"".join(line + b"\n" for line in result.history))


def run(seed: int, options: Options) -> Result:
    """One seed, with the load of a paxtest workload."""
    load = partial(WorkloadLoad, operations=options.operations)
    return run_seed(seed, options, load)


def keep(result: Result, directory: Path) -> None:
    """Write the history and the traces into a directory that `paxtest check` and `paxtest audit`
    read like a run."""
    directory.mkdir(parents=True, exist_ok=True)
    run = Run(directory)
    save(result, run.history)
    for node, events in result.traces.items():
        if events:
            path = run.nodes / node / TRACE
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(msgspec.json.Encoder().encode_lines(events))


def run_and_judge(seed: int, options: Options) -> Judgement:
    """One seed, from nothing to verdict."""
    # A seed makes many small objects and no cycles to speak of: collecting them in between takes
    # as long as the protocol.
    collects = gc.isenabled()
    gc.disable()
    try:
        return judge(run(seed, options))
    finally:
        if collects:
            gc.enable()


def judgements(seeds: Iterable[int], options: Options, jobs: int = 1) -> Iterator[Judgement]:
    """Judge seeds one after the other; with `jobs` > 1 in that many processes, same order."""
    if jobs <= 1:
        for seed in seeds:
            yield run_and_judge(seed, options)
        return
    remaining = iter(seeds)
    with ProcessPoolExecutor(jobs) as pool:
        waiting = [pool.submit(run_and_judge, s, options) for s in islice(remaining, AHEAD)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(run_and_judge, s, options) for s in islice(remaining, 1)]
        finally:
            for future in waiting:
                future.cancel()
