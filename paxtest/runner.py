"""Runner: the phases of a run, from a plan to a verdict."""

from __future__ import annotations

import asyncio
import logging
import platform
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paxtest import agreements, nemesis, reports, store, workloads
from paxtest import cluster as clusters
from paxtest import generator as gen
from paxtest._version import __version__
from paxtest.analysis import analyse
from paxtest.cluster import systems
from paxtest.cluster.protocol import Cluster
from paxtest.errors import PaxtestError
from paxtest.everywhere import ready, together
from paxtest.generator import Context
from paxtest.history import Journal
from paxtest.interruption import Interrupted, Interruption
from paxtest.live import LiveCheck
from paxtest.load import Load, bounded, workers
from paxtest.load_processes import LoadProcesses
from paxtest.operation import NEMESIS, Type
from paxtest.plan import Plan
from paxtest.progress import Progress
from paxtest.repeat import command_line, redacted
from paxtest.store import Run
from paxtest.system import ShowsAgreements, System
from paxtest.verdict import FaultCounts, Phase, RunResult, Verdict
from paxtest.workload import Workload

log = logging.getLogger("paxtest.runner")

INSTALL_TIMEOUT_S = 120.0
HEAL_TIMEOUT_S = 30.0
QUIESCE_TIMEOUT_S = 20.0
FINAL_READS_TIMEOUT_S = 30.0
AGREEMENTS_TIMEOUT_S = 5.0
COLLECT_TIMEOUT_S = 60.0


class Runner:
    """One run. `run()` leaves a complete run directory whatever happens in between."""

    def __init__(self, plan: Plan, store_path: Path, progress: Progress) -> None:
        self.plan = plan
        self.progress = progress
        self.workload: Workload = workloads.load(plan.workload.name)(
            plan.workload.options,
            seed=plan.seed,
            nodes=plan.cluster.nodes,
            concurrency=plan.workers,
        )
        self.kinds = nemesis.parse(",".join(plan.nemesis.kinds)) if plan.nemesis.kinds else []
        self.weights = dict(plan.nemesis.weights)
        # What cannot be drawn or is unknown must fail before anything is made.
        nemesis.build_schedule(
            self.kinds,
            seed=plan.seed,
            time_limit_s=plan.time_limit_s,
            nodes=plan.cluster.nodes,
            interval_s=plan.nemesis.interval_s,
            quiet_tail_s=plan.nemesis.quiet_tail_s,
            weights=self.weights,
        )
        systems.load(plan.system.name)
        self.cluster_kind = self._cluster_kind()
        self.store_path = store_path
        self.phases: list[Phase] = []
        self.limits: list[str] = []
        self.faults = FaultCounts()
        self.first_violation_ns: int | None = None
        self.interruption = Interruption(progress)
        self._load: Load | LoadProcesses | None = None

    def _cluster_kind(self) -> str:
        kind = self.plan.cluster.kind
        if kind != "auto":
            return kind
        reason = clusters.docker_available()
        if reason is None:
            return "docker"
        self.progress.note(f"no Docker engine answers ({reason}): using the local cluster")
        return "local"

    async def run(self) -> tuple[Run, RunResult]:
        """Raises PaxtestError where the run could not be carried out; nothing is left behind.

        The run directory is made once the nodes are there: what cannot even begin leaves nothing.
        """
        plan = self.plan
        self.interruption.watch_signals()
        cluster = clusters.make(
            self.cluster_kind,
            run_id=f"r{secrets.token_hex(5)}",
            nodes=plan.cluster.nodes,
            options=plan.cluster.options,
        )
        system = systems.make(plan, cluster)
        self.progress.note(
            f"{plan.title}: {plan.cluster.nodes} {self.cluster_kind} nodes, {plan.workers} clients,"
            f" {plan.time_limit_s:g} s, faults: {', '.join(self.kinds) or 'none'},"
            f" seed {plan.seed}"
        )
        try:
            with self.phase("provision"):
                await self.interruption.unless_asked(cluster.up())
            run = store.create(self.store_path, plan.title)
            handler = _log_to(run.log)
            try:
                await self._on_nodes(run, cluster, system)
                with self.phase("collect logs"):
                    await self._collect(run, cluster, system)
            except BaseException as error:
                log.error("%s: %s", type(error).__name__, error)
                with self.phase("collect logs"):
                    await self._collect(run, cluster, system)
                raise
        except Interrupted:
            raise PaxtestError(
                "interrupted before the load began: nothing was tested", "run it again"
            ) from None
        finally:
            with self.phase("tear down"):
                await cluster.down()
        try:
            return run, await self._judge(run)
        finally:
            logging.getLogger("paxtest").removeHandler(handler)
            handler.close()

    async def _on_nodes(self, run: Run, cluster: Cluster, system: System) -> None:
        cluster.save(run.cluster)
        self._save_plan(run, cluster, system)
        base = cluster.describe().get("image_base")
        self.progress.note(f"run: {run.path}" + (f"\nnode image: base {base}" if base else ""))
        await self._prepare(cluster, system)
        journal = Journal(run.history)
        run.save_clock(journal.start_ns)
        try:
            await self._drive(run, cluster, system, journal)
        finally:
            journal.close()
            run.merge_history()

    # -- phases ------------------------------------------------------------------------------

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase, announce it, and record it even when it fails."""
        log.info("phase: %s", name)
        self.progress.update(f"{name} ...")
        began = time.monotonic()
        try:
            yield
        finally:
            self.phases.append(Phase(name, round(time.monotonic() - began, 3)))

    async def _prepare(self, cluster: Cluster, system: System) -> None:
        plan = self.plan
        names = [node.name for node in cluster.nodes]
        with self.phase("install"):
            await self.interruption.unless_asked(
                together(system.install, names, INSTALL_TIMEOUT_S, "install")
            )
            if plan.nemesis.kinds == ["all"]:
                for kind, why in nemesis.lacking(self.kinds, cluster, system).items():
                    self.kinds.remove(kind)
                    self.limits.append(f"no {kind} faults: {why}")
            await nemesis.check_supported(self.kinds, cluster, system)
            for name, why in (await nemesis.unavailable(self.kinds, cluster, system)).items():
                self.weights[name] = 0.0
                self.limits.append(f"no {name}: {why}")
        with self.phase("start"):
            await self.interruption.unless_asked(
                together(system.start, names, plan.ready_timeout_s, "start")
            )
        with self.phase("await ready"):
            await self.interruption.unless_asked(ready(system, names, plan.ready_timeout_s))
        took = sum(phase.seconds for phase in self.phases)
        self.progress.note(f"{len(names)} nodes ready after {took:.1f} s")

    async def _drive(self, run: Run, cluster: Cluster, system: System, journal: Journal) -> None:
        plan = self.plan
        live = LiveCheck(self.workload.model)
        load: Load | LoadProcesses
        if plan.load_processes == 1:
            journal.listen(live.feed)
            everyone = workers(plan, system, cluster.nodes, journal, range(plan.workers))
            context = Context.start(plan.workers, plan.seed, nemesis=False)
            load = Load.of(bounded(plan, self.workload), context, everyone, journal)
        else:
            load = LoadProcesses(plan, run, self.workload, journal.start_ns)
        self._load = load

        def record(f: str, value: Any, error: str = "") -> None:
            journal.append(
                NEMESIS, Type.INFO, f, value=value, error=("nemesis", error) if error else None
            )

        adversary = nemesis.build(
            self.kinds,
            cluster=cluster,
            system=system,
            seed=plan.seed,
            time_limit_s=plan.time_limit_s,
            interval_s=plan.nemesis.interval_s,
            quiet_tail_s=plan.nemesis.quiet_tail_s,
            weights=self.weights,
            journal_path=run.faults,
            in_flight=load.in_flight,
            record=record,
            clock=journal.now_ns,
        )
        with self.phase("drive"):
            await self._load_and_faults(load, adversary, journal, live)
        with self.phase("heal"):
            async with asyncio.timeout(HEAL_TIMEOUT_S):
                await adversary.heal()
        self.faults = adversary.summary()
        self.limits += adversary.notes
        if not (self.interruption.asked or live.stop):
            await self._final_reads(cluster, system, journal, load.next_process())
            await self._compare_nodes(run, cluster, system)
        await live.close()
        self.first_violation_ns = live.first_violation_ns

    async def _load_and_faults(
        self,
        load: Load | LoadProcesses,
        adversary: nemesis.Nemesis,
        journal: Journal,
        live: LiveCheck,
    ) -> None:
        plan = self.plan
        outlives_s = plan.time_limit_s + 2 * plan.client_timeout_s + 5
        driving = asyncio.create_task(load.run(outlives_s))
        breaking = asyncio.create_task(adversary.run())
        interruption = asyncio.create_task(self.interruption.wait())
        try:
            while not driving.done():
                await asyncio.wait({driving, interruption}, timeout=0.2)
                await live.check()
                self._show(journal, adversary, live)
                if interruption.done():
                    self.limits.append(
                        f"interrupted after {journal.now_ns() / 1e9:.1f} s"
                        f" of {plan.time_limit_s:g} s"
                    )
                    load.stop()
                    await driving
                if live.invalid and plan.checker.stop_on_invalid and not live.stop:
                    live.stop = True
                    self.limits.append(
                        f"stopped at the first violation after {journal.now_ns() / 1e9:.1f} s"
                    )
                    load.stop()
                if breaking.done() and breaking.exception() is not None:
                    load.stop()
                    breaking.result()
            if not driving.result():
                self.limits.append("operations that did not end by their deadline were left open")
        finally:
            for task in (driving, breaking, interruption):
                task.cancel()
            await asyncio.gather(driving, breaking, interruption, return_exceptions=True)

    def _show(self, journal: Journal, adversary: nemesis.Nemesis, live: LiveCheck) -> None:
        faults = adversary.summary()
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(faults.kinds.items()))
        self.progress.update(
            f"{journal.now_ns() / 1e9:5.1f} s  {live.words(self._load)}  "
            f"faults {faults.effective}{f' ({kinds})' if kinds else ''}  "
            f"so far: {live.verdict}"
        )

    async def _final_reads(
        self, cluster: Cluster, system: System, journal: Journal, first_process: int
    ) -> None:
        plan = self.plan
        names = [node.name for node in cluster.nodes]
        with self.phase("quiesce"):
            try:
                await self.interruption.unless_asked(ready(system, names, QUIESCE_TIMEOUT_S))
            except Interrupted:
                return
            except PaxtestError as error:  # not ready, or gone for good: the others are asked still
                self.limits.append(f"after healing: {error.message}")
        with self.phase("final reads"):
            threads = range(plan.workers)
            everyone = workers(plan, system, cluster.nodes, journal, threads)
            context = Context.start(plan.workers, plan.seed, nemesis=False)
            for thread in threads:  # new processes: those of the load may have operations open
                context.processes = (
                    *context.processes[:thread],
                    first_process + thread,
                    *context.processes[thread + 1 :],
                )
            final = gen.clients(self.workload.final_generator())
            reads = Load.of(final, context, everyone, journal)
            if not await reads.run(FINAL_READS_TIMEOUT_S):
                self.limits.append(f"final reads took longer than {FINAL_READS_TIMEOUT_S:g} s")

    async def _compare_nodes(self, run: Run, cluster: Cluster, system: System) -> None:
        if isinstance(system, ShowsAgreements) and not self.interruption.asked:
            with self.phase("compare nodes"):
                names = [node.name for node in cluster.nodes]
                told = await agreements.ask(system, names, AGREEMENTS_TIMEOUT_S)
                agreements.save(run.agreements, told)

    async def _collect(self, run: Run, cluster: Cluster, system: System) -> None:
        """Nodes that leave traces are stopped before: of nodes that go on while one trace after the
        other is read, one would know what another is not yet known to have done."""

        async def stop(node: str) -> None:
            if any(Path(path).name == store.TRACE for path in system.log_files(node)):
                await system.stop(node)

        async def one(node: str) -> None:
            for path in system.log_files(node):
                target = run.nodes / node / Path(path).name
                target.parent.mkdir(parents=True, exist_ok=True)
                await cluster.remote(node).download(path, target)

        async def each(act: Callable[[str], Awaitable[None]], said: str, limit: str) -> None:
            names = [node.name for node in cluster.nodes]
            results = await asyncio.gather(
                *(asyncio.wait_for(act(name), COLLECT_TIMEOUT_S) for name in names),
                return_exceptions=True,
            )
            for name, result in zip(names, results, strict=True):
                if isinstance(result, BaseException):
                    # The run may have failed before there was a log; what there is, is kept.
                    log.warning("%s %s: %s", said, name, result)
                    if self._load is not None:
                        self.limits.append(limit.format(name))

        await each(stop, "not stopped:", "{} could not be stopped before its trace was read")
        await each(one, "no logs of", "the logs of {} could not be collected")

    async def _judge(self, run: Run) -> RunResult:
        with self.phase("check"):
            if not run.history.exists():
                result = RunResult(Verdict.UNKNOWN, 2, self.plan.seed, reason="nothing was run")
            else:
                result = await asyncio.to_thread(
                    analyse, run, self.workload.checkers(), self.plan, self.faults
                )
        if result.first_violation_s is None and result.verdict is Verdict.INVALID:
            live_ns = self.first_violation_ns
            result.first_violation_s = None if live_ns is None else live_ns / 1e9
        result.phases = self.phases
        result.limits = self.limits + result.limits
        run.save_results(result)
        with self.phase("report"):
            await asyncio.to_thread(reports.write_all, run.path)
        run.save_results(result)
        return result

    # -- plan.yaml ---------------------------------------------------------------------------

    def _save_plan(self, run: Run, cluster: Cluster, system: System) -> None:
        data = self.plan.model_dump(mode="json")
        data["name"] = self.plan.title
        data["repeat"] = command_line(self.plan, self.cluster_kind)
        data["versions"] = {
            "paxtest": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
        }
        data["resolved"] = {
            "cluster": {"kind": self.cluster_kind, **cluster.describe()},
            "system": system.describe(),
            "model": self.workload.model,
        }
        run.save_plan(redacted(data))


def _log_to(path: Path) -> logging.Handler:
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger("paxtest")
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    root.propagate = False
    return handler
