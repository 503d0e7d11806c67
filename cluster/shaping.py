"""Delays and slows packets on their way out of a node, by tc; drops are the firewall's.

Each shaped direction gets a class of an htb qdisc of our own (handle 7a57:) on the device that
leads to the destination: htb for the rate, netem below it for the delay. A root qdisc that
somebody else configured is left alone, and the shape refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paxtest.cluster.links import Shape
from paxtest.cluster.protocol import Link
from paxtest.errors import Unsupported
from paxtest.remote.protocol import Remote

_UNLIMITED_BITS_S = 10_000_000_000
_NETEM_PACKETS = 100_000


# Arguments: an address that tells the device; lines of tc arguments, @ standing for the device.
# Kernels lack parts of this: what fails is undone, and said.
_APPLY = r"""
PATH=$PATH:/usr/sbin:/sbin
command -v tc >/dev/null 2>&1 || { [ -z "$2" ] && exit 0; echo "no tc on this node" >&2; exit 1; }
device=$(ip -o route get "$1" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
[ -n "$device" ] || { echo "no route to $1" >&2; exit 1; }
set -- "$2" $(tc qdisc show dev "$device" root | head -n 1)
case "$3 $4" in
    "htb 7a57:") tc qdisc del dev "$device" root || exit 1 ;;
    noqueue*|pfifo_fast*|fq*|mq*|" ") ;;
    *) [ -z "$1" ] && exit 0
       echo "device $device has a qdisc that is not ours: $3 $4" >&2; exit 1 ;;
esac
[ -n "$1" ] || exit 0
said=$(printf '%s' "$1" | while read -r line; do
    set -f
    set -- $line
    tc "$1" "$2" dev "$device" $(shift 2; echo "$@") 2>&1 || exit 1
done) || {
    printf '%s\n' "$said" | grep -v quantum >&2
    tc qdisc del dev "$device" root 2>/dev/null
    exit 1
}
"""


def commands(
    node: str, addresses: Mapping[str, Sequence[str]], shapes: Mapping[Link, Shape]
) -> str:
    """tc commands for what leaves `node`, less `tc` and device; "" when nothing is shaped."""
    lines: list[str] = []
    for number, destination in enumerate(sorted(addresses), start=0x10):
        shape = shapes.get((node, destination), Shape())
        if not (shape.delay_s > 0 or shape.rate_bytes_s > 0):
            continue
        rate = 8 * shape.rate_bytes_s or _UNLIMITED_BITS_S
        lines.append(
            f"class add parent 7a57: classid 7a57:{number:x} htb rate {rate}bit quantum 60000"
        )
        if shape.delay_s > 0:
            jitter = f" {shape.jitter_s * 1e3:.3f}ms" if shape.jitter_s else ""
            lines.append(
                f"qdisc add parent 7a57:{number:x} netem limit {_NETEM_PACKETS}"
                f" delay {shape.delay_s * 1e3:.3f}ms{jitter}"
            )
        for address in addresses[destination]:
            protocol, match = ("ipv6", "ip6") if ":" in address else ("ip", "ip")
            priority = 2 if ":" in address else 1
            lines.append(
                f"filter add parent 7a57: protocol {protocol} prio {priority}"
                f" u32 match {match} dst {address} flowid 7a57:{number:x}"
            )
    if not lines:
        return ""
    return "\n".join(["qdisc add root handle 7a57: htb default 0", *lines]) + "\n"


async def apply(remote: Remote, wanted: str, *, via: str) -> None:
    """Replace the node's shaping by `wanted`. Raises Unsupported with the kernel's words."""
    argv = ["sh", "-c", _APPLY, "shaping", via, wanted]
    output = await remote.run(argv, sudo=True, timeout_s=20, check=False)
    if output.exit_code != 0:
        raise Unsupported(
            f"node {remote.node} cannot delay or slow packets: {output.stderr.strip()[-500:]}",
            "delays need the kernel module sch_netem, rates sch_htb (modprobe them on the machine"
            " that runs the nodes); the local cluster delays and slows without the kernel",
        )
