"""System: what paxtest must know of a system under test to start, break and question it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from paxtest.client import Client
from paxtest.cluster.protocol import Cluster


class System(Protocol):
    """A system under test on a cluster. Third parties add theirs by the entry point group
    `paxtest.systems`, or by `path.py:Name` on the command line; the factory is called as
    `factory(cluster, options)` where `options` is the plan's `system.options` (a dict).

    Daemons are started through `paxtest.remote.daemon`, so that kill, pause and their probes
    work the same for all.
    """

    name: str
    cluster: Cluster
    peer_port: int  # the port on which nodes talk to each other: what partitions are probed with

    async def install(self, node: str) -> None: ...

    async def start(self, node: str) -> None:
        """Start (or start again after `kill`); returns once the process runs."""

    async def stop(self, node: str) -> None: ...

    async def kill(self, node: str) -> None:
        """SIGKILL, and wait until the process is gone."""

    async def pause(self, node: str) -> None:
        """SIGSTOP."""

    async def resume(self, node: str) -> None:
        """SIGCONT."""

    async def wipe(self, node: str) -> None:
        """Remove the durable state of a stopped node."""

    async def process_state(self, node: str) -> tuple[int | None, str]:
        """(pid, state letter of /proc/PID/stat), (None, "") when no process runs. For probes."""

    async def is_ready(self, node: str) -> bool:
        """Does the node serve clients? Never raises for a node that does not."""

    async def primaries(self) -> list[str]:
        """The nodes that believe they lead, as far as they answer within a second."""

    async def clock_offset_s(self, node: str) -> float | None:
        """The wall clock as the *process* sees it, minus the control node's; None: unknown."""

    def faketime_file(self, node: str) -> str | None:
        """The libfaketime control file that the process obeys; None where it cannot be skewed."""

    def log_files(self, node: str) -> list[str]:
        """Absolute paths on the node."""

    def client(self) -> Client:
        """A new client, not yet open."""

    def describe(self) -> dict[str, Any]:
        """Versions and switched-on bugs: what plan.yaml records."""


@runtime_checkable
class KeepsFiles(Protocol):
    """What a System may have besides, for faults of the disk: it says where its nodes' durable
    state lies."""

    rejoins_empty: bool
    """May a node that has lost its whole disk be started again as it was? Where the system has to
    be told first (and would rightly lose data otherwise), this is False."""

    async def data_files(self, node: str) -> list[str]:
        """Absolute paths of the files of durable state on the node, the one written last last.
        [] where there is none yet. The node may be running or not."""


@runtime_checkable
class ShowsAgreements(Protocol):
    """What a System may have besides, for a check of what its nodes hold in the end."""

    async def agreements(self, node: str) -> dict[str, str]:
        """name -> digest of everything that every node which has something of that name must
        have equal: "the state after slot 812", "the hash at revision 97". {} where the node does
        not tell. The name says the position in the log: nodes may be at different ones."""


@runtime_checkable
class ChangesMembers(Protocol):
    """What a System may have besides, for faults of kind `member`: its nodes can leave the cluster
    and join it again while they run. A change is asked of whoever can carry it out; a node that
    was removed keeps its process and its files.
    """

    def fixed_members(self) -> str:
        """Why the members of this system, as it is set up, cannot be changed; "" if they can."""

    async def members(self) -> list[str]:
        """The nodes that have a vote, or are about to, as the cluster last agreed; [] where
        nobody tells. In the nodes' order."""

    async def remove_member(self, node: str) -> None:
        """Returns when it is agreed, or was before. Raises PaxtestError where that is not known
        within three seconds."""

    async def add_member(self, node: str) -> None:
        """The same, of a node that was a member at first and was removed."""


@runtime_checkable
class TellsVotes(Protocol):
    """What a System may have besides, where a node that serves clients need not vote yet: one
    that lost its disk, or has just been added. Faults of such a node are over when it votes."""

    async def votes(self, node: str) -> bool:
        """Does the node have a vote, as far as it knows itself? False where it does not answer
        within a second."""
