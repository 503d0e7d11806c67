"""Identity: which disk speaks for a node's name.

Promises and acceptances belong to a disk: whoever comes back without it has forgotten them, and
must not vote in its place. So each disk has a number, drawn when it was new, and only one of the
disks that a name has in the course of time votes under the plain name (`n1`: a *founder*, on whose
first disk the cluster began). The disks that come after vote, if at all, under names of their own
(`n1~5e3a07`), which differ from it in all that the protocol compares.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .config import Config, Terms

SEPARATOR = "~"
"""May not be in the name of a node."""


def name_of(node: str) -> str:
    """The name of the node, whichever of its disks it is that votes."""
    return node.partition(SEPARATOR)[0]


def newcomer(name: str, disk: int) -> str:
    """What a disk is called that is not the one on which the node was founded."""
    return f"{name}{SEPARATOR}{disk:x}"


@dataclass
class Identity:
    """What a disk knows of itself and of others. `disk`: its number, 0 for none yet. `register`:
    by the names of the founding members the disk that each was first heard to have. `node`: what
    it is called in the protocol, "" as long as that is not settled. `terms`: of the cluster, once
    settled."""

    disk: int = 0
    register: dict[str, int] = field(default_factory=dict)
    node: str = ""
    terms: Terms | None = None

    @property
    def settled(self) -> bool:
        return bool(self.node)

    @property
    def founder(self) -> bool:
        return self.settled and SEPARATOR not in self.node

    def applied_to(self, config: Config) -> Config:
        """The config of the node that this disk makes."""
        return replace(config, node=self.node) if self.settled else config


class OtherTerms(Exception):
    """The node was started with another window or other quorums than its cluster has."""


def compare_terms(mine: Terms, theirs: Terms, who: str) -> None:
    """Raises OtherTerms, which says how to start the node instead."""
    if mine != theirs:
        raise OtherTerms(
            f"this node was started with {told(mine)}, {who} with {told(theirs)}: all nodes of a"
            f" cluster need the same; start this one with {told(theirs)}"
        )


def told(terms: Terms) -> str:
    """The terms as words of the command line."""
    words = [f"--window {terms[0]}"]
    words += [f"--q{phase} {size}" for phase, size in enumerate(terms[1:], 1) if size is not None]
    return " ".join(words)
