"""The explanation of the engine perkey names places in the code; they must be there."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from paxtest.cluster.paxos_server import perkey

PAGE = Path(__file__).resolve().parents[2] / "docs/explanation/perkey.md"
FOLDER = Path(perkey.__file__).parent


def test_classes_methods_and_modules_that_the_explanation_names_exist() -> None:
    text = PAGE.read_text("utf-8")
    modules = [
        importlib.import_module(f"{perkey.__name__}.{module.name}")
        for module in pkgutil.iter_modules([str(FOLDER)])
    ]
    known = {n: c for m in modules for n, c in vars(m).items() if isinstance(c, type)}
    named = [
        (c, m) for c, m in re.findall(r"`([A-Z]\w+)\.(\w+)`", text) if (c, m) != ("Entry", "done")
    ]
    assert len(named) >= 6
    assert [f"{c}.{m}" for c, m in named if not hasattr(known.get(c), m)] == []
    files = re.findall(r"`(\w+\.py)`", text)
    assert len(files) >= 8 and all((FOLDER / name).is_file() for name in files), files
