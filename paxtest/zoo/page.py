"""zoo.html: the scoreboard of real nodes and that of the simulator, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

import paxtest
from paxtest import reports
from paxtest.cluster.paxos_server.bugs import BUGS, Bug
from paxtest.reports import words
from paxtest.zoo.board import Score, summary
from paxtest.zoo.row import CONTROL, Mode

TITLES = {Mode.CLUSTER: "Real nodes", Mode.SIMULATE: "Simulator"}


@dataclass(frozen=True)
class Line:
    """One bug: its entry in the zoo (None: the correct server), and its scores by mode."""

    name: str
    bug: Bug | None
    scores: dict[Mode, Score | None]


@dataclass(frozen=True)
class Table:
    """All bugs under one set of fault families, and what is to be said of each mode."""

    nemeses: str
    lines: list[Line]
    modes: list[Mode]
    sentences: dict[Mode, list[str]]


def tables(scores: list[Score]) -> list[Table]:
    """One table for each set of fault families, the widest set ("all") first."""
    found = {(s.nemeses, s.mode, s.bug): s for s in scores}
    sets = sorted({s.nemeses for s in scores}, key=lambda name: (name != "all", name))
    made = []
    for nemeses in sets:
        mine = [s for s in scores if s.nemeses == nemeses]
        modes = [mode for mode in Mode if any(s.mode is mode for s in mine)]
        bugs = [CONTROL, *sorted(BUGS, key=lambda name: BUGS[name].number)]
        lines = [
            Line(bug, BUGS.get(bug), {mode: found.get((nemeses, mode, bug)) for mode in modes})
            for bug in bugs
            if any(s.bug == bug for s in mine)
        ]
        told = {mode: summary(scores, mode, nemeses) for mode in modes}
        made.append(Table(nemeses, lines, modes, told))
    return made


def render(scores: list[Score]) -> str:
    """The page; it needs no network, no server and no script."""
    page = _environment().get_template("zoo.html.j2")
    return page.render(
        tables=tables(scores), titles=TITLES, control=CONTROL, version=paxtest.__version__,
        style=Markup(_style()),
    )  # fmt: skip


@cache
def _style() -> str:
    report = Path(reports.__file__).parent / "templates" / "report.css"
    own = Path(__file__).parent / "templates" / "zoo.css"
    return report.read_text("utf-8") + own.read_text("utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(plain=words.plain, duration=words.seconds, kinds=words.kinds)
    return environment
