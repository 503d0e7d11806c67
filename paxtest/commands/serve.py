"""`paxtest serve`: browse the runs of a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    store: Annotated[Path, typer.Option(help="The store: where runs are kept.")] = Path("store"),
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 takes any free one.")] = 8080,
) -> None:
    """List the runs of a store on a local web page, and open their reports. Ctrl+C ends it."""
    from paxtest.web.server import Server

    with Server(store, host, port) as server:
        print(f"serving {server.store} at {server.url} (Ctrl+C ends it)", flush=True)
        if host not in ("127.0.0.1", "localhost", "::1"):
            print("anyone who reaches this address can read the store", flush=True)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            print("bye", flush=True)
