"""Wheel, sdist and editable install each give a working `paxtest` in an empty environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HISTORY = (
    '{"index":0,"time_ns":1,"process":0,"type":"invoke","f":"write","value":1}\n'
    '{"index":1,"time_ns":2,"process":0,"type":"ok","f":"write","value":1}\n'
    '{"index":2,"time_ns":3,"process":1,"type":"invoke","f":"read"}\n'
    '{"index":3,"time_ns":4,"process":1,"type":"ok","f":"read","value":%d}\n'
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def run(*argv: str | Path, cwd: Path | None = None, code: int = 0) -> str:
    # The cargo target folder is shared, or each artefact would compile everything anew.
    environment = os.environ | {"CARGO_TARGET_DIR": str(ROOT / "core/target/packaging")}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(a) for a in argv], cwd=cwd, env=environment, capture_output=True, text=True,
        timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == code, f"{argv}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git holds, as a clone would have it: nothing untracked helps by accident."""
    target = tmp_path_factory.mktemp("clone") / "paxtest"
    listed = run("git", "ls-files", "-z", cwd=ROOT).split("\0")
    for name in filter(None, listed):
        source, destination = ROOT / name, target / name
        if source.is_symlink() or source.is_file():
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, destination, follow_symlinks=False)
    return target


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty environment that gets the build tools, and of ours only what a test installs."""
    path = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", path)
    run(path / "bin/pip", "install", "-q", "-U", "-c", ROOT / "constraints.txt",
        "setuptools", "setuptools-rust", "wheel")  # fmt: skip
    yield path
    shutil.rmtree(path)


def works(venv: Path, tmp_path: Path) -> None:
    """`paxtest --version` and a check, from a folder that is not the source tree."""
    assert run(venv / "bin/paxtest", "--version", cwd=tmp_path).startswith("paxtest ")
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text(HISTORY % 1)
    bad.write_text(HISTORY % 2)
    run(venv / "bin/paxtest", "check", good, cwd=tmp_path)
    run(venv / "bin/paxtest", "check", bad, cwd=tmp_path, code=1)
    assert "register" in run(venv / "bin/paxtest", "list", "workloads", cwd=tmp_path)
    run(venv / "bin/pip", "uninstall", "-q", "-y", "paxtest")
    run(venv / "bin/python", "-c", "import paxtest", cwd=tmp_path, code=1)


def test_wheel(tree: Path, venv: Path, tmp_path: Path) -> None:
    run(venv / "bin/pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, tree)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert all(top == "paxtest" or top.endswith(".dist-info") for top in tops), tops
    for needed in (
        "py.typed",
        "_core.pyi",
        "cluster/paxos_server/__main__.py",
        "cluster/images/node/Dockerfile",
    ):
        assert f"paxtest/{needed}" in names
    assert any(name.startswith("paxtest/_core.") and name.endswith(".so") for name in names)
    run(venv / "bin/pip", "install", "-q", "-U", "-c", ROOT / "constraints.txt", wheel)
    works(venv, tmp_path)


def test_sdist(tree: Path, venv: Path, tmp_path: Path) -> None:
    build = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    run(venv / "bin/python", "-c", build, tmp_path, cwd=tree)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"core/Cargo.toml", "core/src/lib.rs", "paxtest/workloads/register.py"} <= names
    run(venv / "bin/pip", "install", "-q", "--no-build-isolation",
        "-c", ROOT / "constraints.txt", sdist)  # fmt: skip
    works(venv, tmp_path)


def test_editable(tree: Path, venv: Path, tmp_path: Path) -> None:
    run(venv / "bin/pip", "install", "-q", "--no-build-isolation",
        "-c", ROOT / "constraints.txt", "-e", tree)  # fmt: skip
    where = run(venv / "bin/python", "-c", "import paxtest.nemesis as n; print(n.__file__)",
                cwd=tmp_path).strip()  # fmt: skip
    assert Path(where).resolve().is_relative_to(tree.resolve())
    works(venv, tmp_path)
