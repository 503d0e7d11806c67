"""House rules, as far as a test can hold them."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("workloads", "nemesis", "cluster")
MAX_LINES = 400


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not any(part in LAYERS for part in path.relative_to(ROOT).parts[1:-1]):
                yield path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_relative_symlinks(name: str) -> None:
    link = ROOT / "paxtest" / name
    assert link.is_symlink() and link.readlink() == Path("..") / name


def test_nothing_imports_the_top_level_folders_by_their_bare_names() -> None:
    for path in sources("paxtest", *LAYERS, "tests"):
        bare = [name for name in imports(path) if name.split(".")[0] in LAYERS]
        assert not bare, f"{path}: import paxtest.{bare[0]} instead of {bare[0]}"


def test_the_reference_paxos_knows_nothing_of_the_control_node() -> None:
    for path in sorted((ROOT / "cluster/paxos_server").rglob("*.py")):
        ours = [name for name in imports(path) if name.split(".")[0] == "paxtest"]
        allowed = {"paxtest._core"}  # the simulator checks what it simulated
        assert set(ours) <= allowed or "simulator" in path.parts, f"{path} imports {ours}"


def test_dependencies_point_one_way() -> None:
    """commands -> runner -> (workloads, nemesis, cluster, checkers) -> the protocols -> errors."""
    forbidden = {
        "workloads": ("paxtest.runner", "paxtest.commands", "paxtest.cluster.docker"),
        "nemesis": ("paxtest.runner", "paxtest.commands", "paxtest.workloads"),
        "cluster": ("paxtest.runner", "paxtest.commands", "paxtest.nemesis", "paxtest.workloads"),
        "paxtest/checkers": ("paxtest.runner", "paxtest.commands", "paxtest.cluster"),
        "paxtest/generator": ("paxtest.runner", "paxtest.commands", "paxtest.cluster"),
        "paxtest/reports": ("paxtest.runner", "paxtest.commands", "paxtest.cluster"),
    }
    for folder, banned in forbidden.items():
        for path in sources(folder):
            crossed = [n for n in imports(path) for b in banned if n == b or n.startswith(b + ".")]
            assert not crossed, f"{path} imports {crossed[0]}: the arrow points the other way"


def test_every_module_says_what_it_is() -> None:
    for path in sources("paxtest", *LAYERS):
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), f"{path} has no docstring"


def test_modules_fit_in_the_head() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in sources("paxtest", *LAYERS)
        if (count := len(path.read_text("utf-8").splitlines())) > MAX_LINES
    }
    assert not long, f"over {MAX_LINES} lines, so probably more than one noun: {long}"


def test_nothing_swallows_every_exception_in_silence() -> None:
    """`except Exception: pass` without a comment that says why is a defect."""
    silent = re.compile(r"except (Base)?Exception[^\n]*:\n\s+pass\n")
    for path in sources("paxtest", *LAYERS):
        assert not silent.search(path.read_text("utf-8")), f"{path} swallows every exception"


def test_tests_do_not_sleep_for_luck() -> None:
    for path in sources("tests"):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            if re.search(r"\btime\.sleep\(", line) and "# waits for" not in line:
                pytest.fail(
                    f"{path}:{number} sleeps; poll for what it waits for, or say so with "
                    "a `# waits for ...` comment"
                )


def test_no_generated_file_is_committed() -> None:
    try:
        listed = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    generated = [name for name in listed if name.endswith((".so", ".pyc")) or "/target/" in name]
    stored = [n for n in listed if n.startswith("store/") and n != "store/README.md"]
    assert not generated and not stored
