"""Drops packets on their way into a node, or answers them with resets, in a chain of our own, by
iptables and ip6tables.

Rules stand on the destination, in the chain PAXTEST that INPUT jumps to. Each change replaces the
chain's contents in one transaction (iptables-restore), one command per node. Nobody else's rule
is read, moved or flushed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from paxtest.cluster.protocol import Link
from paxtest.errors import Unsupported
from paxtest.remote.protocol import Remote

CHAIN = "PAXTEST"
HELD = "0x7a57"
"""The mark of packets that were in a queue (`delay_agent.py`)."""

Rules = tuple[str, str]
"""Lines for iptables-restore and for ip6tables-restore; both empty: no chain at all."""

NO_RULES: Rules = ("", "")

# Arguments: rules for IPv4, rules for IPv6, "6" where the node has an IPv6 address.
_APPLY = r"""
apply() {
    tool=$1 rules=$2
    if [ -z "$rules" ]; then
        command -v "$tool" >/dev/null 2>&1 || return 0
        "$tool" -w 5 -S PAXTEST >/dev/null 2>&1 || return 0
        while "$tool" -w 5 -D INPUT -j PAXTEST 2>/dev/null; do :; done
        "$tool" -w 5 -F PAXTEST && "$tool" -w 5 -X PAXTEST
        return
    fi
    printf '*filter\n:PAXTEST - [0:0]\n%sCOMMIT\n' "$rules" | "$tool-restore" -w 5 --noflush &&
    { "$tool" -w 5 -C INPUT -j PAXTEST 2>/dev/null || "$tool" -w 5 -I INPUT 1 -j PAXTEST; }
}
PATH=$PATH:/usr/sbin:/sbin
apply iptables "$1" && { [ -z "$3" ] || apply ip6tables "$2"; }
"""

_COUNTS = """PATH=$PATH:/usr/sbin:/sbin
for tool in iptables ip6tables; do "$tool" -w 5 -nvxL PAXTEST 2>/dev/null; done | grep -e "$1"
true"""


def rules(
    node: str,
    addresses: Mapping[str, Sequence[str]],
    cuts: Collection[Link],
    losses: Mapping[Link, float],
    queues: Mapping[str, int] = MappingProxyType({}),
    resets: Collection[Link] = (),
) -> Rules:
    """What `node` must drop: all from the sources of `cuts`, a share (0..1) of `losses`; what of
    the sources of `resets` it must answer with TCP resets; and into which queue what is left of
    other sources' packets goes (`delaying.py`)."""
    lines: tuple[list[str], list[str]] = ([], [])
    for source in sorted(addresses):
        link = (source, node)
        wanted = []
        if link in cuts:
            wanted.append("-j DROP")
        elif losses.get(link, 0.0) > 0:
            share = f"{losses[link]:.9f}"
            wanted.append(f"-m statistic --mode random --probability {share} -j DROP")
        if link in resets and link not in cuts:
            wanted.append("-p tcp -j REJECT --reject-with tcp-reset")
        if source in queues and link not in cuts:
            queue = f"-j NFQUEUE --queue-num {queues[source]} --queue-bypass"
            wanted.append(f"-m mark ! --mark {HELD} {queue}")
        for address in addresses[source]:
            family = 1 if ":" in address else 0
            lines[family].extend(f"-A {CHAIN} -s {address} {rule}\n" for rule in wanted)
    return "".join(lines[0]), "".join(lines[1])


async def apply(remote: Remote, wanted: Rules, *, ipv6: bool) -> None:
    """Make the node's chain hold exactly `wanted`; remove it where that is nothing.

    Raises Unsupported with the kernel's words.
    """
    argv = ["sh", "-c", _APPLY, "firewall", *wanted, "6" if ipv6 else ""]
    output = await remote.run(argv, sudo=True, timeout_s=20, check=False)
    if output.exit_code != 0:
        raise Unsupported(
            f"node {remote.node} cannot drop or refuse packets: {output.stderr.strip()[-500:]}",
            "partitions need iptables on the node, and root (sudo without a password) or, in a"
            " container, the capability NET_ADMIN",
        )


async def lost(remote: Remote) -> int:
    """How many packets the rules of losses have dropped since the chain was last changed."""
    return await _counted(remote, "statistic")


async def were_reset(remote: Remote) -> int:
    """How many segments were answered with resets since the chain was last changed."""
    return await _counted(remote, "reject-with tcp-reset")


async def _counted(remote: Remote, words: str) -> int:
    argv = ["sh", "-c", _COUNTS, "firewall", words]
    output = await remote.run(argv, sudo=True, timeout_s=5)
    return sum(int(line.split()[0]) for line in output.stdout.splitlines())
