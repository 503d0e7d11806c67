"""Parquet: one operation a row, for pandas, DuckDB and the like (extra `parquet`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from paxtest import _core
from paxtest.errors import UsageError

if TYPE_CHECKING:
    import pyarrow

ROWS_AT_ONCE = 50_000


def write(history: _core.History, path: Path) -> None:
    """Columns: index, process, f, type, key, arg, value (JSON texts), invoked_ns, completed_ns,
    node, error_class, error_text. Times are null where the history has none."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetWriter
    except ImportError:
        raise UsageError(
            "writing Parquet needs pyarrow, which is not installed",
            "pip install 'paxtest[parquet]'",
        ) from None
    schema = pyarrow.schema(
        [
            ("index", pyarrow.int64()),
            ("process", pyarrow.string()),
            ("f", pyarrow.string()),
            ("type", pyarrow.string()),
            ("key", pyarrow.string()),
            ("arg", pyarrow.string()),
            ("value", pyarrow.string()),
            ("invoked_ns", pyarrow.int64()),
            ("completed_ns", pyarrow.int64()),
            ("node", pyarrow.string()),
            ("error_class", pyarrow.string()),
            ("error_text", pyarrow.string()),
        ]
    )
    with ParquetWriter(path, schema) as writer:
        for start in range(0, max(len(history), 1), ROWS_AT_ONCE):
            end = min(len(history), start + ROWS_AT_ONCE)
            writer.write_table(_table(pyarrow, schema, history, range(start, end)))


def _table(pyarrow_: Any, schema: pyarrow.Schema, history: _core.History, numbers: range) -> Any:
    rows = [_row(history, number) for number in numbers]
    return pyarrow_.Table.from_pylist(rows, schema=schema)


def _row(history: _core.History, number: int) -> dict[str, Any]:
    op = history.operation(number)
    error = op["error"] or (None, None)
    return {
        "index": op["index"],
        "process": str(op["process"]),
        "f": op["f"],
        "type": op["type"],
        "key": _json(op["key"]),
        "arg": _json(op["arg"]),
        "value": _json(op["out"]),
        "invoked_ns": op["invoked_ns"] if history.timed else None,
        "completed_ns": op["completed_ns"] if history.timed else None,
        "node": op["node"],
        "error_class": error[0],
        "error_text": error[1],
    }


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
