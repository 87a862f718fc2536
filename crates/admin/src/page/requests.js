// Recent requests that failed, were refused or were slow, each with where its time went.

import { $, ask, clock, count, el, ms, svg } from "./dom.js";

const FEW = 12;
const state = { kind: "failed", id: "", shown: "", most: FEW };

export function begin(failed) {
  const refresh = () => show().catch(failed);
  for (const button of document.querySelectorAll("[data-kind]")) {
    button.addEventListener("click", () => {
      Object.assign(state, { kind: button.dataset.kind, id: "", most: FEW });
      $("find-id").value = "";
      refresh();
    });
  }
  $("requests-more").addEventListener("click", () => {
    state.most = Infinity;
    refresh();
  });
  $("find").addEventListener("submit", (event) => {
    event.preventDefault();
    state.id = $("find-id").value.trim();
    refresh();
  });
}

export async function show() {
  const asked = state.id ? { id: state.id } : { [state.kind]: "" };
  const wanted = JSON.stringify(asked);
  const found = await ask("api/requests", asked);
  for (const button of document.querySelectorAll("[data-kind]")) button.setAttribute("aria-pressed", String(!state.id && button.dataset.kind === state.kind));
  const note = state.id
    ? found.requests.length ? `Request ${state.id}` : `No request that failed, was refused or was slow has the id ${state.id}.`
    : found.requests.length ? "" : state.kind === "slow" ? `None took ${ms(found.slow_ms)} or longer.` : `None was ${state.kind === "failed" ? "a failure" : "refused"}.`;
  if ($("requests-note").textContent !== note) $("requests-note").textContent = note;
  const more = found.requests.length - state.most;
  $("requests-more").hidden = more <= 0;
  $("requests-more").textContent = `Show ${count(Math.max(more, 0))} more`;
  if (more > 0) found.requests.splice(state.most);
  const shown = wanted + found.requests.map(key).join();
  // A list that somebody reads in stays as it is until something is new.
  if (shown === state.shown) return;
  const list = $("requests-list");
  const open = new Set([...list.querySelectorAll("details[open]")].map((details) => details.dataset.key));
  const focused = list.contains(document.activeElement) ? document.activeElement.closest("details")?.dataset.key : null;
  list.replaceChildren(...found.requests.map((request) => item(request, open.has(key(request)) || Boolean(state.id))));
  if (focused) [...list.querySelectorAll("details")].find((details) => details.dataset.key === focused)?.querySelector("summary").focus();
  state.shown = shown;
}

const key = (request) => `${request.id}/${request.began}`;

function item(request, open) {
  const bad = request.status === null || request.status >= 500;
  const summary = el("summary", {},
    el("span", { class: "pill", "data-state": bad ? "bad" : request.status >= 400 ? "failing" : "ok" }, request.status ?? "–"),
    el("span", { class: "target mono" }, `${request.method} ${request.target}`),
    el("span", { class: "muted" }, request.why ?? request.route ?? ""),
    el("span", { class: "time" }, `${ms(request.duration)} · ${clock(request.began)}`),
  );
  return el("li", { class: "card" }, el("details", { open, "data-key": key(request) }, summary, waterfall(request), facts(request)));
}

/// A bar for each part of the request's time, where it began and how long it was.
function waterfall(request) {
  const total = Math.max(request.duration, 0.001);
  const rows = request.parts.map((part) => {
    const bar = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": true },
      svg("rect", { class: "track", y: 4, width: 100, height: 2 }),
      svg("rect", { class: `p-${part.kind}`, x: (100 * part.at) / total, y: 1, width: Math.max((100 * part.length) / total, 0.4), height: 8 }));
    return el("li", {}, el("span", {}, part.kind === "gateway" || part.kind === "body" ? part.name : `${part.kind} ${part.name}`), bar, el("span", {}, ms(part.length)));
  });
  return el("ol", { class: "fall", "aria-label": "Where the time went" }, ...rows);
}

function facts(request) {
  const all = [["Request id", request.id], ["Trace", request.trace_id], ["Why", request.why], ["Client", request.client], ["Host", request.host], ["Route", request.route], ["Upstream", request.upstream], ["Endpoint", request.endpoint], ["Bytes", `${count(request.bytes_in)} in, ${count(request.bytes_out)} out`]];
  return el("dl", { class: "facts" }, ...all.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", { class: "mono" }, String(value))]));
}
