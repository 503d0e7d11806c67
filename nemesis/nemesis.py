"""Nemesis: carries out a schedule, proves each fault's effect, and heals (DESIGN 5)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from paxtest.cluster.protocol import Cluster
from paxtest.nemesis.fault import Action, Clock, Context, Family, PlannedFault
from paxtest.nemesis.ground import Ground
from paxtest.nemesis.processes import voteless
from paxtest.nemesis.record import FaultEvent, FaultJournal, Happening
from paxtest.nemesis.turns import Turns
from paxtest.system import System
from paxtest.verdict import FaultCounts

Record = Callable[[str, Any, str], None]
"""Writes a nemesis event into the history: f, value, error ("" where there is none)."""

_LEADER_S = 1.5  # limit of asking who leads; a stopped node answers nobody
_LEADER_WAIT_S = 0.3  # what a fault waits for that answer before it takes the one before
_LEADER_AGE_S = 5.0  # beyond that age an answer is worth nothing
_INJECT_S = 10.0
_PROBE_S = 2.0
_AFTER_S = 3.0
_PROBE_PAUSE_S = 0.15
_WATCH_S = 0.02
_CALM_S = 2.5  # how long a handover waits for all to vote, and one to lead
_HEAL_S = 15.0
HEAL_LIMIT_S = 25.0
"""Limit of `heal` as a whole."""


class Nemesis:
    """One run's faults. `run` walks through the schedule, each family on its own timeline.

    `in_flight` tells how many client operations are open now; `clock` the run's time in ns.
    A fault that raises is journaled as `failed`, told in `notes`, and the run goes on.
    """

    def __init__(
        self,
        schedule: Sequence[PlannedFault],
        families: Mapping[str, Family],
        cluster: Cluster,
        system: System,
        journal_path: Path,
        in_flight: Callable[[], int],
        record: Record,
        clock: Clock,
    ) -> None:
        self.schedule = tuple(schedule)
        self.notes: list[str] = []  # failed and skipped faults, for the run's result
        self._families = families
        self._cluster = cluster
        self._system = system
        self._nodes = tuple(node.name for node in cluster.nodes)
        self._journal = FaultJournal(journal_path)
        self._in_flight = in_flight
        self._record = record
        self._clock = clock
        self._active: dict[int, tuple[PlannedFault, Action]] = {}
        self._injected = 0
        self._effective: dict[str, int] = {}
        self._acted = False
        self._in_force = {fault.after: asyncio.Event() for fault in schedule if fault.after}
        self._leader_at: dict[int, str] = {}  # whom each fault took for the leader
        self._leaders = _Leaders(system, self._nodes)
        self._led = False  # has any node ever claimed to lead?
        self._ground = Ground(cluster, system)
        self._turns = Turns()

    # -- the run ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Returns when every fault is over and healed. Cancel it to stop early, then `heal`."""
        origin = time.monotonic()
        timelines: dict[str, list[PlannedFault]] = {}
        for fault in self.schedule:
            timelines.setdefault(fault.kind, []).append(fault)
        end_s = max((fault.end_s for fault in self.schedule), default=0.0)
        async with asyncio.TaskGroup() as group:
            for faults in timelines.values():
                group.create_task(self._timeline(faults, origin, end_s))

    async def _timeline(self, faults: list[PlannedFault], origin: float, end_s: float) -> None:
        for fault in faults:
            await asyncio.sleep(origin + fault.start_s - time.monotonic())
            await self._after(fault)
            async with self._turns.turn(self._families[fault.kind].mix):
                await self._in_turn(fault, origin, end_s)

    async def _in_turn(self, fault: PlannedFault, origin: float, end_s: float) -> None:
        late_s = time.monotonic() - origin - fault.start_s
        hold_s = min(fault.duration_s, end_s - fault.start_s - late_s)
        if hold_s <= 0:
            self.notes.append(f"{_title(fault)}: left out, {late_s:.1f} s late at the run's end")
            return
        try:
            await self._strike(fault, hold_s)
        finally:
            self._tell_followers(fault)

    def _tell_followers(self, fault: PlannedFault) -> None:
        if fault.id in self._in_force:
            self._in_force[fault.id].set()

    async def _after(self, fault: PlannedFault) -> None:
        """A fault that has to follow another waits until that one is in force, 3 s at most."""
        first = self._in_force.get(fault.after)
        if first is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_AFTER_S):
                    await first.wait()

    async def _strike(self, fault: PlannedFault, hold_s: float) -> None:
        """One fault from beginning to end. Never raises but for cancellation."""
        family = self._families[fault.kind]
        try:
            async with asyncio.timeout(_INJECT_S):
                if family.mix.alone:
                    await self._calm()
                action = await family.prepare(fault, await self._context(fault))
        except Exception as error:
            await self._fail(fault, None, "prepare", error)
            return
        if isinstance(action, str):
            await self._write(fault, None, "failed", text=f"skipped: {action}")
            self.notes.append(f"{_title(fault)}: skipped, {action}")
            return
        await self._write(fault, action, "inject", sync=True, undo=action.undo)
        self._active[fault.id] = (fault, action)
        self._acted = True
        self._record(f"start-{fault.kind}", _told(fault, action), "")
        watch = _Watch(self._in_flight)
        try:
            async with asyncio.timeout(_INJECT_S):
                await action.inject()
            self._injected += 1
            self._tell_followers(fault)
            await self._write(fault, action, "injected")
        except Exception as error:
            await self._fail(fault, action, "inject", error)
        else:
            # An act of several steps says how much of its time they take.
            await self._hold(fault, action, hold_s - getattr(action, "lead_s", 0.0), watch)
        finally:
            watch.stop()
        await self._heal_one(fault, action, _HEAL_S)

    async def _calm(self) -> None:
        """What has the ground to itself needs all of it: a node that lost its disk, or was away,
        gets its vote back first, and of two that claim to lead one gives up. Not later than
        `_CALM_S`: a vote may be lost for good, and a system need not have a leader.
        """
        # Whatever a system's own code raises, too: then nobody can tell.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CALM_S):
                while True:
                    if await self._is_calm():
                        return
                    await asyncio.sleep(_WATCH_S)

    async def _is_calm(self) -> bool:
        lacking, leaders = await asyncio.gather(
            voteless(self._nodes, self._system), self._system.primaries()
        )
        self._led = self._led or bool(leaders)
        return not lacking and len(leaders) == int(self._led)

    async def _context(self, fault: PlannedFault) -> Context:
        """Who leads is asked now. Of several who claim to, the fault's seed draws one."""
        if fault.after in self._leader_at:
            leader, claim = self._leader_at[fault.after], ["the one before"]
        else:
            claim = await self._leaders.ask()
            leader = Random(f"leader {fault.seed}").choice(claim or self._nodes)
        self._leader_at[fault.id] = leader
        return Context(
            self._cluster, self._system, self._nodes, leader, self._ground, random_leader=not claim
        )

    async def _hold(
        self, fault: PlannedFault, action: Action, hold_s: float, watch: _Watch
    ) -> None:
        """Keep the fault for `hold_s`, and probe until its effect is proven or it is over."""
        over = time.monotonic() + hold_s
        seen, evidence = False, ""
        while True:
            try:
                async with asyncio.timeout(_PROBE_S):
                    seen, evidence = await action.probe()
            except Exception as error:
                evidence = f"the probe failed: {_words(error)}"
            left_s = over - time.monotonic()
            if (seen and watch.most > 0) or left_s <= _PROBE_PAUSE_S:
                break
            await asyncio.sleep(_PROBE_PAUSE_S)
        if seen and watch.most == 0:
            evidence += "; but no client operation was open"
        effective = seen and watch.most > 0
        if effective:
            self._effective[fault.kind] = self._effective.get(fault.kind, 0) + 1
        await self._write(
            fault, action, "probe", effective=effective, evidence=evidence, in_flight=watch.most
        )
        await asyncio.sleep(max(0.0, over - time.monotonic()))

    # -- healing ----------------------------------------------------------------------------

    async def heal(self) -> list[str]:
        """Undo all that may be in force and what died meanwhile; idempotent, limited in time.

        Returns what could not be undone, in words ([]: all is well). Call it after `run` has
        returned or was cancelled; it closes the journal.
        """
        problems: list[str] = []
        try:
            async with asyncio.timeout(HEAL_LIMIT_S):
                # The network first, and dead nodes last: a node that starts finds its peers.
                order = ("partition", "delay", "clock", "pause", "kill", "disk", "quorum")
                rank = {kind: place for place, kind in enumerate(order)}
                active = sorted(self._active.values(), key=lambda pair: rank.get(pair[0].kind, 9))
                for fault, action in active:
                    if not await self._heal_one(fault, action, _HEAL_S):
                        problems.append(f"{_title(fault)} could not be healed: {self.notes[-1]}")
                if self._acted:
                    problems += await self._revive()
        except TimeoutError:
            problems.append(f"healing was given up after {HEAL_LIMIT_S:.0f} s")
        self.notes += problems
        await self._leaders.close()
        self._journal.close()
        return problems

    async def _heal_one(self, fault: PlannedFault, action: Action, limit_s: float) -> bool:
        await self._write(fault, action, "heal")
        for attempt in (1, 2):
            try:
                async with asyncio.timeout(limit_s / 2):
                    evidence = await action.heal()
                break
            except Exception as error:
                if attempt == 2:
                    await self._fail(fault, action, "heal", error)
                    return False
                await self._write(fault, action, "heal", text=f"again: {_words(error)}")
        del self._active[fault.id]
        await self._write(fault, action, "healed", evidence=evidence)
        self._record(f"stop-{fault.kind}", {"id": fault.id, "seen": evidence}, "")
        return True

    async def _revive(self) -> list[str]:
        """Nodes that died or stopped though no fault of ours did it: said, and started again."""
        problems: list[str] = []
        for node in self._nodes:
            try:
                pid, state = await self._system.process_state(node)
                if pid is not None and state != "T":
                    continue
                what = "was stopped" if pid is not None else "had no process"
                self.notes.append(f"node {node} {what} although no fault was in force")
                self._record("revive", {"node": node}, f"{node} {what}")
                if pid is None:
                    await self._ground.start(node, 0)
                else:
                    await self._system.resume(node)
            except Exception as error:
                problems.append(f"node {node} could not be revived: {_words(error)}")
        return problems

    def summary(self) -> FaultCounts:
        """How many were injected, and how many of them proven while operations were open."""
        kinds = dict(sorted(self._effective.items()))
        return FaultCounts(self._injected, sum(kinds.values()), kinds)

    # -- the journal ------------------------------------------------------------------------

    async def _fail(
        self, fault: PlannedFault, action: Action | None, doing: str, error: Exception
    ) -> None:
        words = f"{doing}: {_words(error)}"
        self.notes.append(f"{_title(fault)} failed, {words}")
        await self._write(fault, action, "failed", text=words)
        self._record(f"fail-{fault.kind}", {"id": fault.id, "name": fault.name}, words)

    async def _write(
        self,
        fault: PlannedFault,
        action: Action | None,
        event: Happening,
        *,
        text: str | None = None,
        sync: bool = False,
        **more: Any,
    ) -> None:
        """In a thread: an fsync takes milliseconds, in which workers could not stamp a time."""
        line = FaultEvent(
            id=fault.id,
            time_ns=self._clock(),
            event=event,
            kind=fault.kind,
            name=fault.name,
            nodes=action.nodes if action else [],
            text=text if text is not None else (action.text if action else ""),
            **more,
        )
        write: Awaitable[None] = asyncio.to_thread(self._journal.append, line, sync=sync)
        await write


class _Watch:
    """The most client operations that were open at once since the act began."""

    def __init__(self, in_flight: Callable[[], int]) -> None:
        self.most = in_flight()
        self._in_flight = in_flight
        self._task = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_S)
            self.most = max(self.most, self._in_flight())

    def stop(self) -> None:
        self._task.cancel()


class _Leaders:
    """Who claims to lead. A stopped node can hold the answer up for a second, and a fault that
    is aimed at a moment cannot wait: then the answer before, if it is fresh, has to do.
    """

    def __init__(self, system: System, nodes: tuple[str, ...]) -> None:
        self._system = system
        self._nodes = nodes
        self._asking: asyncio.Task[None] | None = None
        self._known: list[str] = []
        self._known_at = float("-inf")

    async def ask(self) -> list[str]:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        await asyncio.wait([self._asking], timeout=_LEADER_WAIT_S)
        return self._known if time.monotonic() - self._known_at < _LEADER_AGE_S else []

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(_LEADER_S):
                claim = set(await self._system.primaries())
        except Exception:  # whatever a system's own code raises: then nobody answers
            return
        known = [node for node in self._nodes if node in claim]
        if known:
            self._known, self._known_at = known, time.monotonic()

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)


def _title(fault: PlannedFault) -> str:
    return f"fault {fault.id} ({fault.kind} {fault.name})"


def _told(fault: PlannedFault, action: Action) -> dict[str, Any]:
    return {"id": fault.id, "name": fault.name, "nodes": action.nodes, "text": action.text}


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "took longer than its limit"
    return getattr(error, "message", "") or f"{type(error).__name__}: {error}"
