"""A report in a real browser: from file://, without network, errors or surprises."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sample_runs import build

from paxtest.reports import html

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

KINDS = ("valid", "invalid", "unknown", "vacuous")
HOSTILE = [
    "</script><script>window.harmed = 1</script>",
    "<img src=x onerror='window.harmed = 2'>",
    "@{x}{safe}<b>bold</b>",
]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    store = tmp_path_factory.mktemp("store") / "paxos-register"
    found = {kind: html.write(build(store / kind, kind, operations=800)) for kind in KINDS}
    hostile = build(store / "hostile", "invalid", operations=300, values=HOSTILE)
    crashed = build(store / "crashed", operations=300)
    (crashed / "results.json").unlink()
    return found | {"hostile": html.write(hostile), "crashed": html.write(crashed)}


@pytest.mark.parametrize("kind", KINDS)
def test_opens_from_a_file_without_errors_or_requests(
    watched, reports: dict[str, Path], kind: str
) -> None:
    page = watched.open(reports[kind].as_uri())
    assert page.locator(".hero .word").is_visible()
    assert page.locator(".hero .word").inner_text().lower() == kind
    assert page.locator(".hero").bounding_box()["y"] < 900, "the verdict is on the first screen"
    assert page.locator(".chart canvas").count() >= 4
    assert page.locator("button[data-copy]").is_visible()
    watched.check(reports[kind].as_uri())


def test_the_counterexample_is_on_the_page_and_the_impossible_operation_in_view(
    watched, reports: dict[str, Path]
) -> None:
    page = watched.open(reports["invalid"].as_uri())
    assert "Process 904 read 7001" in page.locator(".story").inner_text()
    assert page.locator("table.operations tbody tr").count() == 4
    assert "here it became impossible" in page.locator("tr.impossible").inner_text()
    bar = page.locator(".op.impossible")
    assert bar.count() == 1 and bar.is_visible()
    frame, box = page.locator(".drawing .scroll").bounding_box(), bar.bounding_box()
    assert frame["x"] <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"]
    bar.hover()
    assert "process 904" in page.locator(".drawing-details").inner_text()
    page.locator(".op.counterexample").first.focus()
    assert "took" in page.locator(".drawing-details").inner_text()
    watched.check(reports["invalid"].as_uri())


def test_what_really_happened_first_is_drawn_first(watched, reports: dict[str, Path]) -> None:
    page = watched.open(reports["invalid"].as_uri())
    boxes = {
        name: page.locator(f".op.counterexample:has-text('{name}')").first.bounding_box()
        for name in ("write 7001", "write 7002", "read → 7002")
    }
    ends = [box["x"] + box["width"] for box in boxes.values()]
    assert ends == sorted(ends)
    impossible = page.locator(".op.impossible .shape").bounding_box()
    assert all(end < impossible["x"] for end in ends)


def test_the_copy_button_copies_the_command(watched, reports: dict[str, Path]) -> None:
    page = watched.open(reports["valid"].as_uri())
    page.locator("button[data-copy]").click()
    # Not wait_for_function: the page's own policy forbids it to evaluate a string again.
    expect(page.locator("button[data-copy]")).to_have_text("Copied")
    # Paste it where it can be read: the clipboard itself is closed to pages.
    page.evaluate(
        """() => {
          const area = document.body.appendChild(document.createElement("textarea"));
          area.id = "pasted";
          area.focus();
        }"""
    )
    page.keyboard.press("Control+v")
    assert page.locator("#pasted").input_value().startswith("paxtest run --system paxos")


def test_hostile_values_stay_text_also_when_hovered(watched, reports: dict[str, Path]) -> None:
    page = watched.open(reports["hostile"].as_uri())
    page.locator(".op.impossible").hover()
    points = page.evaluate(POINTS)
    chart = page.locator("#performance .chart").nth(1).locator(":scope > div").last
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    seen = ""
    for x, y in points:
        page.mouse.move(box["x"] + x, box["y"] + y)
        page.wait_for_timeout(20)
        seen += page.locator(".bk-Tooltip").evaluate_all(
            "(all) => all.map((one) => one.shadowRoot.textContent).join()"
        )
    for value in ("</script><script>", "<img src=x", "@{x}{safe}<b>bold</b>"):
        assert value in seen, f"no tooltip showed {value} as text"
    assert page.evaluate("window.harmed") is None
    assert page.locator("img, b").count() == 0
    watched.check(reports["hostile"].as_uri())


POINTS = """() => {
  const plot = Bokeh.documents[0].roots().find((one) => one.name === "latency");
  const {x_scale, y_scale} = Bokeh.index.find_one(plot).frame;
  return plot.renderers.flatMap(({data_source: {data}}) =>
    Array.from(data.begin).slice(0, 12).map((begin, i) =>
      [x_scale.compute(begin), y_scale.compute(data.latency[i])]));
}"""
"""Where Bokeh drew some points of the scatter, within its element."""


def test_its_policy_forbids_scripts_that_are_not_its_own(watched, reports: dict[str, Path]) -> None:
    page = watched.open(reports["valid"].as_uri())
    page.evaluate(
        """() => {
          const s = document.createElement("script");
          s.textContent = "window.harmed = 1";
          document.body.append(s);
          document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.harmed = 2'>");
        }"""
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.harmed") is None
    assert any("Content Security Policy" in problem for problem in watched.problems)


def test_a_crashed_run_can_be_read(watched, reports: dict[str, Path]) -> None:
    page = watched.open(reports["crashed"].as_uri())
    assert "No verdict" in page.locator(".hero").inner_text()
    assert "results.json is missing" in page.locator(".notice").inner_text()
    watched.check(reports["crashed"].as_uri())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(
    browser: Browser, reports: dict[str, Path], scheme: str
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(reports["invalid"].as_uri())
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    for selector in ("body", ".subtitle", ".hero .word", ".tiles .note", ".story", ".badge.invalid",
                     "td", "th", ".lead", "nav a", "a"):  # fmt: skip
        ratio = page.evaluate(CONTRAST, selector)
        assert ratio >= 4.5, (scheme, selector, ratio)
    context.close()


CONTRAST = """(selector) => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const f = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
  };
  const element = document.querySelector(selector);
  const front = luminance(parse(getComputedStyle(element).color));
  let behind = element, back;
  do {
    back = parse(getComputedStyle(behind).backgroundColor);
    behind = behind.parentElement;
  } while (behind && back.length === 4 && back[3] === 0);
  const other = luminance(back);
  return (Math.max(front, other) + 0.05) / (Math.min(front, other) + 0.05);
}"""


def test_a_phone_shows_it_without_scrolling_sideways(
    browser: Browser, reports: dict[str, Path]
) -> None:
    context = browser.new_context(viewport={"width": 380, "height": 800})
    page = context.new_page()
    page.goto(reports["invalid"].as_uri())
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    context.close()


def test_prints_in_full(watched, reports: dict[str, Path]) -> None:
    page = watched.open(reports["invalid"].as_uri())
    assert len(page.pdf()) > 20_000
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible() and page.locator(".story").is_visible()
    watched.check(reports["invalid"].as_uri())
