"""Log patterns: a traceback or panic in a node's log fails the run.

A replica that died of its own bug may well have been restarted before any client saw an anomaly.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from paxtest.checkers.protocol import Evidence
from paxtest.verdict import CheckResult, Verdict

PATTERNS = (
    r"^Traceback \(most recent call last\)",  # Python
    r"^panic: ",  # Go
    r"^fatal error: ",  # the Go runtime
    r"^thread '.*' (\(\d+\) )?panicked at ",  # Rust
    r"^Exception in thread ",  # the JVM
    r"^# A fatal error has been detected by the Java Runtime",
    r"\b[Ss]egmentation fault\b",
    r"\bAssertion `.*' failed\b",  # C
    r"^terminate called after throwing",  # C++
    r"^(==\d+==)?ERROR: \w+Sanitizer",
)
"""A crash of the process, in the words of its language's runtime. Nothing that a system merely
logs about its peers or its clients."""

FINDINGS_KEPT = 20
EXCERPT_LINES = 30
LINE_BYTES = 8192
HALF_BYTES = 64 << 20
"""Of a file larger than twice this, the first and the last so many bytes are read."""


class LogPatterns:
    """`details`: {"findings": [{"node", "file", "line", "offset", "pattern", "excerpt"}], "files":
    n, "bytes": n, "limits": [...]}. `line` counts from 1, null behind a part that was skipped."""

    name = "log-patterns"

    def __init__(self, patterns: Iterable[str] = PATTERNS) -> None:
        self._pattern = re.compile("|".join(f"(?:{p})" for p in patterns).encode())

    def check(self, evidence: Evidence) -> CheckResult:
        findings: list[dict[str, Any]] = []
        limits: list[str] = []
        deadline = time.monotonic() + evidence.time_budget_s
        files = total_bytes = more = 0
        for node in sorted(evidence.logs):
            for path in evidence.logs[node]:
                if time.monotonic() > deadline:
                    limits.append(f"{node}: {path.name} not read: the time budget was spent")
                    continue
                try:
                    found, size = self._search(path, deadline, limits)
                except OSError as error:
                    limits.append(f"{node}: {path.name} could not be read: {error.strerror}")
                    continue
                files += 1
                total_bytes += size
                for finding in found:
                    if len(findings) < FINDINGS_KEPT:
                        findings.append({"node": node, "file": str(path), **finding})
                    else:
                        more += 1
        if more:
            limits.append(f"{more} further findings are not listed")
        return CheckResult(
            name=self.name,
            verdict=Verdict.INVALID if findings else Verdict.VALID,
            explanation=_explain(findings, more, files),
            details={
                "findings": findings,
                "files": files,
                "bytes": total_bytes,
                "limits": limits,
            },
        )

    def _search(
        self, path: Path, deadline: float, limits: list[str]
    ) -> tuple[list[dict[str, Any]], int]:
        found: list[dict[str, Any]] = []
        excerpt: list[str] | None = None
        read = 0
        for number, offset, line in _lines(path, limits):
            read += len(line)
            if excerpt is not None and len(excerpt) < EXCERPT_LINES:
                excerpt.append(line.decode("utf-8", "replace").rstrip("\n"))
            match = self._pattern.search(line)
            if match and (excerpt is None or len(excerpt) >= EXCERPT_LINES):
                excerpt = [line.decode("utf-8", "replace").rstrip("\n")]
                found.append(
                    {
                        "line": number,
                        "offset": offset,
                        "pattern": match.group().decode("utf-8", "replace"),
                        "excerpt": excerpt,
                    }
                )
            if read & 0xFFFF < len(line) and time.monotonic() > deadline:
                limits.append(f"{path.name}: only {read} bytes read: the time budget was spent")
                break
        for finding in found:
            finding["excerpt"] = "\n".join(finding["excerpt"])
        return found, read


def _lines(path: Path, limits: list[str]) -> Iterator[tuple[int | None, int, bytes]]:
    """(line number from 1, or None behind a gap; offset; at most LINE_BYTES of the line)."""
    size = path.stat().st_size
    gap = size > 2 * HALF_BYTES
    if gap:
        limits.append(
            f"{path.name}: {size} bytes, of which the first and last {HALF_BYTES} were read"
        )
    with path.open("rb") as file:
        number: int | None = 0
        offset = 0
        beginning = True
        while True:
            if gap and offset >= HALF_BYTES:
                gap, number, beginning = False, None, False
                offset = file.seek(size - HALF_BYTES)
            piece = file.readline(LINE_BYTES)
            if not piece:
                return
            if beginning:
                number = None if number is None else number + 1
                yield number, offset, piece
            beginning = piece.endswith(b"\n")
            offset += len(piece)


def _explain(findings: list[dict[str, Any]], more: int, files: int) -> str:
    if not findings:
        return "" if files else "No node's log was there to be read."
    first = findings[0]
    nodes = sorted({finding["node"] for finding in findings})
    place = f"line {first['line']}" if first["line"] else f"byte {first['offset']}"
    return (
        f"{first['node']}'s log {Path(first['file']).name}, {place}, shows a crash: "
        f"{first['excerpt'].splitlines()[0][:200]!r}"
        + (
            f" ({len(findings) + more} such places on {', '.join(nodes)})."
            if more or len(findings) > 1
            else "."
        )
    )
