// The last reloads, with what each changed.

import { $, ask, clock, count, el } from "./dom.js";

let shown = "";

export async function show() {
  const found = await ask("api/reloads");
  const now = JSON.stringify(found);
  if (now === shown) return;
  shown = now;
  $("reloads-count").textContent = `${count(found.accepted)} accepted, ${count(found.refused)} refused`;
  const items = found.reloads.map((reload) => {
    const hashes = reload.hash_after ? el("span", { class: "muted mono" }, ` ${reload.hash_before.slice(0, 8)} → ${reload.hash_after.slice(0, 8)}`) : null;
    const changes = reload.changes.map(({ change, what, name }) => el("li", {}, `${what} `, el("span", { class: "mono" }, name), ` ${change}`));
    if (reload.more_changes) changes.push(el("li", {}, `and ${count(reload.more_changes)} more`));
    if (reload.ok && !changes.length) changes.push(el("li", {}, "nothing with a name changed"));
    return el("li", { class: "card" },
      el("span", { class: "pill", "data-state": reload.ok ? "ok" : "bad" }, reload.ok ? "accepted" : "refused"), ` ${new Date(reload.at).toLocaleDateString("en-CA")} ${clock(reload.at)}`, hashes,
      reload.error ? el("pre", {}, reload.error) : el("ul", {}, ...changes));
  });
  $("reloads-list").replaceChildren(...(items.length ? items : [el("li", { class: "muted" }, "No reload since the start.")]));
}
