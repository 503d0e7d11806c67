"""Runs on a node: holds back the packets that its firewall queues (NFQUEUE), each for its own time.

For kernels without netem. Alone in its file, standard library only: its text goes to the node.

Arguments: token file, seconds to live at most, the moment from which packets are late (seconds of
Unix time, or at once where the clock says that it is far off), then NUMBER:DELAY:JITTER for each
queue (seconds). Returns when the queues are bound and goes on in the background, until the token
file is gone and the last packet that was held back has gone on. Should it die, all packets pass.

Netlink messages: linux/netfilter/nfnetlink_queue.h.
"""

import errno
import heapq
import os
import random
import select
import socket
import struct
import sys
import time

SUBSYSTEM = 3  # NFNL_SUBSYS_QUEUE
PACKET, VERDICT, CONFIG = 0, 1, 2
REQUEST, ACK = 1, 4
REPEAT = 4  # NF_REPEAT: past the rules anew, for its link may have been cut meanwhile
MARK = 0x7A57  # of packets that have been held back, which the rules do not queue again
HELD_AT_MOST = 100_000  # more pass at once
LOOK_S = 0.05  # between looks at the token file
FAR_S = 2.0  # clocks that differ by more do not agree about any moment
NETLINK_NETFILTER = 12
SO_RCVBUFFORCE = 33


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def message(kind: int, queue: int, attributes: bytes, flags: int) -> bytes:
    body = struct.pack(">BBH", 0, 0, queue) + attributes
    return struct.pack("=IHHII", 16 + len(body), SUBSYSTEM << 8 | kind, flags, 0, 0) + body


def bind(link: socket.socket, queue: int) -> None:
    """Make the queue ours: packets without their content, all pass when it is full."""
    for attributes in (
        attribute(1, struct.pack(">BBH", 1, 0, 0)),  # NFQA_CFG_CMD: bind
        attribute(2, struct.pack(">IB", 0, 1))  # NFQA_CFG_PARAMS: NFQNL_COPY_META
        + attribute(3, struct.pack(">I", HELD_AT_MOST))
        + attribute(4, struct.pack(">I", 1))  # NFQA_CFG_MASK, NFQA_CFG_FLAGS: fail open
        + attribute(5, struct.pack(">I", 1)),
    ):
        link.send(message(CONFIG, queue, attributes, REQUEST | ACK))
        code = -struct.unpack_from("=i", link.recv(65536), 16)[0]
        if code:
            raise OSError(code, f"queue {queue}: {os.strerror(code)}")


def packets(data: bytes) -> list[tuple[int, int]]:
    """(queue, packet id) of every packet that the messages tell of."""
    found = []
    while len(data) >= 20:
        length, kind = struct.unpack_from("=IH", data)
        if kind == SUBSYSTEM << 8 | PACKET:
            queue = struct.unpack_from(">H", data, 18)[0]
            at = 20
            while at + 4 <= length:
                size, what = struct.unpack_from("=HH", data, at)
                if what & 0x3FFF == 1:  # NFQA_PACKET_HDR
                    found.append((queue, struct.unpack_from(">I", data, at + 4)[0]))
                at += max(4, size + -size % 4)
        data = data[max(20, length + -length % 4) :]
    return found


def hold(
    link: socket.socket,
    delays: dict[int, tuple[float, float]],
    token: str,
    begin_s: float,
    end_s: float,
) -> None:
    """Let each packet go on when its time has come; those before `begin_s` at once."""
    held: list[tuple[float, int, int, int]] = []
    count = 0
    while True:
        now_s = time.monotonic()
        while held and held[0][0] <= now_s:
            _, _, queue, packet = heapq.heappop(held)
            verdict = attribute(2, struct.pack(">II", REPEAT, packet))
            verdict += attribute(3, struct.pack(">I", MARK))
            link.send(message(VERDICT, queue, verdict, REQUEST))
        if not held and (now_s >= end_s or not os.path.exists(token)):
            return
        wait_s = min(LOOK_S, held[0][0] - now_s) if held else LOOK_S
        if not select.select([link], [], [], max(0.0, wait_s))[0]:
            continue
        try:
            data = link.recv(1 << 20)
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # packets came too fast: the kernel let them pass
                raise
            continue
        now_s = time.monotonic()
        for queue, packet in packets(data):
            delay_s, jitter_s = delays[queue] if now_s >= begin_s else (0.0, 0.0)
            count += 1
            due_s = now_s + delay_s + random.uniform(-jitter_s, jitter_s)
            heapq.heappush(held, (due_s, count, queue, packet))


def main(token: str, limit_s: float, at_s: float, queues: list[str]) -> None:
    ahead_s = at_s - time.time()
    begin_s = time.monotonic() + (ahead_s if 0 < ahead_s < FAR_S else 0.0)
    delays = {}
    for words in queues:
        number, delay, jitter = words.split(":")
        delays[int(number)] = (float(delay), float(jitter))
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    link.bind((0, 0))
    link.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    for queue in delays:
        bind(link, queue)
    open(token, "w").close()
    if os.fork():
        return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    try:
        hold(link, delays, token, begin_s, begin_s + limit_s)
    finally:
        if os.path.exists(token):
            os.unlink(token)


if __name__ == "__main__":
    try:
        main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
    except OSError as failed:
        sys.exit(f"packets cannot be held back: {failed}")
