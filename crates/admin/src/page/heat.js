// The latency heat map, and the refusals by reason.

import { el, svg, clock, count, ms } from "./dom.js";
import { BOTTOM, HEIGHT, LEFT, WIDTH, replaceChart, table, timeAxis } from "./charts.js";

/// A column a moment, a row a doubling of the latency; only rows that somebody is in are shown.
export function heat(figure, columns, from) {
  let first = from.length;
  let last = -1;
  let most = 0;
  for (const column of columns) {
    column.heat.forEach((number, row) => {
      if (number === 0) return;
      first = Math.min(first, row);
      last = Math.max(last, row);
      most = Math.max(most, number);
    });
  }
  if (last < 0) [first, last] = [3, 8];
  last = Math.min(Math.max(last, first + 3), from.length - 1);
  const rows = last - first + 1;
  const slot = (WIDTH - LEFT) / Math.max(columns.length, 1);
  const height = (HEIGHT - BOTTOM - 8) / rows;
  const latest = columns.at(-1);
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Latency: now p50 ${ms(latest?.p50)}, p99 ${ms(latest?.p99)}` });
  for (let row = first; row <= last; row += Math.max(1, Math.ceil(rows / 5))) {
    const y = HEIGHT - BOTTOM - (row - first) * height;
    chart.append(svg("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y, y2: y }), svg("text", { x: LEFT - 4, y: y + 2, "text-anchor": "end" }, short(from[row])));
  }
  columns.forEach((column, place) => {
    for (let row = first; row <= last; row += 1) {
      const number = column.heat[row];
      if (number === 0) continue;
      const opacity = 0.15 + 0.85 * (Math.log1p(number) / Math.log1p(most));
      chart.append(svg("rect", { class: "cell", "fill-opacity": opacity.toFixed(2), x: (LEFT + place * slot).toFixed(2), y: (HEIGHT - BOTTOM - (row - first + 1) * height).toFixed(2), width: (slot + 0.2).toFixed(2), height: (height + 0.2).toFixed(2) }));
    }
  });
  chart.append(...timeAxis(columns));
  replaceChart(figure, chart);
  table(figure, "Latency", ["Time", "p50", "p99"], () => [...columns].reverse().map((column) => [clock(column.at), ms(column.p50), ms(column.p99)]));
}

function short(value) {
  return value >= 1000 ? `${Math.round(value / 1000)}s` : value >= 10 ? `${Math.round(value)}ms` : `${value.toFixed(1)}ms`;
}

export function reasons(figure, known) {
  const sums = [...known.entries()].map(([reason, { total, seconds }]) => [reason, seconds.reduce((sum, number) => sum + number, 0), total]);
  sums.sort((one, other) => other[1] - one[1] || other[2] - one[2]);
  const most = Math.max(...sums.map(([, sum]) => sum), 1);
  const list = el("ul", { class: "reasons" });
  for (const [reason, sum, total] of sums.slice(0, 8)) {
    const bar = svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": true }, svg("rect", { class: "track", width: 100, height: 8 }), svg("rect", { class: "c-refused", width: (100 * sum) / most, height: 8 }));
    list.append(el("li", {}, el("span", { class: "name mono" }, reason), bar, el("span", { class: "count", title: `${count(total)} in all` }, count(sum))));
  }
  const before = figure.querySelector(":scope > ul, :scope > p");
  const now = sums.length ? list : el("p", { class: "muted" }, "None so far.");
  if (before) before.replaceWith(now);
  else figure.append(now);
}
