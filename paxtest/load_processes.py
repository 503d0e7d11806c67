"""LoadProcesses: the load driven from several OS processes that share CLOCK_MONOTONIC.

Each child drives every N-th thread and writes a journal segment of its own; the segments are
merged by time when the load has ended (or whenever the run directory is next looked at). The
parent and a child speak in lines of JSON: the task goes in on stdin, counts come out on stdout
ten times a second, and closing stdin (which the death of the parent also does) stops the load.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from paxtest.errors import PaxtestError
from paxtest.plan import Plan
from paxtest.store import Run
from paxtest.workload import SharesKeys, Workload

REPORT_S = 0.1


class LoadProcesses:
    """The parent's side; stands where a `Load` stands."""

    def __init__(self, plan: Plan, run: Run, workload: Workload, start_ns: int) -> None:
        self._plan = plan
        self._workload = workload
        self._tasks = [
            {
                "plan": plan.model_dump(mode="json"),
                "cluster": str(run.cluster),
                "number": number,
                "start_ns": start_ns,
                "journal": str(run.segment(number)),
            }
            for number in range(plan.load_processes)
        ]
        self._children: list[asyncio.subprocess.Process] = []
        self._reports: list[dict[str, Any]] = [{} for _ in self._tasks]

    def in_flight(self) -> int:
        """Operations invoked and not yet completed, as of the children's last reports."""
        return sum(report.get("in_flight", 0) for report in self._reports)

    def counts(self) -> dict[str, int] | None:
        """Events by type over all children."""
        return {
            kind: sum(report.get("counts", {}).get(kind, 0) for report in self._reports)
            for kind in ("invoke", "ok", "fail", "info")
        }

    def next_process(self) -> int:
        """A multiple of the concurrency above every process id used so far."""
        return max(int(report.get("next_process", self._plan.workers)) for report in self._reports)

    def stop(self) -> None:
        for child in self._children:
            if child.stdin is not None:
                child.stdin.close()

    async def run(self, deadline_s: float) -> bool:
        """Raises PaxtestError when a child fails; False when the deadline cut it short."""
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.gather(*(self._drive(number) for number in range(len(self._tasks))))
        except TimeoutError:
            return False
        finally:
            for child in self._children:
                with suppress(ProcessLookupError):
                    child.kill()
            await asyncio.gather(*(child.wait() for child in self._children))
        return True

    async def _drive(self, number: int) -> None:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "paxtest.load_processes",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )  # fmt: skip
        self._children.append(child)
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        child.stdin.write(json.dumps(self._tasks[number]).encode() + b"\n")
        errors = asyncio.create_task(child.stderr.read())
        async for line in child.stdout:
            report = json.loads(line)
            self._reports[number] = report
            if isinstance(self._workload, SharesKeys):
                self._workload.note_keys_opened(report["keys_opened"])
        code = await child.wait()
        text = (await errors).decode("utf-8", "replace").strip()
        if code != 0:
            raise PaxtestError(
                f"load process {number} exited with {code}: {text[-2000:]}",
                "what it had recorded until then is in the run directory",
            )


async def _child(task: dict[str, Any]) -> None:
    from paxtest import cluster as clusters
    from paxtest import workloads
    from paxtest.cluster import systems
    from paxtest.generator import Context
    from paxtest.history import Journal
    from paxtest.load import Load, bounded, workers
    from paxtest.operation import Op

    plan = Plan.model_validate(task["plan"])
    number, share = task["number"], 1 / plan.load_processes
    cluster = await clusters.attach(Path(task["cluster"]))
    workload = workloads.load(plan.workload.name)(
        plan.workload.options,
        seed=plan.seed,
        nodes=plan.cluster.nodes,
        concurrency=plan.workers,
        load_process=(number, plan.load_processes),
    )
    system = systems.make(plan, cluster)
    counts = {"invoke": 0, "ok": 0, "fail": 0, "info": 0}

    def count(op: Op) -> None:
        counts[op.type] += 1

    journal = Journal(Path(task["journal"]), start_ns=task["start_ns"])
    journal.listen(count)
    threads = range(number, plan.workers, plan.load_processes)
    everyone = workers(plan, system, cluster.nodes, journal, threads)
    context = Context.start(plan.workers, plan.seed + number, threads=threads, nemesis=False)
    load = Load.of(bounded(plan, workload, share), context, everyone, journal)

    def report() -> None:
        line = {
            "keys_opened": workload.keys_opened() if isinstance(workload, SharesKeys) else 0,
            "in_flight": load.in_flight(),
            "counts": counts,
            "next_process": load.next_process(),
        }
        print(json.dumps(line), flush=True)

    async def report_often() -> None:
        while True:
            report()
            await asyncio.sleep(REPORT_S)

    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def stop_when_told() -> None:
        await reader.read()
        load.stop()

    helpers = [asyncio.create_task(report_often()), asyncio.create_task(stop_when_told())]
    try:
        await load.run(plan.time_limit_s + 2 * plan.client_timeout_s + 4)
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        journal.close()
    report()


def main() -> None:
    """Entry point of a child."""
    with open(0, "rb", buffering=0, closefd=False) as unbuffered:  # what follows is for the loop
        task = json.loads(unbuffered.readline())
    asyncio.run(_child(task))


if __name__ == "__main__":
    main()
