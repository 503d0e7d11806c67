"""How values, times and counts are written in reports."""

from __future__ import annotations

import re
from typing import Any

import msgspec

TEXT_MAX = 200

_DANGEROUS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def plain(text: Any, limit: int = TEXT_MAX) -> str:
    """One line of text: control and direction-changing characters spelled out, long ones cut."""
    shown = str(text)
    cut = shown[:limit]
    cut = _DANGEROUS.sub(lambda m: f"\\u{ord(m.group()):04x}", cut)
    return cut + "…" if len(shown) > limit else cut


def prose(text: Any, limit: int = 20_000) -> str:
    """Like `plain`, over several lines."""
    return "\n".join(plain(line, limit) for line in str(text)[:limit].splitlines())


def value(v: Any, limit: int = TEXT_MAX) -> str:
    """A value from a history as JSON."""
    try:
        return plain(msgspec.json.encode(v).decode(), limit)
    except (TypeError, ValueError, RecursionError):
        return plain(repr(v), limit)


def call(f: str, outcome: str, v: Any, limit: int = 28) -> str:
    """An operation in few characters: `write 3`, `read → 3`, `cas 3 → 4`."""
    name = plain(f, limit)
    if f == "cas" and isinstance(v, list | tuple) and len(v) == 2:
        return f"{name} {value(v[0], limit)} → {value(v[1], limit)}"
    if f == "read" or f.startswith("get"):
        return f"{name} → {value(v, limit)}" if outcome == "ok" else f"{name} → ?"
    return name if v is None else f"{name} {value(v, limit)}"


def seconds(s: float | None, digits: int = 1) -> str:
    """Seconds, with minutes from two of them on: `12.4 s`, `3 min 05 s`."""
    if s is None:
        return "–"
    if s < 120:
        return f"{s:.{digits}f} s"
    minutes, rest = divmod(round(s), 60)
    if minutes < 120:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def at(time_ns: int | None) -> str:
    """A moment of the run in seconds: fine enough to tell operations apart."""
    return "–" if time_ns is None else f"{time_ns / 1e9:.4f}"


def latency(s: float | None) -> str:
    """A latency in the unit that suits it, three significant digits."""
    if s is None or s != s:
        return "–"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if s >= size:
            return f"{s / size:.3g} {unit}" if s / size < 1000 else f"{s / size:,.0f} {unit}"
    return f"{s * 1e9:.0f} ns"


def count(n: int, noun: str, plural: str = "") -> str:
    """`1 fault`, `2,000 faults`."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def kinds(found: dict[str, int]) -> str:
    """`5 partition, 3 kill`."""
    return ", ".join(f"{n:,} {plain(kind, 40)}" for kind, n in sorted(found.items()) if n)


def effect(effective: bool | None, failed: bool = False) -> str:
    """Whether a fault took effect, in words."""
    if failed:
        return "injection failed"
    if effective is None:
        return "not probed"
    return "yes" if effective else "no"
