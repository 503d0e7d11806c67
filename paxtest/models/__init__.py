"""Sequential specifications: names of the native ones, and the base for Python ones."""

from __future__ import annotations

from typing import NamedTuple

from paxtest import _core
from paxtest.models.base import Inconsistent, Model, Operation, native

__all__ = ["About", "Inconsistent", "Model", "Operation", "names", "native"]


class About(NamedTuple):
    """A native model: what it is, the functions it has, and how it can be decided."""

    name: str
    about: str
    functions: tuple[str, ...]
    algorithms: tuple[str, ...]


def names() -> list[About]:
    """The native models, as `paxtest list models` shows them."""
    return [
        About(n, about, tuple(fs), tuple(algorithms)) for n, about, fs, algorithms in _core.models()
    ]
