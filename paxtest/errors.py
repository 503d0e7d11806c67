"""The exception tree. Every error names the value, what was expected and what to do next.

PaxtestError                      exit code 255
|-- UsageError                    exit code 254: the user can mend it by typing something else
|   |-- PlanError                 a plan, a flag or a `--set` that cannot be
|   |-- HistoryError              a file that is not a history, or a hostile one
|   |-- StoreError                no such run, or a run directory that lacks its parts
|   `-- GeneratorError            a generator that breaks the protocol of generators
|-- EnvironmentError_             exit code 255: this machine or network lacks something
|   |-- DockerUnavailable         no engine answers, or no image can be had
|   |-- Unsupported               the kernel, tool or privilege a fault needs is missing
|   `-- AddressInUse              a port that the run needs is taken
|-- RemoteError                   a command on a node failed (node, argv, exit code, stderr)
|-- ClusterError                  nodes could not be provisioned or torn down
|   `-- ClusterGone               nothing of it is left: whatever was done to it has ended
|-- NodeNotReady                  a node did not become ready before its deadline
`-- InternalError                 paxtest disagrees with itself: never dressed up as a verdict
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class PaxtestError(Exception):
    """Base of all errors that a user may see.

    `message` says what is wrong and with which value; `hint` says what to do next.
    """

    exit_code = 255

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class UsageError(PaxtestError):
    """Something the user can mend by typing something else."""

    exit_code = 254


class PlanError(UsageError):
    """A plan, flag or `--set` that cannot be."""


class HistoryError(UsageError):
    """A file that is not a history, or a hostile one."""


class StoreError(UsageError):
    """No such run, or a run directory that lacks its parts."""


class GeneratorError(UsageError):
    """A generator that breaks the protocol of generators."""


class EnvironmentError_(PaxtestError):
    """This machine or its network lacks something."""


class DockerUnavailable(EnvironmentError_):
    """No Docker engine answers, or no image can be had."""


class Unsupported(EnvironmentError_):
    """The kernel, tool or privilege that something needs is missing."""


class AddressInUse(EnvironmentError_):
    """A port that the run needs is taken."""


_SAID = 160  # characters of a command that an error quotes


class RemoteError(PaxtestError):
    """A command on a node failed or timed out."""

    def __init__(
        self,
        node: str,
        argv: Sequence[str],
        exit_code: int | None,
        stderr: str,
        hint: str = "",
    ) -> None:
        how = "timed out" if exit_code is None else f"exited with {exit_code}"
        tail = stderr.strip()[-2000:]
        # A script is named by its first line: what went wrong must not drown in it.
        said = " ".join(argv).strip()
        first = said.split("\n", 1)[0][:_SAID]
        said = first if first == said else f"{first} ..."
        super().__init__(f"on node {node}: {said!r} {how}" + (f": {tail}" if tail else ""), hint)
        self.node = node
        self.argv = tuple(argv)
        self.command_exit_code = exit_code
        self.stderr = stderr


class ClusterError(PaxtestError):
    """Nodes could not be provisioned or torn down."""


class ClusterGone(ClusterError):
    """Nothing of a cluster is left, for certain; whatever was done to it has ended with it."""


class NodeNotReady(PaxtestError):
    """A node did not become ready before its deadline."""


class InternalError(PaxtestError):
    """paxtest disagrees with itself. A bug of ours, said loudly; never a verdict."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'? ` for the closest known name, or nothing: the beginning of a hint."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean {close[0]!r}? " if close else ""
