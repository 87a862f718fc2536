// Routes and upstreams: a page of rows at a time, searched and ordered by the gateway.

import { $, ask, count, el, ms, percent, rate } from "./dom.js";

const COLUMNS = [["name", "Name"], ["rate", "Requests/s"], ["errors", "Errors"], ["refused", "Refused"], ["p50", "p50"], ["p90", "p90"], ["p99", "p99"]];

export class Table {
  constructor(kind, row, extra) {
    Object.assign(this, { kind, row, extra, sort: "rate", page: 1, search: "", asked: 0 });
    this.table = $(`${kind}-table`);
    this.pager = $(`${kind}-pager`);
    const input = $(`${kind}-search`);
    let waiting;
    input.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.set({ search: input.value, page: 1 }), 200);
    });
    input.form.addEventListener("submit", (event) => event.preventDefault());
    this.body = el("tbody");
    this.buttons = new Map();
    const head = COLUMNS.map(([sort, text]) => {
      const button = el("button", { type: "button", on: { click: () => this.set({ sort, page: 1 }) } }, text);
      const cell = el("th", { scope: "col" }, button);
      this.buttons.set(sort, [button, text, cell]);
      return cell;
    });
    if (extra) head.push(el("th", { scope: "col", class: "left" }, extra));
    this.table.append(el("caption", { class: "visually-hidden" }, kind === "routes" ? "Routes, over the last minute" : "Upstreams, over the last minute"), el("thead", {}, el("tr", {}, ...head)), this.body);
    this.previous = el("button", { type: "button", on: { click: () => this.set({ page: this.page - 1 }) } }, "Previous");
    this.next = el("button", { type: "button", on: { click: () => this.set({ page: this.page + 1 }) } }, "Next");
    this.where = el("span", { role: "status" });
    this.pager.append(this.previous, this.next, this.where);
  }

  set(change) {
    Object.assign(this, change);
    return this.refresh();
  }

  async refresh() {
    const asked = ++this.asked;
    const found = await ask(`api/${this.kind}`, { search: this.search, sort: this.sort, page: this.page });
    if (asked !== this.asked) return;
    this.page = found.page;
    for (const [sort, [button, text, cell]] of this.buttons) {
      const now = sort === found.sort;
      cell.setAttribute("aria-sort", now ? (sort === "name" ? "ascending" : "descending") : "none");
      button.textContent = now ? `${text} ${sort === "name" ? "↑" : "↓"}` : text;
    }
    const rows = found[this.kind].map((it) => this.row(it));
    const columns = COLUMNS.length + (this.extra ? 1 : 0);
    this.body.replaceChildren(...(rows.length ? rows : [el("tr", {}, el("td", { colspan: columns, class: "left muted" }, this.search ? "Nothing has this name." : "There are none."))]));
    const where = `${count(found.matched)} ${this.search ? `of ${count(found.total)} ` : ""}${this.kind}, page ${count(found.page)} of ${count(found.pages)}`;
    if (this.where.textContent !== where) this.where.textContent = where;
    this.previous.disabled = found.page <= 1;
    this.next.disabled = found.page >= found.pages;
  }
}

function figures(it) {
  const errors = it.errors ? `${count(it.errors)} (${percent(it.error_share)})` : "0";
  return [el("td", {}, rate(it.rate)), el("td", { class: it.errors ? "alarm" : "" }, errors), el("td", {}, count(it.refused)), el("td", {}, ms(it.p50)), el("td", {}, ms(it.p90)), el("td", {}, ms(it.p99))];
}

export function routeRow(it) {
  const refusals = Object.entries(it.reasons ?? {}).map(([reason, number]) => `${reason} ${count(number)}`).join(", ");
  const sub = [it.upstream ? `→ ${it.upstream}` : "", refusals].filter(Boolean).join(" · ");
  return el("tr", {}, el("th", { scope: "row" }, it.name || "(no route)", sub ? el("span", { class: "sub" }, sub) : null), ...figures(it));
}

export function upstreamRow(it) {
  const endpoints = it.endpoints.map((endpoint) =>
    el("li", {}, el("span", { class: "pill", "data-state": endpoint.health }, endpoint.health), " ", el("span", { class: "mono" }, endpoint.address), el("span", { class: "muted" }, ` ${count(endpoint.in_flight)} in flight, ${count(endpoint.failed)} failed`)),
  );
  return el("tr", {}, el("th", { scope: "row" }, it.name), ...figures(it), el("td", { class: "left" }, el("ul", { class: "endpoints" }, ...endpoints)));
}
