"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  // Copy buttons. The clipboard API is missing in sandboxed pages: fall back on a selection.
  const copy = async (source) => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      return true;
    } catch {
      getSelection().selectAllChildren(source);
      return document.execCommand("copy");
    }
  };
  for (const button of $$("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copy($("#" + button.dataset.copy));
      button.textContent = done ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }

  // Details of the operation under the pointer or the focus.
  for (const drawing of $$(".drawing")) {
    const shown = $(".drawing-details", drawing);
    const idle = shown.textContent;
    const clear = () => { shown.textContent = idle; };
    for (const bar of $$(".op", drawing)) {
      const show = () => { shown.textContent = bar.getAttribute("aria-label"); };
      bar.addEventListener("mouseenter", show);
      bar.addEventListener("focus", show);
      bar.addEventListener("mouseleave", clear);
      bar.addEventListener("blur", clear);
    }
    // The impossible operation is what a reader came for: bring it into view.
    const scroller = $(".scroll", drawing);
    const target = $(".op.impossible rect", drawing);
    if (target) {
      const box = target.getBoundingClientRect();
      const frame = scroller.getBoundingClientRect();
      scroller.scrollLeft = box.right - frame.left - frame.width + 40;
    }
  }

  // Charts. Bokeh paints on a canvas, which no style sheet reaches: hand it the page's colours.
  const data = JSON.parse($("#chart-data").textContent);
  if (data === null) return;
  const paint = () => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const text = colour("--muted"), line = colour("--line");
    for (const doc of Bokeh.documents) {
      for (const plot of doc.roots()) {
        for (const axis of [...plot.below, ...plot.left]) {
          if (!("axis_label_text_color" in axis)) continue;
          axis.axis_label_text_color = text;
          axis.major_label_text_color = text;
          axis.major_tick_line_color = line;
        }
        for (const part of plot.center) {
          if ("grid_line_color" in part) part.grid_line_color = line;
        }
        for (const part of plot.below) {
          if ("label_text_color" in part) part.label_text_color = text;
        }
      }
    }
  };
  Bokeh.set_log_level("error");
  Bokeh.embed.embed_items(data.docs, data.items).then(() => {
    paint();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
    addEventListener("beforeprint", paint);
    addEventListener("afterprint", paint);
    document.documentElement.dataset.ready = "yes";
  });
})();
