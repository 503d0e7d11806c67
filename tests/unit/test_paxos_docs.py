"""The explanation of Paxos names places in the code; they must be there."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from paxtest.cluster import paxos_server

PAGE = Path(__file__).resolve().parents[2] / "docs/explanation/paxos.md"
FOLDER = Path(paxos_server.__file__).parent


def classes() -> dict[str, type]:
    modules = [
        importlib.import_module(f"{paxos_server.__name__}.{module.name}")
        for module in pkgutil.iter_modules([str(FOLDER)])
        if module.name != "__main__"
    ]
    return {n: c for m in modules for n, c in vars(m).items() if isinstance(c, type)}


def test_methods_that_the_explanation_names_exist() -> None:
    known = classes()
    named = re.findall(r"`([A-Z]\w+)\.(\w+)`", PAGE.read_text("utf-8"))
    assert len(named) >= 10
    missing = [f"{c}.{m}" for c, m in named if not hasattr(known.get(c), m)]
    assert not missing


def test_modules_that_the_explanation_names_exist() -> None:
    named = re.findall(r"`(\w+\.py)`", PAGE.read_text("utf-8"))
    assert named and all((FOLDER / name).is_file() for name in named), named


def test_tests_that_the_explanation_names_exist() -> None:
    named = re.findall(r"`(test_\w+)`", PAGE.read_text("utf-8"))
    there = "".join(
        path.read_text("utf-8") for path in Path(__file__).parent.glob("test_paxos_*.py")
    )
    assert len(named) >= 15
    assert [name for name in named if f"def {name}(" not in there] == []
