"""The server's own pages: the list of runs, a directory, an error."""

from __future__ import annotations

import base64
import hashlib
import os
from collections import Counter
from functools import cache
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup

import paxtest
from paxtest.reports import words
from paxtest.web.runs import RUNS_MAX, Listed

ENTRIES_MAX = 2_000
ORDER = ("valid", "invalid", "unknown", "vacuous", "none")


def run_list(store: Path, runs: list[Listed]) -> str:
    """All runs, newest first."""
    verdicts = Counter(run.verdict for run in runs)
    totals = [(verdict, verdicts[verdict]) for verdict in ORDER if verdicts[verdict]]
    return _render(
        "list.html.j2", store=str(store), runs=runs, totals=totals, capped=len(runs) >= RUNS_MAX
    )


def directory(real: Path, store: Path) -> str:
    """What a directory of the store holds, folders first; links and hidden names left out."""
    found: list[tuple[str, bool, int | None]] = []
    with os.scandir(real) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.is_symlink() or len(found) >= ENTRIES_MAX:
                continue
            folder = entry.is_dir(follow_symlinks=False)
            size = None if folder else entry.stat(follow_symlinks=False).st_size
            found.append((entry.name, folder, size))
    found.sort(key=lambda e: (not e[1], e[0]))
    parts = real.relative_to(store).parts
    trail = [(part, "/store/" + "/".join(parts[: i + 1]) + "/") for i, part in enumerate(parts)]
    return _render("directory.html.j2", entries=found, trail=trail)


def error(code: int, what: str, hint: str) -> str:
    """An error in one sentence, and what to do next in another."""
    return _render("error.html.j2", code=code, what=what, hint=hint)


@cache
def policy() -> str:
    """The content security policy of these pages: their own script and style, nothing else."""
    return (
        f"default-src 'none'; script-src {_hash('list.js')}; style-src {_hash('pages.css')}; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(name: str) -> str:
    digest = hashlib.sha256(_asset(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text("utf-8")


def _render(template: str, **values: object) -> str:
    page = _environment().get_template(template)
    return page.render(
        style=Markup(_asset("pages.css")), script=Markup(_asset("list.js")),
        version=paxtest.__version__, **values,
    )  # fmt: skip


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        plain=words.plain, duration=words.seconds, url=lambda path: quote(path, safe="/")
    )
    return environment
