"""Registry: bundled parts by name, installed ones by entry point, anybody's by `path.py:Name`."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from paxtest.errors import PlanError, did_you_mean

T = TypeVar("T")


class Registry(Generic[T]):
    """Looks a factory up by name; imports it only then."""

    def __init__(self, noun: str, group: str, bundled: Mapping[str, str]) -> None:
        self.noun = noun
        self.group = group
        self.bundled = dict(bundled)

    def names(self) -> list[str]:
        """All names that `load` knows, sorted."""
        return sorted({*self.bundled, *entry_points(group=self.group).names})

    def load(self, name: str) -> T:
        """The thing called `name`. Raises PlanError naming the known ones and the closest."""
        if ".py:" in name:
            return self._from_file(name)
        if name in self.bundled:
            module, _, attribute = self.bundled[name].partition(":")
            return cast(T, getattr(importlib.import_module(module), attribute))
        for entry in entry_points(group=self.group):
            if entry.name == name:
                return cast(T, self._imported(entry.load, name))
        known = self.names()
        raise PlanError(
            f"unknown {self.noun} {name!r}",
            f"{did_you_mean(name, known)}known: {', '.join(known)}; or give path.py:Name",
        )

    def _from_file(self, name: str) -> T:
        file, _, attribute = name.rpartition(":")
        path = Path(file)
        if not path.is_file():
            raise PlanError(
                f"{self.noun} {name!r}: no file {file}", "give the path of an existing .py file"
            )
        spec = importlib.util.spec_from_file_location(f"paxtest_user_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        loader = spec.loader
        self._imported(lambda: loader.exec_module(module), name)
        found = getattr(module, attribute, None)
        if found is None:
            public = [n for n in vars(module) if not n.startswith("_")]
            raise PlanError(
                f"{self.noun} {name!r}: {file} defines no {attribute!r}",
                f"it defines: {', '.join(public) or 'nothing'}",
            )
        return cast(T, found)

    def _imported(self, load: Any, name: str) -> Any:
        try:
            return load()
        except Exception as error:
            raise PlanError(
                f"{self.noun} {name!r} cannot be imported: {type(error).__name__}: {error}",
                "mend that module; python -c 'import ...' shows the whole traceback",
            ) from error
