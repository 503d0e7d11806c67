"""The web server shows a store, only that, and changes nothing."""

from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample_runs import build
from sockets import throw

from paxtest.errors import AddressInUse, StoreError, UsageError
from paxtest.web.runs import Runs, shown_time
from paxtest.web.server import Server

SECRET = "nobody outside of the store may see this"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    run = build(store / "paxos" / "20261124T050000.000Z", "invalid", operations=20)
    (run / "report.html").write_text("<!doctype html><title>a report</title>")
    (store / "paxos" / "latest").symlink_to(run.name)
    (store / "latest").symlink_to(f"paxos/{run.name}")
    (tmp_path / "secret.txt").write_text(SECRET)
    return store


@pytest.fixture
def server(store: Path) -> Iterator[Server]:
    with Server(store, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Answer:
    def __init__(self, server: Server, path: str, method: str = "GET", **headers: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        self.code, self.headers = response.status, response.headers
        self.text = response.read().decode("utf-8", "replace")
        connection.close()


RUN = "/store/paxos/20261124T050000.000Z/"


def test_lists_runs_and_opens_their_files(server: Server) -> None:
    page = Answer(server, "/")
    assert page.code == 200 and "invalid" in page.text and f'href="{RUN}report.html"' in page.text
    files = Answer(server, RUN)
    assert files.code == 200 and "./history.jsonl" in files.text
    report = Answer(server, RUN + "report.html")
    assert report.code == 200 and report.headers["Content-Type"].startswith("text/html")
    log = Answer(server, RUN + "nodes/n1/paxos.log")
    assert log.text.startswith("n1: elected")
    assert Answer(server, RUN.rstrip("/")).headers["Location"] == RUN


def test_links_inside_the_store_work(server: Server) -> None:
    assert Answer(server, "/store/latest/plan.yaml").code == 200
    assert Answer(server, "/store/paxos/latest/").code == 200


@pytest.mark.parametrize(
    "path",
    ["/store/../secret.txt", "/store/%2e%2e/secret.txt", "/store/..%2fsecret.txt",
     "/store//../secret.txt", "/store/paxos/..%2f..%2fsecret.txt", "/store/..%5csecret.txt",
     "/../secret.txt", "/secret.txt", "//secret.txt", "/store/%00", "/store/%ff", "/store/.hidden",
     "/store/" + "a" * 5_000, "/store/" + "a/" * 400, "/nothing", "/store/paxos/nothing"],
)  # fmt: skip
def test_nothing_outside_of_the_store(server: Server, path: str, store: Path) -> None:
    (store / ".hidden").write_text(SECRET)
    answer = Answer(server, path)
    assert answer.code == 404 and SECRET not in answer.text
    assert "All runs" in answer.text, "an error page of our own"


def test_no_link_leads_out(server: Server, store: Path, tmp_path: Path) -> None:
    run = store / "paxos" / "20261124T050000.000Z"
    (run / "out").symlink_to(tmp_path / "secret.txt")
    (run / "up").symlink_to("../../..")
    (run / "loop").symlink_to("loop")
    (run / "hidden").symlink_to("../../.hidden")
    (store / ".hidden").write_text(SECRET)
    for path in ("out", "up/secret.txt", "up/", "loop", "hidden"):
        answer = Answer(server, RUN + path)
        assert answer.code == 404 and SECRET not in answer.text, path
    assert "secret" not in Answer(server, RUN).text
    # Nor may a run's parts be links: the list would show what they hold.
    away = tmp_path / "away"
    (store / "paxos" / "2").mkdir()
    away.write_text("name: x\nsystem: leaked-by-list\n")
    (store / "paxos" / "2" / "plan.yaml").symlink_to(away)
    assert "leaked-by-list" not in Answer(server, "/").text


def test_a_named_pipe_is_not_waited_for(server: Server, store: Path) -> None:
    os.mkfifo(store / "paxos" / "20261124T050000.000Z" / "pipe")
    assert Answer(server, RUN + "pipe").code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_nothing_can_be_changed(server: Server, method: str) -> None:
    answer = Answer(server, "/", method)
    assert answer.code == 405 and answer.headers["Allow"] == "GET, HEAD"


def test_head_has_no_body(server: Server) -> None:
    for path in ("/", RUN, RUN + "report.html", "/nothing"):
        head, get = Answer(server, path, "HEAD"), Answer(server, path)
        assert head.text == "" and head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize("path", ["/", RUN, RUN + "report.html", RUN + "plan.yaml", "/nothing"])
def test_every_answer_is_locked_down(server: Server, path: str) -> None:
    headers = Answer(server, path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "connect-src" not in policy
    assert "frame-ancestors 'none'" in policy
    if "report" not in path:
        assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Python" not in headers["Server"]


def test_what_came_from_a_node_is_text_whatever_its_name(server: Server, store: Path) -> None:
    node = store / "paxos" / "20261124T050000.000Z" / "nodes" / "n1"
    (node / "report.html").write_text("<script>alert(1)</script>")
    (node / "x.svg").write_text("<svg onload=alert(1)>")
    (node / "core").write_bytes(b"\x7fELF\x00\x00")
    for name in ("report.html", "x.svg"):
        headers = Answer(server, RUN + "nodes/n1/" + name).headers
        assert headers["Content-Type"].startswith("text/plain")
        assert "sandbox" in headers["Content-Security-Policy"]
    core = Answer(server, RUN + "nodes/n1/core").headers
    assert core["Content-Disposition"] == "attachment"


@pytest.mark.parametrize(
    ("host", "code"),
    [("127.0.0.1", 200), ("127.0.0.1:8080", 200), ("localhost:9", 200), ("[::1]:8080", 200),
     ("LOCALHOST", 200), ("evil.example", 403), ("127.0.0.1.evil.example:8080", 403), ("", 403),
     ("localhost.evil.example", 403), ("[evil]", 403)],
)  # fmt: skip
def test_other_sites_cannot_pass_for_this_one(server: Server, host: str, code: int) -> None:
    assert Answer(server, "/", Host=host).code == code


def test_a_port_in_use_is_one_clear_error(server: Server, store: Path) -> None:
    with pytest.raises(AddressInUse) as caught:
        Server(store, port=server.server_port)
    assert str(server.server_port) in caught.value.message and "--port" in caught.value.hint


def test_other_mistakes_are_clear_errors_too(tmp_path: Path, store: Path) -> None:
    with pytest.raises(StoreError, match="nope"):
        Server(tmp_path / "nope")
    with pytest.raises(UsageError, match="65536"):
        Server(store, port=65_536)


def test_garbage_does_not_stop_it(server: Server) -> None:
    for garbage in (b"\x16\x03\x01\x00\xff\n\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b""):
        throw(("127.0.0.1", server.server_port), [garbage])
    assert Answer(server, "/").code == 200


def test_crashed_and_damaged_runs_are_listed(store: Path, server: Server) -> None:
    crashed = build(store / "paxos" / "20261124T060000.000Z", operations=10)
    (crashed / "results.json").unlink()
    torn = build(store / "paxos" / "20261124T070000.000Z", operations=10)
    (torn / "results.json").write_text('{"verdict": "val')
    (torn / "plan.yaml").write_bytes(b"\xff: [")
    (store / "README.md").write_text("not a run")
    (store / "paxos" / "empty").mkdir()
    rows = Runs(store).newest_first()
    assert [(row.time, row.verdict, row.system) for row in rows] == [
        ("2026-11-24 07:00:00", "none", ""),
        ("2026-11-24 06:00:00", "none", "paxos"),
        ("2026-11-24 05:00:00", "invalid", "paxos"),
    ]
    assert Answer(server, "/").text.count("no verdict") >= 2


def test_hundreds_of_runs_and_changes_are_seen(store: Path) -> None:
    first = build(store / "many" / "20261123T000000.000Z", "valid", operations=20)
    for number in range(1, 300):
        other = store / "many" / f"20261123T{number // 60:02d}{number % 60:02d}01.000Z"
        other.mkdir()
        for part in ("results.json", "plan.yaml"):
            (other / part).write_bytes((first / part).read_bytes())
    runs = Runs(store)
    rows = runs.newest_first()
    assert len(rows) == 301 and rows == sorted(rows, key=lambda r: r.time, reverse=True)
    assert runs.newest_first() == rows
    text = (first / "results.json").read_text().replace('"verdict":"valid"', '"verdict":"unknown"')
    (first / "results.json").write_text(text)
    assert runs.newest_first()[-1].verdict == "unknown"


def test_hostile_names_stay_text(store: Path, server: Server) -> None:
    build(store / "<img src=x onerror=alert(1)>" / '"><script>x', operations=5, name="{{7*7}}")
    text = Answer(server, "/").text
    assert "<img" not in text and "<script>x" not in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [("20261124T050000.123Z", "2026-11-24 05:00:00"), ("mine", "mine"),
     ("99999999999999", "99999999999999")],
)  # fmt: skip
def test_times_are_read_from_directory_names(name: str, shown: str) -> None:
    assert shown_time(name) == shown
