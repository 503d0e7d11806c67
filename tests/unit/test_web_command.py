"""`paxtest report` and `paxtest serve` as a user types them."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from sample_runs import build

PAXTEST = (sys.executable, "-m", "paxtest")


def paxtest(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PAXTEST, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_report_writes_all_and_prints_the_path(tmp_path: Path) -> None:
    run = build(tmp_path / "store" / "t" / "1", operations=50)
    (tmp_path / "store" / "latest").symlink_to("t/1")
    done = paxtest("report", str(tmp_path / "store" / "latest"))
    assert (done.returncode, done.stdout) == (0, f"{run / 'report.html'}\n"), done.stderr
    assert (run / "junit.xml").is_file() and (run / "summary.md").is_file()


def test_report_of_no_run_is_one_clear_error(tmp_path: Path) -> None:
    for path in (tmp_path / "nope", tmp_path):
        done = paxtest("report", str(path))
        assert done.returncode == 254 and str(path) in done.stderr and "hint" in done.stderr
        assert "Traceback" not in done.stderr and not list(tmp_path.iterdir())


def test_serve_prints_its_address_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    build(tmp_path / "t" / "1", operations=10)
    command = [*PAXTEST, "serve", "--store", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        try:
            assert it.stdout is not None
            address = re.search(r"http://127\.0\.0\.1:(\d+)/", it.stdout.readline())
            assert address is not None
            with urllib.request.urlopen(address[0], timeout=30) as answer:
                assert b"valid" in answer.read()
            taken = paxtest("serve", "--store", str(tmp_path), "--port", address[1])
            assert taken.returncode == 255 and "in use" in taken.stderr, taken.stderr
            assert "Traceback" not in taken.stderr
            it.send_signal(signal.SIGINT)
            assert it.wait(30) == 0
            assert "Traceback" not in it.communicate()[1]
        finally:
            it.kill()


@pytest.mark.parametrize("arguments", [["--store", "/nope"], ["--port", "70000"], ["--port", "x"]])
def test_serve_refuses_what_cannot_be(arguments: list[str]) -> None:
    done = paxtest("serve", "--port", "0", *arguments)
    assert done.returncode == 254 and "Traceback" not in done.stderr, done.stderr
