"""Histories from files of any known format, and to files. The parsers are in the native core.

`read(path)` guesses the format; `write(history, path)` goes by the file's ending.
"""

from __future__ import annotations

from pathlib import Path

from paxtest import _core
from paxtest.errors import HistoryError, UsageError

__all__ = ["FORMATS", "history_error", "read", "write"]

FORMATS = ("auto", "jsonl", "edn", "kv", "jepsen-log", "csv")


def read(
    path: Path,
    format: str = "auto",
    *,
    independent: bool | None = None,
    memory_mb: int | None = None,
) -> _core.History:
    """The history in `path`. Raises HistoryError naming the line, what stands there and what
    was expected.

    `independent`: whether values are tuples [key value] as of jepsen.independent (None: told
    from the content). `memory_mb`: what the parsed history may take (None: 4096).
    """
    try:
        return _core.History.read(path, format, independent=independent, memory_mb=memory_mb)
    except _core.FormatError as error:
        raise history_error(path, error) from None


def history_error(path: Path, error: _core.FormatError) -> HistoryError:
    """The core's complaint in the words of errors.py."""
    message, line, text, hint = error.args
    where = f"{path}, line {line}" if line else str(path)
    return HistoryError(f"{where}: {message}" + (f": {text}" if text else ""), hint)


def write(history: _core.History, path: Path) -> None:
    """Write the history as JSONL, EDN or Parquet, by the file's ending.

    EDN is for Knossos and jepsen.independent: several keys make tuples [key value], one key
    alone is left out. Events of the nemesis are no operations and are not written. Raises
    UsageError for another ending, or where pyarrow is missing.
    """
    try:
        match path.suffix.lower():
            case ".jsonl":
                history.write(path, "jsonl")
            case ".edn":
                history.write(path, "edn")
            case ".parquet":
                from paxtest.formats import parquet

                parquet.write(history, path)
            case other:
                raise UsageError(
                    f"cannot tell what to write from the ending {other!r} of {path}",
                    "name a file that ends in .jsonl, .edn or .parquet",
                )
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "choose another file") from None
