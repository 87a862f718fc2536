// Stacked columns. The table beneath a chart has the same numbers, for those who do not see it.

import { el, svg, clock, count, words } from "./dom.js";

export const WIDTH = 600;
export const HEIGHT = 150;
export const LEFT = 40;
export const BOTTOM = 18;

/// A round number at least as large.
export function nice(most) {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most);
}

export function label(number) {
  return number >= 1000 ? `${number / 1000}k` : `${Number(number.toFixed(2))}`;
}

/// The table of a chart stays as it is while somebody has it open and reads on.
export function table(figure, caption, head, rows) {
  let details = figure.querySelector("details.data");
  if (!details) {
    details = el("details", { class: "data" }, el("summary", {}, "Show as a table"), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }));
    figure.append(details);
    details.addEventListener("toggle", () => details.open && details.render?.());
  }
  details.render = () =>
    details.lastElementChild.replaceChildren(
      el("table", {}, el("caption", { class: "visually-hidden" }, caption),
        el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, text)))),
        el("tbody", {}, ...rows().map(([first, ...rest]) => el("tr", {}, el("th", { scope: "row" }, first), ...rest.map((text) => el("td", {}, text)))))),
    );
  if (details.open && !details.matches(":focus-within")) details.render();
}

export function replaceChart(figure, chart) {
  const before = figure.querySelector(":scope > svg");
  if (before) before.replaceWith(chart);
  else figure.querySelector("figcaption").after(chart);
}

export function timeAxis(columns) {
  const texts = [];
  for (const share of [0, 0.5, 1]) {
    const column = columns[Math.min(columns.length - 1, Math.round(share * (columns.length - 1)))];
    if (!column) continue;
    const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
    texts.push(svg("text", { x: LEFT + share * (WIDTH - LEFT), y: HEIGHT - 4, "text-anchor": anchor }, clock(column.at)));
  }
  return texts;
}

/// Columns of several classes; each counts a second, whatever its length.
export function stacked(figure, columns, classes, wanted, seconds, name) {
  const shown = classes.map((word, index) => ({ word, index })).filter(({ word }) => wanted.includes(word));
  const total = (column) => shown.reduce((sum, { index }) => sum + column.classes[index], 0) / seconds;
  const top = nice(Math.max(...columns.map(total), 0));
  const height = HEIGHT - BOTTOM - 8;
  const slot = (WIDTH - LEFT) / Math.max(columns.length, 1);
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${name}: now ${label(columns.length ? total(columns.at(-1)) : 0)} a second, at most ${label(Math.max(...columns.map(total), 0))}` });
  for (const share of [0, 0.5, 1]) {
    const y = 8 + height * (1 - share);
    chart.append(svg("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y, y2: y }), svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, label(top * share)));
  }
  columns.forEach((column, place) => {
    let base = 8 + height;
    for (const { word, index } of shown) {
      const part = (column.classes[index] / seconds / top) * height;
      if (part <= 0) continue;
      base -= part;
      chart.append(svg("rect", { class: `c-${word}`, x: (LEFT + place * slot + 0.5).toFixed(2), y: base.toFixed(2), width: Math.max(slot - 1, 0.5).toFixed(2), height: Math.max(part, 0.6).toFixed(2) }));
    }
  });
  chart.append(...timeAxis(columns));
  replaceChart(figure, chart);
  if (shown.length > 1 && !figure.querySelector(".legend")) {
    chart.after(el("ul", { class: "legend" }, ...shown.map(({ word }) => el("li", {}, svg("svg", { viewBox: "0 0 10 10", "aria-hidden": true }, svg("rect", { class: `c-${word}`, width: 10, height: 10, rx: 3 })), words(word)))));
  }
  table(figure, name, ["Time", ...shown.map(({ word }) => words(word))], () => [...columns].reverse().map((column) => [clock(column.at), ...shown.map(({ index }) => count(column.classes[index]))]));
}
