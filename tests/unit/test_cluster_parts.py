"""Parts of clusters by themselves: rules, tc commands, owners, archives, images, probes."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from paxtest.cluster import delay_agent, delaying, firewall, image, ownership, processes, shaping
from paxtest.cluster.links import Shape
from paxtest.cluster.probing import Prober
from paxtest.errors import ClusterError, DockerUnavailable
from paxtest.remote import archive

ADDRESSES = {"n1": ["10.0.0.1", "fd00::1"], "n2": ["10.0.0.2"], "n3": ["10.0.0.3", "fd00::3"]}


def test_rules_stand_on_the_destination_for_both_families() -> None:
    cuts = {("n1", "n2"), ("n2", "n1")}
    assert firewall.rules("n2", ADDRESSES, cuts, {}) == (
        "-A PAXTEST -s 10.0.0.1 -j DROP\n",
        "-A PAXTEST -s fd00::1 -j DROP\n",
    )
    assert firewall.rules("n1", ADDRESSES, cuts, {}) == ("-A PAXTEST -s 10.0.0.2 -j DROP\n", "")
    assert firewall.rules("n3", ADDRESSES, cuts, {}) == firewall.NO_RULES


def test_a_cut_goes_before_a_loss() -> None:
    losses = {("n1", "n2"): 0.25, ("n3", "n2"): 0.25}
    four, six = firewall.rules("n2", ADDRESSES, {("n1", "n2")}, losses)
    match = "-m statistic --mode random --probability 0.250000000"
    assert four == f"-A PAXTEST -s 10.0.0.1 -j DROP\n-A PAXTEST -s 10.0.0.3 {match} -j DROP\n"
    assert six == f"-A PAXTEST -s fd00::1 -j DROP\n-A PAXTEST -s fd00::3 {match} -j DROP\n"


def test_what_is_not_cut_is_reset_by_tcp_alone_and_what_is_late_too() -> None:
    resets = {("n1", "n2"), ("n3", "n2")}
    four, six = firewall.rules("n2", ADDRESSES, {("n1", "n2")}, {}, {"n3": 7}, resets)
    reset = "-A PAXTEST -s {} -p tcp -j REJECT --reject-with tcp-reset"
    cut, answered, held = four.splitlines()
    assert cut == "-A PAXTEST -s 10.0.0.1 -j DROP" and answered == reset.format("10.0.0.3")
    assert held.startswith("-A PAXTEST -s 10.0.0.3 -m mark") and "--queue-num 7" in held
    assert six.splitlines()[1] == reset.format("fd00::3")
    assert firewall.rules("n1", ADDRESSES, (), {}, {}, resets) == firewall.NO_RULES


def test_late_packets_are_queued_once_and_those_of_a_cut_link_not_at_all() -> None:
    shapes = {("n1", "n2"): Shape(delay_s=0.1), ("n3", "n2"): Shape(delay_s=0.1, loss=0.5)}
    queues = delaying.queues("n2", ADDRESSES, shapes, generation=1)
    assert sorted(queues) == ["n1", "n3"] and len(set(queues.values())) == 2
    assert delaying.queues("n1", ADDRESSES, shapes, generation=1) == {}
    later = delaying.queues("n2", ADDRESSES, shapes, generation=2)
    assert not {*queues.values()} & {*later.values()}, "the agent before may still have its own"
    four, _ = firewall.rules("n2", ADDRESSES, {("n1", "n2")}, {("n3", "n2"): 0.5}, queues)
    cut, loss, held = four.splitlines()
    assert cut == "-A PAXTEST -s 10.0.0.1 -j DROP"
    assert loss.endswith("--probability 0.500000000 -j DROP")
    assert held == (
        "-A PAXTEST -s 10.0.0.3 -m mark ! --mark 0x7a57"
        f" -j NFQUEUE --queue-num {queues['n3']} --queue-bypass"
    )


def test_the_agent_reads_what_the_kernel_tells_it() -> None:
    told = b""
    for queue, packet in ((7, 1), (8, 70_000)):
        header = delay_agent.attribute(1, packet.to_bytes(4, "big") + b"xyz")  # padded to 4 bytes
        told += delay_agent.message(delay_agent.PACKET, queue, header, 0)
    assert delay_agent.packets(told) == [(7, 1), (8, 70_000)]
    assert delay_agent.packets(told[:10]) == []
    assert f"{delay_agent.MARK:#x}" == firewall.HELD


def test_shaping_stands_on_the_source_and_names_the_destination() -> None:
    shapes = {("n1", "n3"): Shape(delay_s=0.05, jitter_s=0.01, rate_bytes_s=1000)}
    lines = shaping.commands("n1", ADDRESSES, shapes).splitlines()
    assert lines[0] == "qdisc add root handle 7a57: htb default 0"
    assert "rate 8000bit" in lines[1]
    assert "delay 50.000ms 10.000ms" in lines[2]
    assert [line.split("match ")[1] for line in lines[3:]] == [
        "ip dst 10.0.0.3 flowid 7a57:12",
        "ip6 dst fd00::3 flowid 7a57:12",
    ]
    assert shaping.commands("n3", ADDRESSES, shapes) == ""


def test_a_loss_alone_needs_no_tc() -> None:
    assert shaping.commands("n1", ADDRESSES, {("n1", "n2"): Shape(loss=0.5)}) == ""


def test_an_owner_is_known_by_more_than_its_pid() -> None:
    mine = ownership.owner()
    pid, started, boot = mine.split()
    assert ownership.alive(mine) and int(pid) == os.getpid()
    assert not ownership.alive(f"{pid} {int(started) + 1} {boot}"), "the pid was reused"
    assert not ownership.alive(f"{pid} {started} another-boot")
    assert ownership.alive(ownership.owner(keep=True))
    for nonsense in ("", "1", "a b c", "99999999 1 " + boot):
        assert not ownership.alive(nonsense)


def test_killing_a_run_that_has_nothing_is_nothing() -> None:
    assert processes.kill("no-such-run") == []


def _archive(*names: str) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"hi"))
    packed.seek(0)
    return packed


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out"])
def test_an_archive_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ClusterError, match="leads out"):
        archive.unpack(_archive("fine", name), tmp_path / "in")
    assert not (tmp_path / "out").exists()


def test_an_archive_without_a_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no regular file"):
        archive.unpack_file(_archive(), tmp_path / "file")


class EngineWithoutRegistry:
    """Answers what image.ensure asks before it needs a base."""

    def version(self) -> dict[str, str]:
        return {"Arch": "amd64"}

    def inspect_image(self, tag: str) -> Any:
        from docker.errors import ImageNotFound

        raise ImageNotFound(f"no {tag}")

    def pull(self, *_: Any, **__: Any) -> Any:
        yield {"error": "no such host"}


def test_without_registry_and_mmdebstrap_there_is_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image.shutil, "which", lambda name: None)  # type: ignore[attr-defined]
    with pytest.raises(DockerUnavailable, match="no such host") as caught:
        image.ensure(EngineWithoutRegistry())
    assert "mmdebstrap" in caught.value.hint and "--cluster local" in caught.value.hint


async def test_a_dead_probe_agent_is_no_partition() -> None:
    prober = Prober({"n1": "127.0.0.1", "n2": "127.0.0.1"}, port=9)
    with pytest.raises(ClusterError, match="probe agent of node n1 does not answer"):
        await prober.ask("n1", "seen", "token", patience_s=0.2)
