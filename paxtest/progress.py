"""Progress: what a person sees on the terminal while a run goes on."""

from __future__ import annotations

import sys
import time
from typing import TextIO

PLAIN_INTERVAL_S = 5.0  # a log file wants a line now and then
TERMINAL_INTERVAL_S = 0.5


class Progress:
    """One line that is rewritten on a terminal; a line every five seconds elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._terminal = self._stream.isatty()
        self._shown_at = 0.0
        self._open = False

    def note(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        self._write(text + "\n")

    def update(self, text: str) -> None:
        """The line that moves; dropped when it comes too soon after the last."""
        now = time.monotonic()
        interval = TERMINAL_INTERVAL_S if self._terminal else PLAIN_INTERVAL_S
        if now - self._shown_at < interval:
            return
        self._shown_at = now
        if self._terminal:
            self._write(f"\r\x1b[K{text}")
            self._open = True
        else:
            self._write(text + "\n")

    def _clear(self) -> None:
        if self._open:
            self._write("\r\x1b[K")
            self._open = False

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            pass  # nobody reads any more; the run itself goes on
