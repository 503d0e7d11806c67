"use strict";
(() => {
  const table = document.getElementById("runs");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const box = document.getElementById("filter");
  const shown = document.getElementById("shown");

  // Every word must occur somewhere in the row.
  const filter = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => texts.get(row).includes(word));
      count += row.hidden ? 0 : 1;
    }
    const runs = rows.length === 1 ? "run" : "runs";
    shown.textContent = words.length ? `${count} of ${rows.length} ${runs}` : `${rows.length} ${runs}`;
    document.getElementById("nothing").hidden = count > 0;
  };
  box.addEventListener("input", filter);

  const key = (row, column) => {
    const cell = row.cells[column];
    if ("n" in cell.dataset) return Number(cell.dataset.n);
    return cell.textContent.trim().toLowerCase();
  };
  const headers = Array.from(table.tHead.rows[0].cells);
  headers.forEach((header, column) => {
    const button = header.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const descending = header.getAttribute("aria-sort") === "ascending";
      for (const other of headers) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const sign = descending ? -1 : 1;
      const sorted = rows.slice().sort((a, b) => {
        const x = key(a, column), y = key(b, column);
        return x < y ? -sign : x > y ? sign : 0;
      });
      body.append(...sorted);
    });
  });
  // A browser that restores what was typed before does not say so by an event.
  filter();
})();
