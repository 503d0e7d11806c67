"""The image that nodes of a Docker cluster run: found, or built from cluster/images/node.

The base is pulled; where no registry answers it is bootstrapped from Debian's mirror by
mmdebstrap on this machine. Either way the build itself needs no Python index: wheels are
fetched and unpacked here, and copied in.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors
import requests.exceptions

from paxtest.cluster.ownership import MARK
from paxtest.cluster.probing import AGENT
from paxtest.errors import ClusterError, DockerUnavailable

BASE = ("debian", "bookworm-slim")
SUITE = "bookworm"
LIBFAKETIME = "/opt/paxtest/libfaketime.so.1"
"""In the image, on every architecture."""

AGENT_ON_NODE = "/opt/paxtest/probe_agent.py"

SOURCE_LABEL = "paxtest.base"
PULL_TIMEOUT_S = 120.0
BOOTSTRAP_TIMEOUT_S = 300.0
WHEELS_TIMEOUT_S = 120.0

_FOLDER = Path(__file__).parent / "images" / "node"
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_PLATFORMS = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
_log = logging.getLogger("paxtest.cluster")


@dataclass(frozen=True)
class Image:
    """`tag` to start containers from, `digest`, and `base`: "pulled ..." or "bootstrapped ..."."""

    tag: str
    digest: str
    base: str


def ensure(api: Any) -> Image:
    """The node image, built when its inputs changed or it is not there. Blocks; `api` is
    docker.APIClient. Raises DockerUnavailable when no base image can be had."""
    architecture = str(api.version().get("Arch", "amd64"))
    tag = f"paxtest-node:{_inputs_hash(architecture)}"
    with _one_at_a_time():
        found = _find(api, tag)
        if found:
            return found
        _log.info("building the node image %s (once, until its inputs change)", tag)
        _make(api, tag, architecture)
        built = _find(api, tag)
    if not built:
        raise ClusterError(f"the image {tag} was built, but the engine does not know it")
    _log.info("node image %s: base %s", tag, built.base)
    return built


def _find(api: Any, tag: str) -> Image | None:
    try:
        found = api.inspect_image(tag)
    except docker.errors.ImageNotFound:
        return None
    labels = found["Config"].get("Labels") or {}
    return Image(tag, found["Id"], labels.get(SOURCE_LABEL, "unknown"))


def _inputs() -> list[Path]:
    return [*sorted(_FOLDER.iterdir()), AGENT]


def _inputs_hash(architecture: str) -> str:
    digest = hashlib.sha256(f"{architecture} {BASE} {SUITE}".encode())
    for path in _inputs():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two runs that start together build one image, not two."""
    path = Path(tempfile.gettempdir()) / f"paxtest-image-{os.getuid()}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lines(name: str) -> list[str]:
    return (_FOLDER / name).read_text().split()


def _make(api: Any, tag: str, architecture: str) -> None:
    """Build on what can be pulled, else on what can be bootstrapped."""
    name = ":".join(BASE)
    try:
        _pull(api)
        _build(api, tag, name, f"pulled {name}", architecture)
        return
    except (docker.errors.APIError, requests.exceptions.RequestException) as error:
        reason = f"{name} cannot be pulled: {str(error).strip().splitlines()[-1]}"
    except DockerUnavailable as error:
        reason = f"{name} was pulled, but nothing can be installed on it: {error.message}"
    _log.info("%s. Bootstrapping Debian from its mirror instead", reason)
    base = _bootstrap(api, architecture, reason)
    _build(api, tag, base, f"bootstrapped Debian {SUITE} by mmdebstrap", architecture)


def _pull(api: Any) -> None:
    for step in api.pull(BASE[0], tag=BASE[1], stream=True, decode=True):
        if "error" in step:
            raise docker.errors.APIError(step["error"])


def _bootstrap(api: Any, architecture: str, reason: str) -> str:
    """The tag of a base made from Debian's mirror: kept, since it changes less than the rest."""
    packages = ",".join(_lines("packages.txt"))
    fingerprint = hashlib.sha256(f"{SUITE} {packages}".encode()).hexdigest()[:12]
    repository, tag = "paxtest-base", f"{architecture}-{fingerprint}"
    if _find(api, f"{repository}:{tag}"):
        return f"{repository}:{tag}"
    program = shutil.which("mmdebstrap")
    if program is None:
        raise DockerUnavailable(
            f"no base image can be had: {reason}",
            "reach a registry, or install mmdebstrap (apt-get install mmdebstrap), with which"
            " paxtest makes the image from Debian's mirror; or use --cluster local",
        )
    with tempfile.NamedTemporaryFile(prefix="paxtest-base-", suffix=".tar") as root:
        argv = [program, "--quiet", "--variant=minbase", f"--architectures={architecture}"]
        argv += [f"--include={packages}"]
        argv += [f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in ("doc", "man", "locale")]
        argv += [SUITE, root.name]
        _call(argv, BOOTSTRAP_TIMEOUT_S, "bootstrap Debian")
        answer = api.import_image(
            root.name, repository=repository, tag=tag, changes=[f"LABEL {MARK}=1"]
        )
    if '"error"' in str(answer):
        raise ClusterError(f"the engine did not import the bootstrapped image: {answer}")
    return f"{repository}:{tag}"


def _build(api: Any, tag: str, base: str, how: str, architecture: str) -> None:
    with tempfile.TemporaryDirectory(prefix="paxtest-image-") as temporary:
        context = Path(temporary)
        _wheels(context, architecture)
        for path in _inputs():
            shutil.copy(path, context)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(context, arcname=".")
        packed.seek(0)
        said: list[str] = []
        for step in api.build(
            fileobj=packed,
            custom_context=True,
            tag=tag,
            buildargs={"BASE": base},
            labels={MARK: "1", SOURCE_LABEL: how},
            rm=True,
            forcerm=True,
            decode=True,
        ):
            said.append(str(step.get("stream", "")))
            if "error" in step:
                raise DockerUnavailable(
                    f"the node image cannot be built: {step['error']}\n{''.join(said)[-1500:]}",
                    "where containers reach no Debian mirror, install mmdebstrap (apt-get install"
                    " mmdebstrap), with which paxtest makes the base on this machine; or use"
                    " --cluster local",
                )


def _wheels(context: Path, architecture: str) -> None:
    """Fetch the wheels of wheels.txt for the image's Python 3.11 and unpack them into site/."""
    machine = _MACHINES.get(architecture, architecture)
    with tempfile.TemporaryDirectory(prefix="paxtest-wheels-") as folder:
        argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        argv += ["--only-binary=:all:", "--python-version=3.11"]
        argv += ["--implementation=cp", "--abi=cp311"]
        argv += [f"--platform={tag}_{machine}" for tag in _PLATFORMS]
        _call([*argv, *_lines("wheels.txt")], WHEELS_TIMEOUT_S, "fetch wheels for the node image")
        for wheel in sorted(Path(folder).glob("*.whl")):
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(context / "site")


def _call(argv: list[str], timeout_s: float, purpose: str) -> None:
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise DockerUnavailable(
            f"could not {purpose}: {argv[0]} took more than {timeout_s:g} s",
            "see whether the mirror answers; or use --cluster local",
        ) from None
    if done.returncode != 0:
        raise DockerUnavailable(
            f"could not {purpose}: {' '.join(argv[:4])} ... exited with {done.returncode}:"
            f" {done.stderr.strip()[-1500:]}",
            "see whether this machine reaches the mirror and the package index;"
            " or use --cluster local",
        )
