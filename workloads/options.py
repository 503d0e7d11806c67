"""Reading a workload's options: what is wrong is said with the option's name and what it may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from paxtest.errors import PlanError, did_you_mean

T = TypeVar("T", bound=msgspec.Struct)


def read(workload: str, options: Mapping[str, Any], schema: type[T]) -> T:
    """`options` as a `schema`. Raises PlanError for unknown names and impossible values."""
    known = [field.name for field in msgspec.structs.fields(schema)]
    for name in options:
        if name not in known:
            raise PlanError(
                f"workload {workload} has no option {name!r}",
                f"{did_you_mean(name, known)}its options: {', '.join(known)}",
            )
    try:
        return msgspec.convert(dict(options), schema, strict=False)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        named = re.sub(r"[`$.\[\]]", " ", where).split()[:1]
        name = named[0] if named else "?"
        raise PlanError(
            f"workload {workload}, option {name}: {options.get(name)!r} cannot be: {what}",
            f"docs/reference/workloads.md lists the options of {workload}",
        ) from None
