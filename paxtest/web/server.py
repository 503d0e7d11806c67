"""A read-only web server for a store. Decision 061 says why its headers are what they are."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from paxtest.errors import AddressInUse, EnvironmentError_, StoreError, UsageError
from paxtest.web import pages
from paxtest.web.files import NotThere, locate, open_regular
from paxtest.web.runs import Runs

CONNECTIONS_MAX = 64
REQUEST_TIMEOUT_S = 30.0
CHUNK_BYTES = 1 << 16

# A report brings its own, tighter policy as a <meta>: only its two scripts, by their hashes.
# Both apply. The sandbox makes its origin opaque: should a store hold a foreign report.html,
# its scripts can neither read other pages of this server nor send anything anywhere.
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts"
)
FILE_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"

HINTS = {
    403: "Open the address that paxtest serve printed, or name this host with --host.",
    404: "It may have been removed. The list of runs has what there is.",
    405: "This server only shows; only GET and HEAD are answered.",
}


class Server(ThreadingHTTPServer):
    """The server, bound and listening once constructed. Raises AddressInUse, StoreError."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, store: Path, host: str = "127.0.0.1", port: int = 8080) -> None:
        if not store.is_dir():
            raise StoreError(f"{store} is not a directory", "name the store with --store")
        if not 0 <= port <= 65535:
            raise UsageError(f"port {port} is not between 0 and 65535", "try --port 8080")
        self.store = store.resolve()
        self.runs = Runs(self.store)
        self.names = {"localhost", host.lower(), socket.gethostname().lower()}
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            raise _bind_error(error, host, port) from None

    @property
    def url(self) -> str:
        """Where a browser finds the list."""
        host, port = self.server_address[:2]
        shown = str(host)
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"

    def server_bind(self) -> None:
        # HTTPServer's own asks the resolver for this host's name, which may take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def knows(self, host_header: str) -> bool:
        """Whether a Host header names this server: an address, or a name it is known by.

        A page of another site can make its name resolve to 127.0.0.1 (DNS rebinding) and would
        then pass for this server; but it cannot send an address in place of its name.
        """
        name = host_header.strip().lower()
        name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        if name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def process_request(self, request: Any, client_address: Any) -> None:
        self._free.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: Server
    server_version = "paxtest"
    sys_version = ""
    timeout = REQUEST_TIMEOUT_S

    def do_GET(self) -> None:
        """The list, a directory or a file."""
        if not self.server.knows(self.headers.get("Host", "")):
            self.send_error(403, "This server is not known by that name")
            return
        path = self.path.partition("?")[0].partition("#")[0]
        try:
            if path == "/":
                self._page(pages.run_list(self.server.store, self.server.runs.newest_first()))
            elif path.startswith("/store/"):
                self._stored(path)
            else:
                raise NotThere
        except NotThere:
            self.send_error(404, "There is no such page or file")

    do_HEAD = do_GET

    def _stored(self, path: str) -> None:
        store = self.server.store
        real = locate(store, path.removeprefix("/store/"))
        if real.is_dir():
            if not path.endswith("/"):
                self._start(HTTPStatus.MOVED_PERMANENTLY, "text/plain", 0, FILE_POLICY,
                            Location="/" + path.lstrip("/") + "/")  # fmt: skip
                return
            self._page(pages.directory(real, store))
            return
        handle, size = open_regular(store, real)
        with os.fdopen(handle, "rb") as file:
            inside = real.relative_to(store).parts
            # Only a run's own report is a page. What came from a node is never more than text.
            if len(inside) == 3 and inside[-1] == "report.html":
                self._start(HTTPStatus.OK, "text/html; charset=utf-8", size, REPORT_POLICY)
            elif b"\0" in file.peek(CHUNK_BYTES)[:CHUNK_BYTES]:
                self._start(HTTPStatus.OK, "application/octet-stream", size, FILE_POLICY,
                            Content_Disposition="attachment")  # fmt: skip
            else:
                self._start(HTTPStatus.OK, "text/plain; charset=utf-8", size, FILE_POLICY)
            # A log may grow meanwhile: send what was promised, no more.
            while self.command != "HEAD" and size > 0:
                chunk = file.read(min(size, CHUNK_BYTES))
                if not chunk:
                    break
                self.wfile.write(chunk)
                size -= len(chunk)

    def _page(self, text: str, code: int = 200, **headers: str) -> None:
        body = text.encode("utf-8", "backslashreplace")
        self._start(code, "text/html; charset=utf-8", len(body), pages.policy(), **headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _start(self, code: int, kind: str, size: int, policy: str, **headers: str) -> None:
        self.send_response(code)
        fixed = {
            "Content-Type": kind,
            "Content-Length": str(size),
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-cache",
        }
        for name, value in (fixed | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """An error page of our own, also for what the standard library refuses."""
        headers = {}
        if code == HTTPStatus.NOT_IMPLEMENTED:
            code, message, headers = 405, "Nothing can be changed here", {"Allow": "GET, HEAD"}
        self.close_connection = True
        what = message or HTTPStatus(code).phrase
        self._page(pages.error(code, what, HINTS.get(code, "")), code, **headers)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are nobody's business."""


def _bind_error(error: OSError, host: str, port: int) -> Exception:
    if error.errno == errno.EADDRINUSE:
        return AddressInUse(
            f"port {port} of {host} is in use",
            f"stop what listens there (ss -ltnp 'sport = :{port}'), or choose another: --port 0 "
            "takes any free one",
        )
    return EnvironmentError_(
        f"cannot listen on port {port} of {host}: {error.strerror}",
        "use --host 127.0.0.1, and a port from 1024 on unless you are root",
    )
