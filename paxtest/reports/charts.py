"""Charts of a run in Bokeh: faults, latencies, rates, on one shared time axis.

Nothing in them needs `eval` (no CustomJS, no formatter in JavaScript), so that the report's
content security policy can forbid it. Colours: Okabe and Ito's, which most colour-blind people
can tell apart, darkened or lightened to stand out on white and on black; shapes and dashes say
the same once more.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.document import Document
from bokeh.embed.util import standalone_docs_json_and_render_items
from bokeh.models import (
    ColumnDataSource,
    DataRange1d,
    HoverTool,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.models.annotations import BoxAnnotation, Label, Legend, LegendItem
from bokeh.models.renderers import GlyphRenderer
from bokeh.plotting import figure
from bokeh.resources import Resources

from paxtest.reports import words
from paxtest.reports.operations import OUTCOMES, Columns
from paxtest.reports.run import Fault
from paxtest.verdict import Operation

POINTS_MAX = 8_000
"""Points of the scatter; beyond it, it is thinned out."""
FAULTS_MAX = 500
BANDS_LABELLED_MAX = 30
BUCKETS = 90
LATENCY_MIN_S = 1e-7  # a log axis has no zero

BLUE, ORANGE, GREEN, PURPLE = "#2f7ec7", "#d97a00", "#0e9a74", "#b65fa8"
VERMILLION, SKY, YELLOW, GREY = "#d55e00", "#56b4e9", "#c9a400", "#7d8590"
FUNCTION_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW, GREY)
KIND_COLOURS = {"partition": BLUE, "kill": VERMILLION, "pause": YELLOW, "clock": PURPLE}
MARKERS = ("circle", "x", "inverted_triangle")
DASHES = ("solid", "dashed", "dotted")
OUTCOME_COLOURS = (GREEN, ORANGE, PURPLE)
OUTCOME_NAMES = ("ok", "fail", "info (unknown)")

Drawn = Sequence[tuple[Operation, int | None]]
"""Operations with the moment at which their client was through with them (see `operations`)."""


@dataclass(frozen=True)
class Charts:
    """What the page needs: the element ids in order of the page, and the JSON for Bokeh."""

    elements: dict[str, str]
    docs_json: str
    render_items: str
    shown: int
    total: int

    @property
    def thinned(self) -> bool:
        """Whether the scatter lacks points."""
        return self.shown < self.total


def bokeh_js() -> str:
    """Bokeh's own script, without widgets, tables, WebGL and MathJax."""
    sources = Resources(mode="inline", components=["bokeh"], minified=True).js_raw
    return "\n".join(sources)


def kind_colour(kind: str, kinds: Sequence[str]) -> str:
    """The colour of a fault family: fixed for the common ones, else by position."""
    spare = (GREEN, SKY, ORANGE, GREY)
    others = [other for other in kinds if other not in KIND_COLOURS]
    return KIND_COLOURS.get(kind) or spare[others.index(kind) % len(spare)]


def thin(columns: Columns, limit: int = POINTS_MAX) -> npt.NDArray[np.int64]:
    """Positions to draw: all that did not end well, the slowest, and an even share of the rest."""
    known = np.flatnonzero(columns.end_ns >= 0)
    if len(known) <= limit:
        return known
    latency = columns.end_ns[known] - columns.begin_ns[known]
    bad = columns.outcome[known] != 0
    # The slowest come first, then what failed; sorting is stable, so the same run gives the same.
    slow = latency >= np.quantile(latency, 1 - limit / 4 / len(known))
    keep = np.flatnonzero(slow)[: limit // 2]
    failed = np.flatnonzero(bad & ~slow)
    keep = np.concatenate([keep, _evenly(failed, limit // 4)])
    rest = np.setdiff1d(np.arange(len(known)), keep, assume_unique=True)
    keep = np.concatenate([keep, _evenly(rest, limit - len(keep))])
    found: npt.NDArray[np.int64] = np.sort(known[keep])
    return found


def _evenly(positions: npt.NDArray[np.int64], limit: int) -> npt.NDArray[np.int64]:
    if len(positions) <= limit:
        return positions
    return positions[np.linspace(0, len(positions) - 1, max(limit, 0)).astype(np.int64)]


def draw(columns: Columns, drawn: Drawn, faults: Sequence[Fault]) -> Charts | None:
    """All charts of a run; `drawn` are the operations of the scatter. None: nothing to draw."""
    if not len(columns):
        return None
    end_s = max(columns.duration_s, 0.001)
    x_range = Range1d(start=-end_s * 0.01, end=end_s * 1.01, bounds=(-end_s * 0.05, end_s * 1.05))
    kinds = sorted({fault.kind for fault in faults})
    faults = faults[:FAULTS_MAX]
    figures: dict[str, figure] = {}
    if faults:
        figures["faults"] = _fault_strip(faults, kinds, x_range, end_s)
    figures["latency"] = _scatter(columns, drawn, x_range)
    figures["quantiles"] = _quantiles(columns, x_range, end_s)
    figures["rate"] = _rate(columns, x_range, end_s)
    for name, plot in figures.items():
        if name != "faults":
            _bands(plot, faults, kinds, end_s)
    document = Document()
    for name, plot in figures.items():
        plot.name = name
        document.add_root(plot)
    docs, items = standalone_docs_json_and_render_items(list(figures.values()))
    rendered = [item.to_json() for item in items]
    elements = {
        name: str(element)
        for item in items
        for plot, element in item.roots.to_json().items()
        for name, candidate in figures.items()
        if candidate.id == plot
    }
    return Charts(
        elements, json.dumps(docs), json.dumps(rendered), len(drawn),
        int((columns.end_ns >= 0).sum()),
    )  # fmt: skip


def _figure(x_range: Range1d, height: int, y_label: str, **options: Any) -> figure:
    plot = figure(
        x_range=x_range, frame_height=height, sizing_mode="stretch_width",
        tools="xpan,xbox_zoom,reset",
        toolbar_location="above", min_border_left=76, min_border_right=12, lod_threshold=None,
        background_fill_color=None, border_fill_color=None, outline_line_color=None, **options,
    )  # fmt: skip
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    plot.yaxis.axis_label = y_label
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.axis_line_color = None
    plot.axis.minor_tick_line_color = None
    plot.xgrid.visible = False
    return plot


def _fault_strip(
    faults: Sequence[Fault], kinds: Sequence[str], x_range: Range1d, end_s: float
) -> figure:
    plot = _figure(x_range, 28 * len(kinds), "", y_range=list(reversed(kinds)))
    plot.toolbar_location = None
    plot.ygrid.visible = False
    for effective in (True, False):
        chosen = [f for f in faults if bool(f.effective) is effective]
        if not chosen:
            continue
        source = ColumnDataSource({
            "left": [f.begin_ns / 1e9 for f in chosen],
            "right": [_fault_end_s(f, end_s) for f in chosen],
            "kind": [f.kind for f in chosen],
            "colour": [kind_colour(f.kind, kinds) for f in chosen],
            "name": [words.plain(f.name, 80) for f in chosen],
            "nodes": [words.plain(", ".join(f.nodes), 120) for f in chosen],
            "evidence": [words.plain("; ".join(f.evidence) or "no probe", 200) for f in chosen],
            "state": [words.effect(f.effective, f.failed) for f in chosen],
        })  # fmt: skip
        bars = plot.hbar(
            y="kind", left="left", right="right", height=0.62, source=source,
            fill_color="colour", line_color="colour", fill_alpha=0.85 if effective else 0.1,
            line_dash="solid" if effective else "dashed",
        )  # fmt: skip
        plot.add_tools(HoverTool(renderers=[bars], tooltips=[
            ("fault", "@name"), ("nodes", "@nodes"), ("took effect", "@state"),
            ("evidence", "@evidence"), ("from, to", "@left{0.00} s, @right{0.00} s"),
        ]))  # fmt: skip
    return plot


def _fault_end_s(fault: Fault, end_s: float) -> float:
    return end_s if fault.end_ns is None else fault.end_ns / 1e9


def _bands(plot: figure, faults: Sequence[Fault], kinds: Sequence[str], end_s: float) -> None:
    for fault in faults:
        colour = kind_colour(fault.kind, kinds)
        plot.add_layout(BoxAnnotation(
            left=fault.begin_ns / 1e9, right=_fault_end_s(fault, end_s), fill_color=colour,
            fill_alpha=0.11 if fault.effective else 0.03, line_color=colour, line_alpha=0.35,
            line_dash="solid" if fault.effective else "dashed", level="underlay",
        ))  # fmt: skip
    top = (plot.frame_height or 0) - 2
    if len(faults) <= BANDS_LABELLED_MAX:
        for fault in faults:
            plot.add_layout(Label(
                x=fault.begin_ns / 1e9, y=top, y_units="screen", x_offset=3,
                text=words.plain(fault.kind, 12), text_font_size="10px", text_baseline="top",
                text_color=kind_colour(fault.kind, kinds), name="band-label",
            ))  # fmt: skip


def _scatter(columns: Columns, drawn: Drawn, x_range: Range1d) -> figure:
    plot = _log_figure(x_range, 240, "latency (ms)")
    items: list[LegendItem] = []
    apart = columns.fs[: len(FUNCTION_COLOURS) - 1]
    for f, colour in zip([*apart, None], FUNCTION_COLOURS, strict=False):
        for outcome_code, outcome in enumerate(OUTCOMES):
            chosen = [
                (o, end)
                for o, end in drawn
                if o.type == outcome.value and (o.f == f if f is not None else o.f not in apart)
            ]
            if not chosen:
                continue
            good = outcome_code == 0
            points = plot.scatter(
                "begin", "latency", source=_points(chosen), marker=MARKERS[outcome_code],
                size=4 if good else 7, line_color=colour, fill_color=colour,
                fill_alpha=0.55 if good else 0.0, line_alpha=0.55 if good else 0.95,
            )  # fmt: skip
            shown = f"{words.plain(f if f is not None else 'others', 24)} {outcome.value}"
            items.append(_legend_item(shown, points))
            plot.add_tools(HoverTool(renderers=[points], attachment="horizontal", tooltips=[
                (outcome.value, "@call"), ("key", "@key"), ("process, node", "@process, @node"),
                ("at", "@begin{0.000} s"), ("took", "@took"), ("error", "@error"),
            ]))  # fmt: skip
    return _with_legend(plot, items)


def _points(chosen: Drawn) -> ColumnDataSource:
    begin = np.array([o.invoked_ns for o, _ in chosen], np.float64) / 1e9
    end = np.array([end or 0 for _, end in chosen], np.float64) / 1e9
    return ColumnDataSource({
        "begin": begin, "latency": np.maximum(end - begin, LATENCY_MIN_S) * 1e3,
        "call": [words.call(o.f, o.type, o.value) for o, _ in chosen],
        "key": [words.value(o.key, 60) for o, _ in chosen],
        "process": [words.plain(o.process, 20) for o, _ in chosen],
        "node": [words.plain(o.node or "–", 40) for o, _ in chosen],
        "took": [words.latency(t) for t in (end - begin)],
        "error": [words.plain(": ".join(o.error), 120) if o.error else "–" for o, _ in chosen],
    })  # fmt: skip


def _log_figure(x_range: Range1d, height: int, y_label: str) -> figure:
    plot = _figure(x_range, height, y_label, y_axis_type="log")
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[0000]")
    return plot


def _legend_item(name: str, *renderers: GlyphRenderer[Any]) -> LegendItem:
    return LegendItem(label=name, renderers=list(renderers))


def _with_legend(plot: figure, items: list[LegendItem]) -> figure:
    legend = Legend(
        items=items, orientation="horizontal", click_policy="hide", background_fill_color=None,
        border_line_color=None, margin=4, spacing=14, label_text_font_size="12px",
        ncols=min(6, max(1, len(items))),
    )  # fmt: skip
    plot.add_layout(legend, "below")
    return plot


def bucket_s(duration_s: float) -> float:
    """The width of a bucket of time: a round number of seconds, about BUCKETS of them."""
    for width in (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800):
        if duration_s / width <= BUCKETS:
            return float(width)
    return 3600.0


def _quantiles(columns: Columns, x_range: Range1d, end_s: float) -> figure:
    plot = _log_figure(x_range, 190, "latency of ok (ms)")
    width = bucket_s(end_s)
    good = (columns.outcome == 0) & (columns.end_ns >= 0)
    begin = columns.begin_ns[good] / 1e9
    latency = np.maximum((columns.end_ns[good] - columns.begin_ns[good]) / 1e9, LATENCY_MIN_S)
    bucket = (begin // width).astype(np.int64)
    order = np.argsort(bucket, kind="stable")
    groups = np.split(latency[order], np.flatnonzero(np.diff(bucket[order])) + 1)
    middle = (np.unique(bucket) + 0.5) * width
    items: list[LegendItem] = []
    lines = (("p50", 0.5, BLUE, "solid"), ("p95", 0.95, GREEN, "dashed"),
             ("p99", 0.99, ORANGE, "dotdash"), ("max", 1.0, VERMILLION, "dotted"))  # fmt: skip
    for name, q, colour, dash in lines if len(begin) else ():
        at = np.array([np.quantile(group, q) for group in groups])
        source = ColumnDataSource({
            "x": middle, "y": at * 1e3, "shown": [words.latency(v) for v in at],
            "count": [len(group) for group in groups],
        })  # fmt: skip
        line = plot.line("x", "y", source=source, color=colour, line_dash=dash, line_width=2)
        dots = plot.scatter("x", "y", source=source, size=4, color=colour)
        items.append(_legend_item(name, line, dots))
        plot.add_tools(HoverTool(renderers=[dots], tooltips=[
            (name, "@shown"), ("operations", "@count"), ("around", "@x{0.0} s"),
        ]))  # fmt: skip
    return _with_legend(plot, items)


def _rate(columns: Columns, x_range: Range1d, end_s: float) -> figure:
    plot = _figure(x_range, 190, "operations per second")
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0")
    plot.y_range = DataRange1d(start=0)
    plot.xaxis.axis_label = "seconds since the run began"
    width = bucket_s(end_s)
    edges = np.arange(0, end_s + width, width)
    # What never completed is counted where it began: there is no other moment to count it at.
    when = np.where(columns.end_ns >= 0, columns.end_ns, columns.begin_ns) / 1e9
    items: list[LegendItem] = []
    for code in range(len(OUTCOMES)):
        chosen = when[columns.outcome == code]
        if not len(chosen):
            continue
        counts, _ = np.histogram(chosen, edges)
        source = ColumnDataSource({"x": edges[:-1] + width / 2, "y": counts / width})
        colour = OUTCOME_COLOURS[code]
        line = plot.line(
            "x", "y", source=source, color=colour, line_width=2, line_dash=DASHES[code]
        )
        dots = plot.scatter("x", "y", source=source, size=4, color=colour, marker=MARKERS[code])
        items.append(_legend_item(OUTCOME_NAMES[code], line, dots))
        plot.add_tools(HoverTool(renderers=[dots], tooltips=[
            (OUTCOME_NAMES[code], "@y{0,0.0} per s"), ("around", "@x{0.0} s"),
        ]))  # fmt: skip
    return _with_legend(plot, items)
