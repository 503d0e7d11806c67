"""Bytes sent to a server that may end the connection at any of them."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable


def throw(address: tuple[str, int], parts: Iterable[bytes], timeout_s: float = 20.0) -> bytes:
    """Send this on a connection of its own; what came back until the server closed it, or until it
    had nothing more to say. Raises TimeoutError where it does neither."""
    back = b""
    connection = socket.create_connection(address, timeout_s)
    with connection, contextlib.suppress(ConnectionError):
        for part in parts:
            connection.sendall(part)
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError as problem:
            if problem.errno != errno.ENOTCONN:  # the server was faster
                raise
        while received := connection.recv(1 << 20):
            back += received
    return back
