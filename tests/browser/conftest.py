"""Debian's Chromium, and a page that keeps account of what went wrong on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium. No browser, no pass: these tests fail where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("no chromium on this machine: apt-get install chromium (make setup does)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page, the addresses it asked for, and what it complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.problems: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", self._dialog)

    def _console(self, message) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def _dialog(self, dialog) -> None:
        self.problems.append(dialog.message)
        dialog.dismiss()

    def open(self, url: str) -> Page:
        """Go there and wait until the charts are drawn."""
        self.page.goto(url)
        self.page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
        return self.page

    def check(self, *expected: str) -> None:
        """Nothing went wrong, and nothing but this was asked for."""
        asked = [url for url in self.requests if not url.startswith("data:")]
        assert asked == list(expected)
        assert self.problems == []


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A fresh page of desktop size."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Watched(context.new_page())
    context.close()
