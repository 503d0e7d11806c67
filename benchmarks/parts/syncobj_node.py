"""One node of PySyncObj under measurement. Runs in a venv of the benchmark's own, which has the
library and nothing else.

    syncobj_node.py OWN_ADDRESS JOURNAL PEER_ADDRESS...

Reads lines from stdin: `leads` answers 1 or 0, `load CALLERS SECONDS` answers the number of
writes a second that this many callers get, each with one write under way.
"""

import random
import sys
import threading
import time

from pysyncobj import FAIL_REASON, SyncObj, SyncObjConf, replicated

KEYS = 100_000


class Store(SyncObj):
    def __init__(self, own: str, journal: str, peers: list[str]) -> None:
        super().__init__(own, peers, SyncObjConf(journalFile=journal, connectionRetryTime=0.5))
        self.data: dict[str, bytes] = {}

    @replicated
    def put(self, key: str, value: bytes) -> None:
        self.data[key] = value


def load(store: Store, callers: int, seconds: float) -> float:
    """The next write of a caller begins in the callback of the one before: no client, no
    connection and no thread is in between, which favours PySyncObj."""
    until_s = time.perf_counter() + seconds
    done = failed = 0
    left = callers
    ended = threading.Event()

    def begin() -> None:
        store.put(f"key:{random.randrange(KEYS):012d}", b"VXK", callback=after)

    def after(_: object, reason: int) -> None:
        nonlocal done, failed, left
        if reason == FAIL_REASON.SUCCESS:
            done += 1
        else:
            failed += 1
        if time.perf_counter() < until_s:
            begin()
        else:
            left -= 1
            if not left:
                ended.set()

    began_s = time.perf_counter()
    for _ in range(callers):
        begin()
    ended.wait(seconds + 10)
    if failed:
        print(f"{failed} writes failed", file=sys.stderr)
    return done / (time.perf_counter() - began_s)


def main() -> None:
    own, journal, *peers = sys.argv[1:]
    store = Store(own, journal, peers)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "leads":
            leader = store.getStatus()["leader"]
            print(int(leader is not None and leader.id == own), flush=True)
        else:
            print(load(store, int(words[1]), float(words[2])), flush=True)


if __name__ == "__main__":
    main()
