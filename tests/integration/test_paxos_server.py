"""Real processes of the reference Paxos on loopback addresses, and real Redis clients."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paxos_processes import CLIENT_PORT, FOLDER, PEER_PORT, PaxosCluster
from redis import Redis
from redis.exceptions import ResponseError
from sockets import throw


@pytest.fixture
def three(tmp_path: Path) -> Iterator[PaxosCluster]:
    cluster = PaxosCluster(tmp_path, 3, 0x4B11)
    cluster.start()
    yield cluster
    cluster.close()


def test_every_node_serves_every_command(three: PaxosCluster) -> None:
    three.leader()
    for name in three.names:
        assert three.until(name, ["SET", "k", name]) is True
        assert [three.until(n, ["GET", "k"]) for n in three.names] == [name.encode()] * 3
    assert three.ask("n1", "SET", "k", "x", "IFEQ", "other") is None
    assert three.ask("n2", "SET", "k", "x", "IFEQ", "n3") is True
    with pytest.raises(ResponseError, match="unknown command"):
        three.ask("n1", "FLUSHALL")
    with three.client("n2").pipeline() as transaction:
        transaction.set("a", 1).incr("a").get("a").rpush("l", "x", "y")
        assert transaction.execute() == [True, 2, b"2", 2]
    with Redis(host=three.host("n3"), port=CLIENT_PORT, protocol=2) as redis:
        status = redis.execute_command("PAXOS", "STATUS")
    assert dict(zip(status[::2], status[1::2], strict=True))[b"node"] == b"n3"
    assert abs(three.ask("n1", "PAXOS", "CLOCK") - time.time_ns()) < 1e9
    assert three.client("n1").info()["node"] == "n1"


def test_a_client_chooses_how_its_reads_are_answered(three: PaxosCluster) -> None:
    three.leader()
    three.until("n1", ["SET", "k", "v"])
    for way in ("log", "readindex", "quorum"):
        assert three.until("n2", ["PAXOS", "READ", way, "get", "k"]) == b"v"
    assert three.ask("n2", "PAXOS", "READ", "quorum", "SET", "k", "w") == b"OK"
    with Redis(
        host=three.host("n3"), port=CLIENT_PORT, single_connection_client=True
    ) as connection:
        assert connection.execute_command("PAXOS", "READS", "QUORUM") == b"OK"
        assert connection.get("k") == b"w"
        assert connection.execute_command("PAXOS", "READS") == b"log"
        with pytest.raises(ResponseError, match="no way of reading 'lease' here"):
            connection.execute_command("PAXOS", "READS", "lease")
    assert three.ask("n1", "PAXOS", "SNAPSHOT") >= 2


def test_a_node_joins_and_another_leaves(tmp_path: Path) -> None:
    cluster = PaxosCluster(tmp_path, 3, 0x4B16)
    try:
        cluster.start()
        cluster.leader()
        cluster.until("n1", ["SET", "k", "v"])
        newcomer = ["--node=n4", "--join"]
        newcomer += [f"--{which}={cluster.host('n4')}:{port}" for which, port in
                     (("listen", CLIENT_PORT), ("peer-listen", PEER_PORT))]  # fmt: skip
        newcomer += [f"--data={tmp_path / 'n4'}", f"--peer=n1={cluster.host('n1')}:{PEER_PORT}"]
        with open(tmp_path / "n4.log", "ab") as log:
            cluster.processes["n4"] = subprocess.Popen(
                cluster.argv("n1", *newcomer), cwd=FOLDER, stderr=log
            )
        with pytest.raises(ResponseError, match=r"must be host:port"):
            cluster.ask("n1", "PAXOS", "MEMBERS", "ADD", "n4", "nonsense")
        address = f"{cluster.host('n4')}:{PEER_PORT}"
        assert cluster.until("n2", ["PAXOS", "MEMBERS", "ADD", "n4", address]) == b"OK"
        deadline = time.monotonic() + 20
        while [b"n4", address.encode(), b"voter"] not in cluster.ask("n1", "PAXOS", "MEMBERS"):
            assert time.monotonic() < deadline, cluster.logs()
            time.sleep(0.01)  # waits for the condition of the loop
        assert cluster.until("n4", ["GET", "k"]) == b"v"
        assert cluster.until("n4", ["PAXOS", "MEMBERS", "REMOVE", "n3"]) == b"OK"
        # Whoever has not heard yet that n3 is out needs three of four for an election.
        for name in ("n1", "n4"):
            while b"n3" in [member[0] for member in cluster.ask(name, "PAXOS", "MEMBERS")]:
                assert time.monotonic() < deadline, cluster.logs()
                time.sleep(0.01)  # waits for the condition of the loop
        assert cluster.processes["n3"].wait(50) == 5
        assert "n3 is a member no longer" in (tmp_path / "n3.log").read_text()
        cluster.kill("n2")
        assert cluster.until("n4", ["SET", "k", "w"], 20) is True
    finally:
        cluster.close()


def test_a_node_that_lost_its_disk_votes_again_by_itself(
    three: PaxosCluster, tmp_path: Path
) -> None:
    three.leader()
    three.until("n1", ["SET", "k", "v"])
    three.kill("n2")
    shutil.rmtree(tmp_path / "n2")
    three.start("n2")
    assert three.until("n2", ["GET", "k"]) == b"v"
    identity = three.ask("n2", "PAXOS", "STATUS")[b"identity"]
    assert identity.startswith(b"n2~")
    deadline = time.monotonic() + 20
    while identity not in three.ask("n2", "PAXOS", "STATUS")[b"voters"]:
        assert time.monotonic() < deadline, three.logs()
        time.sleep(0.01)  # waits for the condition of the loop
    three.until("n1", ["SET", "k", "w"])
    three.kill("n3")
    assert three.until("n1", ["GET", "k"], 20) == b"w"


def test_a_node_with_another_window_is_refused(three: PaxosCluster, tmp_path: Path) -> None:
    three.leader()
    three.kill("n2")
    for wiped, code in ((False, 3), (True, 5)):
        if wiped:
            shutil.rmtree(tmp_path / "n2")
        ended = subprocess.run(
            three.argv("n2", "--window", "16"), cwd=FOLDER, capture_output=True, text=True,
            timeout=20,
        )  # fmt: skip
        assert ended.returncode == code
        assert "start this one with --window 8" in ended.stderr


def test_resp3(three: PaxosCluster) -> None:
    three.leader()
    with Redis(host=three.host("n1"), port=CLIENT_PORT, protocol=3) as redis:
        assert redis.set("k", "v")
        assert redis.get("none") is None
        redis.sadd("s", "a", "b")
        assert redis.smembers("s") == {b"a", b"b"}
        assert redis.execute_command("PAXOS", "STATUS")[b"node"] == b"n1"
        assert redis.config_get("save") == {"save": ""}
        assert redis.command()["get"]["flags"] == {"readonly"}


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="redis-tools is not installed")
def test_redis_cli_and_redis_benchmark(three: PaxosCluster) -> None:
    three.leader()
    at = ["-h", three.host("n2"), "-p", str(CLIENT_PORT)]

    def run(*argv: str) -> str:
        """What the command prints; again while the cluster has no leader yet, for 20 s at most."""
        deadline = time.monotonic() + 20
        while True:
            done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
            assert "WARNING" not in done.stderr, done
            if done.returncode == 0:
                return done.stdout
            not_yet = ("FAIL", "UNKNOWN", "Could not connect")
            refused = any(word in done.stdout + done.stderr for word in not_yet)
            assert refused and time.monotonic() < deadline, done

    assert run("redis-cli", *at, "SET", "k", "from the shell") == "OK\n"
    assert run("redis-cli", *at, "GET", "k") == "from the shell\n"
    assert run("redis-cli", *at, "-3", "GET", "none") == "\n"
    # redis-benchmark gives up at the first error reply, and on a machine that is busy enough an
    # election, or a command without an answer in time, is no fault of the server: hence `run`.
    out = run(
        "redis-benchmark", *at, "-q", "-n", "500", "-c", "10", "-P", "5", "-t", "set,get,incr,mset"
    )
    assert out.count("requests per second") == 4


def test_acknowledged_writes_survive_kill_9_of_everything(three: PaxosCluster) -> None:
    three.leader()
    for i in range(200):
        three.until("n1", ["SET", f"k{i}", str(i)])
    for name in list(three.names):
        three.kill(name)
    three.start()
    three.leader()
    assert [three.until("n2", ["GET", f"k{i}"]) for i in range(200)] == [
        str(i).encode() for i in range(200)
    ]
    assert three.client("n2").info()["incarnation"] == 2


def test_failover(tmp_path: Path) -> None:
    cluster = PaxosCluster(tmp_path, 5, 0x4B12)
    cluster.start()
    try:
        for _ in range(2):
            leader = cluster.leader()
            cluster.kill(leader)
            started = time.monotonic()
            survivor = next(iter(cluster.processes))
            cluster.until(survivor, ["SET", "k", leader])
            assert time.monotonic() - started < 2.0, cluster.logs()
        # Two of five are gone; with a third one nothing may be answered any more.
        leader = cluster.leader()
        cluster.kill(leader)
        survivor = next(iter(cluster.processes))
        with pytest.raises(ResponseError, match=r"FAIL|UNKNOWN"):
            cluster.ask(survivor, "SET", "k", "lost")
    finally:
        cluster.close()


def test_a_paused_leader_does_not_answer_from_its_past(three: PaxosCluster) -> None:
    leader = three.leader()
    three.until(leader, ["SET", "k", "old"])
    process = three.processes[leader]
    process.send_signal(signal.SIGSTOP)
    other = next(name for name in three.names if name != leader)
    three.until(other, ["SET", "k", "new"])
    process.send_signal(signal.SIGCONT)
    assert three.until(leader, ["GET", "k"]) == b"new"


def test_a_corrupt_log_is_refused_and_a_torn_one_is_not(
    three: PaxosCluster, tmp_path: Path
) -> None:
    three.leader()
    three.until("n2", ["GET", "k"])  # it is up, so that its log will have a chunk for each write
    for i in range(20):
        three.until("n1", ["SET", f"k{i}", "v"])
    for name in ("n1", "n2"):
        three.kill(name)
    log = tmp_path / "n1" / "wal-0000000001"
    with open(log, "ab") as file:
        file.write(b"PXC1 a write that never ended")
    broken = tmp_path / "n2" / "wal-0000000001"
    data = bytearray(broken.read_bytes())
    data[data.index(b"PXC1", len(data) // 2) + 22] ^= 1  # in the payload of a chunk in the middle
    broken.write_bytes(data)
    three.start("n1")
    assert three.until("n1", ["GET", "k19"]) == b"v"
    refused = subprocess.run(three.argv("n2"), cwd=FOLDER, capture_output=True, timeout=20)
    assert refused.returncode == 3
    assert b"refusing to start: wal-0000000001 is corrupt at byte" in refused.stderr
    assert b"Traceback" not in refused.stderr


def test_malformed_input_ends_its_connection_and_nothing_else(three: PaxosCluster) -> None:
    three.leader()
    three.until("n1", ["SET", "k", "v"])
    garbage = [
        b"*-1\r\n", b"*1\r\n$-5\r\n", b"*99999\r\n", b"*1\r\n:1\r\n", b"*1\r\n$3\r\nabcde\r\n",
        b"$5\r\nhello\r\n" * 3, os.urandom(2000),
        b"*2\r\n$3\r\nGET\r\n$999999999\r\n", b"\x00" * 70_000,
    ]  # fmt: skip
    for port in (CLIENT_PORT, PEER_PORT):
        for data in garbage:
            throw((three.host("n1"), port), [data], timeout_s=2)
    assert three.ask("n1", "GET", "k") == b"v"
    assert three.processes["n1"].poll() is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--bug", "nonsense"], "unknown bug 'nonsense'; known: "),
        (["--reads", "psychic"], "argument --reads: invalid choice"),
        (["--q1", "1", "--q2", "2"], "need not intersect"),
        (["--node", "n9"], "'n9' is not among --nodes"),
        (["--join"], "'n1' is among --nodes"),
        (["--request-timeout", "0"], "must be more than 0"),
    ],
)
def test_wrong_arguments_get_one_clear_line(tmp_path: Path, wrong: list[str], says: str) -> None:
    cluster = PaxosCluster(tmp_path, 3, 0x4B13)
    result = subprocess.run(
        cluster.argv("n1", *wrong), cwd=FOLDER, capture_output=True, text=True, timeout=20
    )
    assert result.returncode == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_port_in_use_gets_one_clear_line(tmp_path: Path) -> None:
    cluster = PaxosCluster(tmp_path, 3, 0x4B14)
    with socket.create_server((cluster.host("n1"), CLIENT_PORT)):
        result = subprocess.run(
            cluster.argv("n1"), cwd=FOLDER, capture_output=True, text=True, timeout=20
        )
    assert result.returncode == 3
    assert "cannot listen" in result.stderr and "address already in use" in result.stderr
    assert "Traceback" not in result.stderr
