"""How fast the checker is: `python benchmarks/checker.py` (best of five, machine named).

Porcupine is not part of this project; what it took for the same kind of work on a machine of
the same kind (2 vCPU) stands beside each line for comparison. `--quick` leaves out the largest.
"""

from __future__ import annotations

import argparse
import heapq
import json
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paxtest import _core
from paxtest.models import Inconsistent, Model, Operation, native

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "histories"
CORE = Path(__file__).resolve().parents[1] / "core"
Row = tuple[Any, ...]


def register_history(
    operations: int, clients: int, crashed: int, values: int | None = None, seed: int = 1
) -> list[Row]:
    """Closed-loop clients, exponential latency, half of it reads. Crashed writes: a third each
    takes effect never, at once, much later. `values`: how many different ones (None: all)."""
    rng = random.Random(seed)
    heap = [(rng.expovariate(1), c) for c in range(clients)]
    heapq.heapify(heap)
    crashes = set(rng.sample(range(operations), crashed))
    ops: list[list[Any]] = []  # start, end, effect, f, process, value
    for i in range(operations):
        start, client = heapq.heappop(heap)
        length = rng.expovariate(1)
        effect, end = start + rng.random() * length, start + length
        heapq.heappush(heap, (end + rng.expovariate(10), client))
        value = i + 1 if values is None else 1 + rng.randrange(values)
        if i in crashes:
            late = start + rng.random() * operations / clients * 0.3
            when = rng.choice([None, effect, late])
            ops.append([start, None, when, "write", clients + i, value])
        elif rng.random() < 0.5:
            ops.append([start, end, effect, "read", client, None])
        else:
            ops.append([start, end, effect, "write", client, value])
    state = None
    for op in sorted((op for op in ops if op[2] is not None), key=lambda op: op[2]):
        if op[3] == "write":
            state = op[5]
        else:
            op[5] = state
    return [row(op) for op in sorted(ops, key=lambda op: op[0])]


def row(op: list[Any]) -> Row:
    start, end, _, f, process, value = op
    argument, result = (value, None) if f == "write" else (None, value)
    outcome = "info" if end is None else "ok"
    ends = None if end is None else int(end * 1e6)
    return (process, f, None, argument, result, outcome, int(start * 1e6), ends)


def containers(kind: str, operations: int) -> tuple[str, list[Row]]:
    """A valid history of some data type with eight clients, one after the other in effect."""
    rng = random.Random(3)
    rows: list[Row] = []
    content: list[int] = []
    total = 0
    at = 0
    for i in range(operations):
        start, end = at, at + 1 + rng.randrange(25)
        at += 30
        client = i % 8
        op: tuple[str, Any, Any] | None
        read = rng.random() < (0.02 if kind in ("append-list", "grow-set") else 0.5)
        if kind == "counter":
            total += not read
            op = ("read", None, total) if read else ("add", 1, None)
        elif kind == "queue":
            if read and content:
                op = ("dequeue", None, content.pop(0))
            else:
                content.append(i)
                op = ("enqueue", i, None)
        else:
            if read and len(content) < 300:
                op = ("read", None, list(content))
            elif len(content) < 300:
                content.append(i)
                op = ("append" if kind == "append-list" else "add", i, None)
            else:
                content = []
                op = None
        if op is None:
            continue
        f, argument, result = op
        key = None if kind in ("counter", "queue") else i // 306
        rows.append((client, f, key, argument, result, "ok", start, end))
    return kind, rows


def best(run: Callable[[], float], times: int = 5) -> float:
    return min(run() for _ in range(times))


def seconds(history: _core.History, model: Any, **options: Any) -> float:
    """Checking alone: the sum over partitions, on one thread unless told otherwise."""
    report = _core.check(history, model, minimise=False, **{"threads": 1, **options})
    if report["verdict"] == "unknown":
        return float("inf")
    return sum(part["seconds"] for part in report["partitions"])


def line(work: str, took_s: float, must_s: float | None, porcupine: str = "-") -> None:
    must = "-" if must_s is None else f"{must_s * 1e3:9.1f} ms"
    met = "" if must_s is None else ("  met" if took_s <= must_s else "  NOT met")
    print(f"{work:52} {took_s * 1e3:10.2f} ms   must {must:>12}   Porcupine {porcupine}{met}")
    sys.stdout.flush()


class CasRegister(Model):
    """As the native one."""

    def step(self, state: Any, op: Operation) -> Any:
        if op.f == "write":
            return op.value
        if op.f == "cas":
            return op.value[1] if state == op.value[0] else Inconsistent
        return state if op.result == state else Inconsistent

    def read_only(self, op: Operation) -> bool:
        return op.f == "read"


def registers(quick: bool) -> None:
    sizes = {10_000: 0.003, 100_000: 0.030, 1_000_000: 0.3}
    for operations, must in sizes.items():
        if quick and operations > 100_000:
            continue
        history = _core.History.from_ops(register_history(operations, 10, 30))
        took = best(lambda h=history: seconds(h, "register"))  # type: ignore[misc]
        line(f"register, unique, 10 clients, 30 crashed, {operations}", took, must, "out of memory")
    history = _core.History.from_ops(register_history(10_000, 10, 10, values=5))
    took = best(lambda: seconds(history, "register"))
    line("register, five values, 10 clients, 10 crashed, 10 k", took, 0.3, "out of memory")
    history = _core.History.from_ops(register_history(1_000, 30, 0, values=5))
    line(
        "register, five values, 30 clients, 1 k",
        best(lambda: seconds(history, "register")),
        2.0,
        "> 60 s",
    )
    history = _core.History.from_ops(register_history(1_000, 30, 0))
    took = best(lambda: seconds(history, "register", algorithm="search"))
    line("the search alone: unique, 30 clients, 1 k", took, None, "> 60 s")
    history = _core.History.from_ops(register_history(2_000, 40, 0))
    took = best(lambda: seconds(history, "register", algorithm="search"), 3)
    line("the search alone: unique, 40 clients, 2 k", took, None)
    took = best(lambda: seconds(history, "register", algorithm="search", threads=0), 3)
    line("the same on all cores", took, None)


def recorded() -> None:
    """Histories of real systems, where they are at hand."""
    if not SHARED.is_dir():
        print(f"(no recorded histories at {SHARED})")
        return
    logs = [_core.History.read(str(p)) for p in sorted((SHARED / "etcd-jepsen").glob("*.log"))]
    took = best(lambda: sum(seconds(h, "cas-register") for h in logs))
    line(f"{len(logs)} etcd logs, sum", took, 0.003, "~400 ms")
    model = native(CasRegister)
    slow = best(lambda: sum(seconds(h, model) for h in logs))
    line("the same with a Python model", slow, 3 * took)
    for name, peer in [("c10-ok", "0.89 ms"), ("c10-bad", "0.58 ms")]:
        history = _core.History.read(str(SHARED / "kv" / f"{name}.txt"))
        line(f"kv {name}", best(lambda h=history: seconds(h, "kv")), 0.0001, peer)  # type: ignore[misc]


def strings(operations: int, clients: int, keys: int = 10, seed: int = 5) -> list[Row]:
    """Clients that append, get and now and then put texts of their own, as those of the recorded
    kv histories do."""
    rng = random.Random(seed)
    heap = [(rng.expovariate(1), c) for c in range(clients)]
    heapq.heapify(heap)
    ops = []  # start, end, effect, client, f, key, text
    for i in range(operations):
        start, client = heapq.heappop(heap)
        end = start + rng.expovariate(1)
        heapq.heappush(heap, (end + rng.expovariate(10), client))
        f = rng.choices(("append", "get", "put"), (50, 47, 3))[0]
        effect = rng.uniform(start, end)
        ops.append((start, end, effect, client, f, str(rng.randrange(keys)), f"x {client} {i} y"))
    held: dict[str, str] = {}
    rows: list[Row] = []
    for start, end, _, client, f, key, text in sorted(ops, key=lambda op: op[2]):
        argument, result = (None, held.get(key)) if f == "get" else (text, None)
        if f != "get":
            held[key] = text if f == "put" else held.get(key, "") + text
        times = int(start * 1e6), int(end * 1e6)
        rows.append((client, f, key, argument, result, "ok", *times))
    return sorted(rows, key=lambda r: int(r[6]))


def others() -> None:
    history = _core.History.from_ops(strings(2_000, 50))
    line("kv, 50 clients, 4,000 events", best(lambda: seconds(history, "kv")), 0.010, "203 ms")
    for kind, operations in [
        ("append-list", 100_000),
        ("queue", 200_000),
        ("grow-set", 100_000),
        ("counter", 1_000_000),
    ]:
        model, rows = containers(kind, operations)
        history = _core.History.from_ops(rows)
        line(f"{kind}, {len(rows)}", best(lambda h=history, m=model: seconds(h, m), 3), 0.3)  # type: ignore[misc]


def streams(quick: bool) -> None:
    """Journal lines in batches of 1,000 operations, against reading and checking them whole."""
    operations = 100_000 if quick else 1_000_000
    history = _core.History.from_ops(register_history(operations, 10, 30))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        history.write(str(path), "jsonl")
        lines = path.read_bytes().splitlines(keepends=True)
        for format, must in (("jsonl", 2.0), ("edn", 4.0)):
            source = Path(folder) / f"read.{format}"
            history.write(str(source), format)
            took = best(lambda s=source: reading(s), 3)  # type: ignore[misc]
            work = f"{2 * operations} events, {format.upper()}, read"
            line(work, took, None if quick else must)
            source.unlink()
        batches = [b"".join(lines[i : i + 2000]) for i in range(0, len(lines), 2000)]

        def offline() -> float:
            began = time.perf_counter()
            _core.check(_core.History.read(str(path)), "register", threads=1)
            return time.perf_counter() - began

        def online() -> float:
            began = time.perf_counter()
            stream = _core.Stream("register")
            for batch in batches:
                stream.feed(batch)
            stream.finish()
            assert stream.verdict() == "valid"
            return time.perf_counter() - began

        whole = best(offline, 3)
        line(f"JSONL of {operations} operations, read and checked", whole, None)
        line("the same as a stream of batches", best(online, 3), 2 * whole)
        paxtest = Path(sys.executable).with_name("paxtest")
        command = [str(paxtest), "check", "--json", "--model", "register", str(path)]
        took, peak, verdict = whole_process(command)
        line(f"paxtest check, whole process ({verdict}, {peak} MB)", took, None if quick else 3.0)


def reading(path: Path) -> float:
    began = time.perf_counter()
    _core.History.read(str(path))
    return time.perf_counter() - began


def unsplit() -> None:
    """Texts of ten keys as one partition, by the core alone."""
    files = [str(SHARED / "kv" / f"{name}.txt") for name in ("c10-ok", "c10-bad")]
    if shutil.which("cargo") is None or not SHARED.is_dir():
        print("(kv without split by key needs cargo and the recorded histories)")
        return
    command = ["cargo", "run", "--release", "--quiet", "--no-default-features"]
    said = subprocess.run(
        [*command, "--example", "unsplit", "--", *files],
        cwd=CORE, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name, peer, told in zip(("ok", "bad"), ("3.2 s", "4.0 s"), said.splitlines(), strict=True):
        took = float(told.split(": ")[1].split()[0]) / 1e3
        line(f"kv without split by key, c10-{name}", took, 0.1, peer)


MEASURE = """
import resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True, check=False)
took = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print(took, peak)
print(done.stdout if done.returncode == 0 else done.stderr)
"""


def whole_process(command: list[str]) -> tuple[float, int, str]:
    """Seconds, peak RSS in MB and verdict of a `paxtest check --json`. A small process of its own
    starts it: Linux counts the peak of whoever starts a process as that process's peak, too, and
    the histories held here take more than what is measured."""
    said = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], capture_output=True, text=True, check=True
    ).stdout
    figures, _, output = said.partition("\n")
    took, peak = figures.split()
    try:
        verdict = str(json.loads(output)["verdict"])
    except ValueError:
        verdict = output.strip()[-200:]
    return float(took), int(peak), verdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the largest")
    quick = parser.parse_args().quick
    cpu = next(
        (
            x.split(":")[1].strip()
            for x in Path("/proc/cpuinfo").read_text().splitlines()
            if x.startswith("model name")
        ),
        platform.machine(),
    )
    print(f"paxtest {_core.__version__}, Python {platform.python_version()}, {cpu}")
    registers(quick)
    recorded()
    unsplit()
    others()
    streams(quick)


if __name__ == "__main__":
    main()
