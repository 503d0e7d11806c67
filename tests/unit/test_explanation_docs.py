"""The explanations name files, classes, functions, bugs and tests; they must be there."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest

from paxtest import auditor
from paxtest.cluster import paxos_server
from paxtest.cluster.paxos_server import perkey
from paxtest.cluster.paxos_server.bugs import BUGS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs/explanation").glob("*.md"))
FOLDERS = "benchmarks|cluster|core|docs|nemesis|paxtest|tests|workloads"
ABOUT = {"paxos.md": paxos_server, "perkey.md": perkey, "lemmas.md": auditor}
"""Whose code a page explains: names without a path are looked for there."""


def spans(page: Path) -> set[str]:
    """What stands in `backticks`, outside of blocks of code."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.S | re.M)
    return set(re.findall(r"`([^`\n]+)`", text))


def fitting(page: Path, pattern: str) -> list[str]:
    return sorted(span for span in spans(page) if re.fullmatch(pattern, span))


def folder(package: ModuleType) -> Path:
    assert package.__file__
    return Path(package.__file__).resolve().parent


def classes(package: ModuleType) -> dict[str, type]:
    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules([str(folder(package))])
        if module.name != "__main__"
    ]
    return {n: c for m in modules for n, c in vars(m).items() if isinstance(c, type)}


def has(owner: type, member: str) -> bool:
    return hasattr(owner, member) or bool(
        re.search(rf"\b(self\.)?{member}: |\bself\.{member} = ", inspect.getsource(owner))
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_an_explanation_names_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    paths = set(re.findall(rf"(?<![\w/.-])((?:{FOLDERS})/[\w./-]*[\w/])", text))
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    about = folder(ABOUT[page.name]) if page.name in ABOUT else ROOT
    missing = [name for name in fitting(page, r"\w+\.py") if not (about / name).is_file()]
    assert missing == []
    sources = {path.name for path in (ROOT / "core/src").rglob("*.rs")}
    assert [name for name in fitting(page, r"\w+\.rs") if name not in sources] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_an_explanation_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]*)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("name", ABOUT)
def test_classes_members_and_functions_that_an_explanation_names_exist(name: str) -> None:
    page, package = ROOT / "docs/explanation" / name, ABOUT[name]
    known = classes(package)
    alone = fitting(page, r"[A-Z][a-z]+[A-Za-z]*")
    members = [span.split(".") for span in fitting(page, r"[A-Z]\w+\.\w+")]
    assert [n for n in alone if n not in known] == []
    assert [f"{c}.{m}" for c, m in members if c not in known or not has(known[c], m)] == []
    if package is not auditor:
        assert len(members) >= 7
    source = "".join(path.read_text("utf-8") for path in folder(package).rglob("*.py"))
    if package is perkey:
        source += (folder(paxos_server) / "config.py").read_text("utf-8")
    words = [w for w in fitting(page, r"_?[a-z]+(_[a-z]+)+") if not w.startswith("test_")]
    assert [w for w in words if not re.search(rf"\b{w}\b", source)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_bugs_and_tests_that_an_explanation_names_exist(page: Path) -> None:
    named = re.findall(r"\b[Bb]ugs?\s+`([a-z-]+)`", page.read_text("utf-8"))
    assert [bug for bug in named if bug not in BUGS] == []
    tests = fitting(page, r"test_\w+")
    there = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [test for test in tests if f"def {test}(" not in there] == []
    assert len(tests) >= 15 or page.name != "paxos.md"
