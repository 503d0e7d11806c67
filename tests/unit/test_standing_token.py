"""The token that ends a command's output in a standing shell. The shell itself: conformance."""

from __future__ import annotations

from paxtest.remote.shell import Capped
from paxtest.remote.standing import _Until, new_token


def test_output_that_ends_like_a_token_is_output() -> None:
    for _ in range(200):
        token = new_token()
        for kept in range(len(token)):
            sink = Capped(100)
            until = _Until(sink, token)
            until.take(f"{token[:kept]}{token}0 none\n".encode())
            assert until.rest == b"0 none", f"token {token}, {kept} characters of it before"
            assert sink.text() == token[:kept]
