"""docs/reference/cli.md names every command and every option that there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from paxtest.cli import app

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/cli.md"


def commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield " ".join(path), command
        return
    for name, sub in inner.items():
        yield from commands(sub, (*path, name))


def test_the_page_is_complete() -> None:
    page = PAGE.read_text("utf-8")
    sections = {part.splitlines()[0]: part for part in page.split("\n## ")[1:]}
    for name, command in commands(get_command(app), ("paxtest",)):
        found = [text for title, text in sections.items() if (title + " ").startswith(name + " ")]
        assert found, f"{name} is missing in {PAGE.name}"
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else []:
                if parameter.name != "help":
                    assert f"`{option}`" in found[0], f"{name} {option} is missing in {PAGE.name}"
