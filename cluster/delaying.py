"""Delays packets on their way into a node where the kernel cannot: see delay_agent.py.

Rules of the firewall hand the packets of a source to a queue, and an agent on the node holds them
back. Needs python3 and the kernel's nfnetlink_queue there, and no netem.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from paxtest.cluster.links import Shape
from paxtest.cluster.protocol import Link
from paxtest.errors import Unsupported
from paxtest.remote.protocol import Remote

AGENT = Path(__file__).with_name("delay_agent.py")
"""What runs on the nodes."""

_TOKENS = "/run/paxtest-delay-"
_LIMIT_S = 600.0  # longer than any fault: agents end by themselves
_FIRST_QUEUE = 0x7A00
_GENERATIONS = 64

Queues = dict[str, int]
"""The queue into which the packets of each source go."""


def queues(
    node: str, nodes: Collection[str], shapes: Mapping[Link, Shape], generation: int
) -> Queues:
    """A queue for each source whose packets to `node` are to be late. Those of the next generation
    are others: an agent that is ending still has its own."""
    first = _FIRST_QUEUE + generation % _GENERATIONS * len(nodes)
    return {
        source: number
        for number, source in enumerate(sorted(nodes), first)
        if shapes.get((source, node), Shape()).delay_s > 0
    }


def token(generation: int) -> str:
    """The file on a node without which the agent of this generation ends."""
    return f"{_TOKENS}{generation}"


async def start(
    remote: Remote, numbers: Queues, shapes: Mapping[Link, Shape], generation: int, at_s: float
) -> None:
    """Returns when the node's agent is ready; packets are late from `at_s` on (Unix time), so that
    they can be on several nodes in the same moment. Raises Unsupported with the node's words."""
    words = []
    for source, number in numbers.items():
        shape = shapes[source, remote.node]
        words.append(f"{number}:{shape.delay_s:.6f}:{shape.jitter_s:.6f}")
    moments = [f"{_LIMIT_S:g}", f"{at_s:.6f}"]
    argv = ["python3", "-c", AGENT.read_text(), token(generation), *moments, *words]
    output = await remote.run(argv, sudo=True, timeout_s=20, check=False)
    if output.exit_code != 0:
        raise Unsupported(
            f"node {remote.node} cannot hold packets back: {output.stderr.strip()[-300:]}",
            "delays need the kernel module sch_netem (modprobe it on the machine that runs the"
            " nodes), or nfnetlink_queue and python3 on the nodes",
        )


async def stop(remote: Remote, generation: int | None = None) -> None:
    """Let the agent of this generation end, or all (None). What it holds still goes on in time."""
    files = f"{_TOKENS}*" if generation is None else token(generation)
    await remote.run(["sh", "-c", f"rm -f {files}"], sudo=True, timeout_s=20)
