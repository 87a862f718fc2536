// The page: one summary at the start, an event a second after it, and the tables every other second.

import { $, ask, count, ms, percent, rate } from "./dom.js";
import { stacked } from "./charts.js";
import { heat, reasons } from "./heat.js";
import { Table, routeRow, upstreamRow } from "./tables.js";
import * as requests from "./requests.js";
import * as reloads from "./reloads.js";

const COLUMNS = 60;
const page = { span: "seconds", paused: false, seconds: [], tens: [], classes: [], from: [], known: new Map() };
const routes = new Table("routes", routeRow);
const upstreams = new Table("upstreams", upstreamRow, "Endpoints");

function state(word, text = word) {
  const pill = $("state");
  if (pill.dataset.state === word && pill.textContent === text) return;
  pill.dataset.state = word;
  pill.textContent = text;
}

const offline = () => state("offline");
const put = (id, text, alarm = false) => {
  $(id).textContent = text;
  $(id).classList.toggle("alarm", alarm);
};

function moment(now) {
  state(now.ready ? "serving" : "draining");
  const { minute } = now;
  $("config").textContent = now.config ? `${now.config.file} ${now.config.hash.slice(0, 8)}` : "";
  put("f-rate", rate(minute.rate));
  put("f-errors", percent(minute.error_share), minute.errors > 0);
  put("f-refused", count(minute.refused));
  put("f-p50", ms(minute.p50));
  put("f-p99", ms(minute.p99));
  put("f-flight", count(now.in_flight));
  put("f-down", count(now.down), now.down > 0);
  $("f-endpoints").textContent = `of ${count(now.endpoints)}`;
}

function draw() {
  const columns = page[page.span];
  const seconds = page.span === "tens" ? 10 : 1;
  stacked($("chart-requests"), columns, page.classes, page.classes, seconds, "Requests");
  stacked($("chart-limits"), columns, page.classes, ["limited"], seconds, "Rejected by limits");
  heat($("chart-heat"), columns, page.from);
  reasons($("chart-reasons"), page.known);
}

async function load() {
  const summary = await ask("api/summary");
  const at = (column) => ({ ...column, at: summary.now - (summary.second - column.second) * 1000 });
  Object.assign(page, { classes: summary.classes, from: summary.heat_from, seconds: summary.seconds.map(at), tens: summary.tens.map(at) });
  page.known = new Map(summary.reasons.map((it) => [it.reason, it]));
  $("version").textContent = `Gatewright ${summary.version}.`;
  moment(summary);
  draw();
}

function take(event) {
  moment(event);
  const { column } = event;
  if (page.seconds.at(-1)?.second === column.second) return;
  page.seconds = [...page.seconds, { ...column, at: event.now - 1000 }].slice(-COLUMNS);
  for (const { reason, total, count: number } of event.reasons) {
    const known = page.known.get(reason) ?? { seconds: [] };
    page.known.set(reason, { total, seconds: [...known.seconds, number ?? 0].slice(-COLUMNS) });
  }
  if (!document.hidden) draw();
}

function follow() {
  const events = new EventSource("api/events");
  events.addEventListener("message", (message) => page.paused || take(JSON.parse(message.data)));
  events.addEventListener("error", offline);
  // What was missed meanwhile is in the summary.
  events.addEventListener("open", () => load().catch(offline));
}

async function refresh() {
  if (!page.paused && !document.hidden) {
    await Promise.all([routes.refresh(), upstreams.refresh(), requests.show(), reloads.show()]).catch(offline);
    if (page.span === "tens") await load().catch(offline);
  }
  setTimeout(refresh, 2000);
}

for (const button of document.querySelectorAll("[data-span]")) {
  button.addEventListener("click", () => {
    page.span = button.dataset.span;
    for (const other of document.querySelectorAll("[data-span]")) other.setAttribute("aria-pressed", String(other === button));
    load().catch(offline);
  });
}
$("pause").addEventListener("click", () => {
  page.paused = !page.paused;
  $("pause").setAttribute("aria-pressed", String(page.paused));
  if (!page.paused) load().catch(offline);
});
requests.begin(offline);
follow();
refresh();
