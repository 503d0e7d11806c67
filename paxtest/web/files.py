"""Open a file of the store by the path of a URL, and never one outside of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import unquote

PATH_MAX = 1_024


class NotThere(Exception):
    """No such file, or none that may be shown; a client is told no difference."""


def locate(store: Path, url_path: str) -> Path:
    """The real path that `url_path` (percent-encoded, below the store) leads to.

    `store` must be resolved. Raises NotThere for `..`, hidden names, NUL, and for links that
    lead out of the store.
    """
    if len(url_path) > PATH_MAX:
        raise NotThere
    try:
        parts = [part for part in unquote(url_path, errors="strict").split("/") if part]
    except UnicodeDecodeError:
        raise NotThere from None
    if any(part.startswith(".") or "\0" in part or "\\" in part for part in parts):
        raise NotThere
    try:
        real = store.joinpath(*parts).resolve(strict=True)
    except (OSError, RuntimeError):
        raise NotThere from None
    if not _inside(store, real):
        raise NotThere
    return real


def open_regular(store: Path, real: Path) -> tuple[int, int]:
    """A descriptor of the file and its size in bytes. Raises NotThere.

    What was opened is checked once more: a link may have been put in its place since `locate`.
    """
    try:
        # NONBLOCK: a named pipe would wait for its writer.
        handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise NotThere from None
    try:
        state = os.fstat(handle)
        opened = Path(os.readlink(f"/proc/self/fd/{handle}"))
        if not stat.S_ISREG(state.st_mode) or not _inside(store, opened):
            raise NotThere
    except (OSError, NotThere):
        os.close(handle)
        raise NotThere from None
    return handle, state.st_size


def _inside(store: Path, path: Path) -> bool:
    if path != store and store not in path.parents:
        return False
    return not any(part.startswith(".") for part in path.relative_to(store).parts)
