"""The list of runs in a real browser: filter, sort, open; no errors, nothing from elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from sample_runs import build

from paxtest.reports import html
from paxtest.web.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store = tmp_path_factory.mktemp("store")
    for number, (kind, operations) in enumerate(
        [("valid", 900), ("invalid", 1_200), ("unknown", 80), ("vacuous", 300)]
    ):
        build(
            store / f"test-{kind}" / f"2026112{number}T050000.000Z", kind,
            operations=operations, seed=number,
        )  # fmt: skip
    html.write(store / "test-invalid" / "20261121T050000.000Z")
    crashed = build(store / "test-crashed" / "20261130T050000.000Z", operations=10)
    (crashed / "results.json").unlink()
    with Server(store, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def page(watched, server: Server) -> Iterator[Page]:
    """The list of runs, just opened; whatever a test does, nothing may go wrong on it."""
    watched.page.goto(server.url)
    assert watched.requests == [server.url]
    yield watched.page
    assert watched.problems == []
    assert all(url.startswith((server.url, "data:")) for url in watched.requests)


def names(page: Page) -> list[str]:
    return page.locator("#runs tbody tr:visible td.name").all_inner_texts()


def test_the_newest_run_comes_first(page: Page) -> None:
    assert names(page) == [
        "test-crashed", "test-vacuous", "test-unknown", "test-invalid", "test-valid",
    ]  # fmt: skip
    assert page.locator("#runs tbody tr").first.inner_text().startswith("no verdict")


def test_the_filter_takes_words(page: Page) -> None:
    box = page.locator("#filter")
    box.fill("INVALID  paxos")
    assert names(page) == ["test-invalid"]
    assert page.locator("#shown").inner_text() == "1 of 5 runs"
    box.fill("nothing like it")
    assert names(page) == [] and page.locator("#nothing").is_visible()
    box.fill("")
    assert len(names(page)) == 5 and page.locator("#nothing").is_hidden()


def test_columns_sort_both_ways_and_numbers_by_size(page: Page) -> None:
    button = page.get_by_role("button", name="operations")
    button.click()
    rising = ["test-crashed", "test-unknown", "test-vacuous", "test-valid", "test-invalid"]
    assert names(page) == rising
    header = page.locator("th", has=button)
    assert header.get_attribute("aria-sort") == "ascending"
    button.click()
    assert names(page) == rising[::-1]
    assert header.get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="verdict").press("Enter")
    assert names(page)[0] == "test-invalid"
    assert page.locator("th[aria-sort]").count() == 1


def test_a_report_opens_and_works_in_its_sandbox(page: Page) -> None:
    page.get_by_role("link", name="test-invalid", exact=True).click()
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    assert page.locator(".op.impossible").is_visible()
    page.locator("button[data-copy]").click()
    # Not wait_for_function: the page's own policy forbids it to evaluate a string again.
    expect(page.locator("button[data-copy]")).to_have_text("Copied")
    page.get_by_role("link", name="nodes/n1/paxos.log").click()
    page.wait_for_url("**/paxos.log")
    assert page.inner_text("body").startswith("n1: elected")


def test_the_files_of_a_run_without_report_can_be_read(page: Page) -> None:
    page.get_by_role("link", name="test-crashed", exact=True).click()
    page.get_by_role("link", name="history.jsonl").click()
    assert '"type":"invoke"' in page.inner_text("body")
