"""Synthetic run directories: what a run leaves in the store, made in milliseconds.

`build(path, kind)` writes one. Kinds: valid, invalid, unknown, vacuous. The history of an
`invalid` run really holds the violation that its counterexample tells of.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import yaml

from paxtest.nemesis.record import FaultEvent
from paxtest.operation import Op, Type, encode
from paxtest.verdict import (
    EXIT_CODES,
    CheckResult,
    Counts,
    FaultCounts,
    Operation,
    Phase,
    RunResult,
    Verdict,
)

NODES = ("n1", "n2", "n3", "n4", "n5")
FAULTS = (
    ("partition", "isolate-leader", ["n1"], "n2 cannot reach n1:7000, n1 cannot reach n3:7000"),
    ("kill", "kill-minority", ["n2", "n4"], "pid 311 of n2 is gone; pid 298 of n4 is gone"),
    ("pause", "pause-leader", ["n3"], "state of pid 402 on n3 is T"),
    ("clock", "clock-jump", ["n5"], "clock of n5 is 12.3 s ahead"),
)
Millisecond = 1_000_000


def build(
    run_dir: Path,
    kind: str = "valid",
    *,
    operations: int = 2_000,
    seconds: float = 60.0,
    seed: int = 7,
    values: Any = None,
    name: str = "paxos-register",
) -> Path:
    """Write a run directory. `values` (a list) stands in for written values and error texts."""
    rng = random.Random(seed)
    run_dir.mkdir(parents=True)
    verdict = Verdict(kind)
    faults = [] if kind == "vacuous" else _faults(seconds)
    if kind == "vacuous":
        faults = [
            msgspec.structs.replace(e, effective=False, evidence="n1 still reaches every peer")
            if e.event == "probe"
            else e
            for e in _faults(seconds)[:10]
        ]
    down = [
        (e.time_ns, h.time_ns)
        for e in faults
        for h in faults
        if e.event == "injected" and h.event == "healed" and h.id == e.id
    ]
    ops, counts = _history(rng, operations, seconds, down if kind != "vacuous" else [], values)
    counterexample: list[Operation] = []
    if kind == "invalid":
        counterexample = _violation(ops, seconds, values)
    events = sorted(ops, key=lambda op: op.time_ns)
    with (run_dir / "history.jsonl").open("wb") as journal:
        for index, op in enumerate(events):
            journal.write(encode(msgspec.structs.replace(op, index=index)) + b"\n")
    with (run_dir / "faults.jsonl").open("wb") as journal:
        for event in faults:
            journal.write(msgspec.json.encode(event) + b"\n")
    effective: dict[str, int] = {}
    for event in faults:
        if event.event == "probe" and event.effective:
            effective[event.kind] = effective.get(event.kind, 0) + 1
    result = _result(verdict, counts, effective, len(faults) // 5, counterexample, seed)
    (run_dir / "results.json").write_bytes(msgspec.json.encode(result))
    (run_dir / "plan.yaml").write_text(yaml.safe_dump(_plan(name, seed, seconds), sort_keys=False))
    (run_dir / "paxtest.log").write_text("run began\n")
    for node in NODES:
        (run_dir / "nodes" / node).mkdir(parents=True)
        (run_dir / "nodes" / node / "paxos.log").write_text(f"{node}: elected, ballot 3.{node}\n")
    return run_dir


def _plan(name: str, seed: int, seconds: float) -> dict[str, Any]:
    return {
        "name": name,
        "seed": seed,
        "system": {"name": "paxos", "options": {"engine": "multi", "bug": None}},
        "workload": {"name": "register", "keys": 20, "ops_per_key": 200},
        "nemesis": {"kinds": ["partition", "kill", "pause", "clock"], "interval_s": 5},
        "cluster": {"name": "docker", "nodes": 5, "image": "sha256:5b1f0c9e2c6d"},
        "concurrency": "2n",
        "time_limit_s": seconds,
        "versions": {"paxtest": "0.1.0", "python": "3.11.2", "docker": "27.3", "kernel": "6.1"},
        "repeat": "paxtest run --system paxos --workload register "
        f"--nemesis partition,kill,pause,clock --time-limit {seconds:.0f} --seed {seed}",
    }


def _faults(seconds: float) -> list[FaultEvent]:
    events: list[FaultEvent] = []
    start, number = 5.0, 0
    while start + 5 < seconds - 8:
        kind, name, nodes, evidence = FAULTS[number % len(FAULTS)]
        begin, end = int(start * 1e9), int((start + 4.2) * 1e9)
        for time_ns, event in (
            (begin, "inject"), (begin + 30 * Millisecond, "injected"),
            (begin + 900 * Millisecond, "probe"), (end, "heal"), (end + 40 * Millisecond, "healed"),
        ):  # fmt: skip
            probe = event == "probe"
            events.append(
                FaultEvent(
                    id=number, time_ns=time_ns, event=event, kind=kind, name=name, nodes=nodes,  # type: ignore[arg-type]
                    effective=True if probe else None, evidence=evidence if probe else "",
                    in_flight=8 if probe else 0,
                )
            )  # fmt: skip
        start, number = start + 5.5, number + 1
    return events


def _history(
    rng: random.Random, operations: int, seconds: float, down: list[tuple[int, int]], values: Any
) -> tuple[list[Op], Counts]:
    events: list[Op] = []
    counts = Counts()
    clock = [rng.randrange(5 * Millisecond) for _ in range(10)]
    process = list(range(10))
    register: dict[int, Any] = {}
    mean_ns = seconds * 1e9 * len(clock) / max(operations, 1)
    for number in range(operations):
        worker = min(range(len(clock)), key=clock.__getitem__)
        begin = clock[worker]
        key, f = rng.randrange(20), rng.choice(("read", "read", "write", "cas"))
        node = NODES[process[worker] % len(NODES)]
        hurt = any(a <= begin <= b for a, b in down) and rng.random() < 0.15
        latency = int(rng.lognormvariate(14.8, 0.5)) * (40 if hurt else 1)
        latency = min(latency, 2_000 * Millisecond)
        new = rng.choice(values) if values else number
        value = {"read": None, "write": new, "cas": [register.get(key), new]}[f]
        common: dict[str, Any] = {"process": process[worker], "f": f, "key": key, "node": node}
        events.append(Op(0, begin, type=Type.INVOKE, value=value, **common))
        counts.invoked += 1
        outcome, error = Type.OK, None
        if hurt and rng.random() < 0.5:
            outcome = Type.FAIL if f == "read" else Type.INFO
            error = ("timeout", str(rng.choice(values)) if values else "no answer within 2.0 s")
        elif f == "cas" and rng.random() < 0.3:
            outcome, error = Type.FAIL, ("mismatch", "the value was another")
        if outcome is Type.OK:
            value = register.get(key) if f == "read" else value
            if f != "read":
                register[key] = new
        events.append(Op(0, begin + latency, type=outcome, value=value, error=error, **common))
        setattr(counts, outcome.value, getattr(counts, outcome.value) + 1)
        if outcome is Type.INFO:
            process[worker] += len(clock)
        clock[worker] = begin + latency + int(rng.expovariate(1 / max(mean_ns - 4e6, 1e3)))
    return events, counts


def _violation(ops: list[Op], seconds: float, values: Any) -> list[Operation]:
    """A stale read on key 99: write 1, write 2, both acknowledged, then a read of 1."""
    base = int(seconds * 1e9 * 0.43)
    old, new = (values[0], values[-1]) if values else (7001, 7002)
    told = (
        (901, "n1", "write", old, 0, 4, "ok"),
        (902, "n2", "write", new, 380, 391, "ok"),
        (903, "n3", "read", new, 395, 399, "ok"),
        (904, "n1", "read", old, 2490, 2493, "ok"),
    )
    around = (
        (905, "n4", "cas", [5, 6], 1, 9, "fail"),
        (906, "n5", "write", 7003, 396, None, "info"),
        (903, "n3", "read", new, 410, 420, "ok"),
        (905, "n4", "read", new, 1500, 1510, "ok"),
        (905, "n4", "read", new, 2480, 2500, "ok"),
    )
    found = []
    for row in (*told, *around):
        process, node, f, value, begin_ms, end_ms, outcome = row
        begin = base + begin_ms * Millisecond
        end = None if end_ms is None else base + end_ms * Millisecond
        common: dict[str, Any] = {"process": process, "f": f, "key": 99, "node": node}
        ops.append(Op(0, begin, type=Type.INVOKE, value=None if f == "read" else value, **common))
        if end is not None:
            ops.append(Op(0, end, type=Type(outcome), value=value, **common))
        if row in told:
            found.append(
                Operation(0, process, f, outcome, begin, end, key=99, value=value, node=node)
            )
    return found


def _result(
    verdict: Verdict, counts: Counts, effective: dict[str, int], injected: int,
    counterexample: list[Operation], seed: int,
) -> RunResult:  # fmt: skip
    linear = CheckResult(
        "linearizable", Verdict.VALID, "register, near-linear", keys=20,
        operations=counts.invoked, seconds=0.21, certified=True,
    )  # fmt: skip
    reason = ""
    if verdict is Verdict.INVALID:
        last = counterexample[-1]
        linear.verdict, linear.counterexample = verdict, counterexample
        linear.first_violation_ns = last.completed_ns
        linear.explanation = (
            f"Key 99 cannot be put in any order. Process 904 read {last.value!r} from n1 at "
            f"{last.invoked_ns / 1e9:.3f} s, but {counterexample[1].value!r} had been written by "
            "process 902 and acknowledged 2.099 s earlier.\n"
            f"Nothing wrote {last.value!r} again in between."
        )
    elif verdict is Verdict.UNKNOWN:
        linear.verdict, linear.certified = verdict, False
        linear.algorithm = "windowed search"
        linear.explanation = "17 of 20 keys are verified; keys 3, 8 and 11 ran out of time."
        linear.details = {"keys_verified": 17, "keys_undecided": [3, 8, 11]}
        reason = "The search for 3 of 20 keys did not end within its 60 s."
    elif verdict is Verdict.VACUOUS:
        reason = "2 faults were injected, none of them was seen to take effect."
    checks = [
        linear,
        CheckResult("stats", Verdict.VALID, operations=counts.invoked, seconds=0.02),
        CheckResult("log-pattern", Verdict.VALID, seconds=0.01, details={"files": 5, "matches": 0}),
    ]
    return RunResult(
        verdict=verdict, exit_code=EXIT_CODES[verdict], seed=seed, reason=reason,
        operations=counts, faults=FaultCounts(injected, sum(effective.values()), effective),
        first_violation_s=None
        if linear.first_violation_ns is None
        else linear.first_violation_ns / 1e9,
        checks=checks,
        phases=[
            Phase("provision", 4.2), Phase("install", 1.1), Phase("start", 0.9),
            Phase("await ready", 1.7), Phase("drive", 60.0), Phase("heal", 0.3),
            Phase("final reads", 0.8), Phase("collect logs", 0.4), Phase("tear down", 2.2),
            Phase("check", 0.3),
        ],
        limits=["The search was stopped after 60 s."] if verdict is Verdict.UNKNOWN else [],
    )  # fmt: skip
