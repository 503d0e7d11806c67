"""Histories from files of any known format, and to files. The parsers are in the native core.

history = formats.read(Path("history.jsonl"))
"""

from __future__ import annotations

from pathlib import Path

from paxtest import _core
from paxtest.errors import HistoryError

__all__ = ["read"]


def read(path: Path, format: str = "auto", *, memory_mb: int | None = None) -> _core.History:
    """The history in `path`. Raises HistoryError naming the line, what stands there and what
    was expected."""
    try:
        return _core.History.read(path, format, memory_mb=memory_mb)
    except _core.FormatError as error:
        raise history_error(path, error) from None


def history_error(path: Path, error: _core.FormatError) -> HistoryError:
    """The core's complaint in the words of errors.py."""
    message, line, text, hint = error.args
    where = f"{path}, line {line}" if line else str(path)
    return HistoryError(f"{where}: {message}" + (f": {text}" if text else ""), hint)
