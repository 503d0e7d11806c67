"""Runs on a node: sends probes to other nodes and says which arrived here.

A TCP connect cannot tell which direction is cut; a single datagram can. Whoever probes asks the
source's agent to send, and then the destination's agent whether it saw the token. Alone in its
file, standard library only: the file is shipped to the node.

Datagrams: `send TOKEN HOST` -> `sent TOKEN` or `failed TOKEN why`; `hit TOKEN`;
`seen TOKEN` -> `yes TOKEN` or `no TOKEN`.
"""

import collections
import socket
import sys

REMEMBERED = 1000
COPIES = 3


def main(port: int) -> None:
    endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    endpoint.bind(("0.0.0.0", port))
    seen: collections.OrderedDict[str, None] = collections.OrderedDict()
    while True:
        data, peer = endpoint.recvfrom(512)
        words = data.decode("ascii", "replace").split()
        try:
            if words[0] == "hit":
                seen[words[1]] = None
                while len(seen) > REMEMBERED:
                    seen.popitem(last=False)
            elif words[0] == "seen":
                answer = "yes" if words[1] in seen else "no"
                endpoint.sendto(f"{answer} {words[1]}".encode("ascii"), peer)
            elif words[0] == "send":
                try:
                    for _ in range(COPIES):
                        endpoint.sendto(f"hit {words[1]}".encode("ascii"), (words[2], port))
                    answer = f"sent {words[1]}"
                except OSError as error:
                    answer = f"failed {words[1]} {error}"
                endpoint.sendto(answer.encode("ascii", "replace"), peer)
        except (IndexError, OSError):
            continue


if __name__ == "__main__":
    main(int(sys.argv[1]))
