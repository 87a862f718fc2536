// The status page in Chromium: `status_page.mjs GATEWAY CHROMIUM FOLDER [IMAGES]`. It starts services, the gateway and a load, does
// what people do on the page, and ends with status 1 at the first thing that is not as it should be. With a folder for images it
// takes the pictures of the guide.

import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.env.NODE_PATH}/`);
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [program, browserPath, folder, images] = process.argv.slice(2);
const PATIENCE = 60_000;
const ROUTES = 10_000;
const HOSTILE = "<img src=x onerror=alert(1)>";

function check(holds, what) {
  if (!holds) throw new Error(what);
}

/// Asks until it holds.
async function until(what, condition) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    if (await condition()) return;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function service(answer) {
  const server = http.createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, address: `127.0.0.1:${server.address().port}` };
}

const quick = await service((_, response) => setTimeout(() => response.end("x".repeat(200)), Math.random() * 6));
const slow = await service((request, response) => {
  if (request.url.endsWith("/never")) return;
  setTimeout(() => response.end("late"), 150);
});
const dying = await service((_, response) => response.end("alive"));

function file(extra) {
  const many = Array.from({ length: ROUTES }, (_, number) => `- {path: /many/${number}, upstream: orders}`);
  return `listen: 127.0.0.1:0
admin: {address: 127.0.0.1:0, slow: 100ms}
access_log: off
workers: 1
upstreams:
  orders: {targets: ["${quick.address}"]}
  reports: {targets: ["${slow.address}"]}
  payments: {targets: ["${dying.address}"]}
limits: {few: {rate: 2/s, burst: 2, key: client_ip}}
routes:
- {path_prefix: /v1/orders, upstream: orders}
- {path_prefix: /v1/reports, upstream: reports}
- {path_prefix: /v1/payments, upstream: payments}
- {path_prefix: /v1/samples, upstream: orders, limit: few}
- {path_prefix: /internal, upstream: orders, deny_ips: [127.0.0.0/8]}
- {path_prefix: /hostile, upstream: orders, name: "${HOSTILE}"}
${extra}
${many.join("\n")}
`;
}

const config = `${folder}/gateway.yaml`;
writeFileSync(config, file(""));
const gateway = spawn(program, ["run", "gateway.yaml", "--no-watch"], { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
const ended = new Promise((resolve) => gateway.on("exit", resolve));
const said = [];
createInterface({ input: gateway.stderr }).on("line", (line) => said.push(line));
const url = (words) => said.map((line) => line.split(words)[1]).find(Boolean)?.trim();
await until("the gateway says where it is", () => url("the status page is at") && url("listening on"));
const [front, admin] = [url("listening on"), url("the status page is at")];

const agent = new http.Agent({ keepAlive: true });
function send(path) {
  return new Promise((resolve) => {
    http.get(`${front}${path}`, { agent }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer));
    }).on("error", () => resolve(null));
  });
}
const PATHS = ["/v1/orders/1", "/v1/orders/2?token=hunter2", "/v1/orders/3", "/v1/payments/1", "/v1/samples/1", "/internal", "/nowhere", "/many/7", "/hostile/x"];
let turn = 0;
const load = setInterval(() => {
  for (let number = 0; number < 3; number += 1) send(PATHS[turn++ % PATHS.length]);
  if (turn % 30 === 0) send("/v1/reports/1");
}, 30);

const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
const troubles = [];
async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("pageerror", (error) => troubles.push(`error: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && troubles.push(`console: ${message.text()}`));
  page.on("dialog", (dialog) => troubles.push(`a dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on("request", (request) => new URL(request.url()).origin !== new URL(admin).origin && troubles.push(`asks ${request.url()}`));
  await page.goto(admin);
  await page.locator("#state[data-state=serving]").waitFor();
  return page;
}

/// What axe finds that keeps people out.
async function axe(page, name) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => (await axe.run()).violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes.map((node) => node.html).slice(0, 3) })));
  const serious = found.filter(({ impact }) => ["serious", "critical"].includes(impact));
  check(serious.length === 0, `axe, ${name}: ${JSON.stringify(serious, null, 1)}`);
}

const text = (page, selector) => page.locator(selector).first().textContent();
const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0));
const picture = async (page, name) => images && (await page.screenshot({ path: `${images}/${name}.png` }));

const steps = {
  async "charts move under load"(page) {
    const chart = () => page.locator("#chart-requests svg[role=img]").innerHTML();
    await until("columns", async () => (await page.locator("#chart-requests rect.c-success").count()) > 2);
    const before = await chart();
    await until("the chart changes", async () => (await chart()) !== before);
    for (const part of ["#chart-heat rect.cell", "#chart-limits rect.c-limited", "#chart-reasons .reasons li"]) await page.locator(part).first().waitFor();
    check(Number((await text(page, "#f-rate")).replace(",", "")) > 1, "there is a rate");
    check((await text(page, "#chart-reasons")).includes("rate-limit:"), "the reason of the limit is named");
  },
  async "a chart has its table"(page) {
    await page.locator("#chart-requests summary").click();
    await page.locator("#chart-requests details table tbody tr").first().waitFor();
    await page.locator("#chart-requests summary").click();
  },
  async "ten thousand routes are searched and paged by the gateway"(page) {
    await until("the count", async () => (await text(page, "#routes-pager")).includes("10,00"));
    check((await page.locator("#routes-table tbody tr").count()) === 25, "25 rows");
    await page.locator("#routes-search").fill("many/123");
    await until("111 found", async () => (await text(page, "#routes-pager")).includes("11 of 10,00"));
    await page.locator("#routes-search").fill(HOSTILE);
    await until("the hostile route", async () => (await text(page, "#routes-table tbody th")).startsWith(HOSTILE));
    await page.locator("#routes-search").fill("");
    await until("all again", async () => (await page.locator("#routes-table tbody tr").count()) === 25);
  },
  async "an endpoint that dies is shown as down"(page) {
    const row = page.locator("#upstreams-table tbody tr", { hasText: "payments" });
    await row.locator("[data-state=up]").waitFor();
    dying.server.close();
    dying.server.closeAllConnections();
    await row.locator("[data-state=down]").waitFor({ timeout: PATIENCE });
    await until("it is counted", async () => (await text(page, "#f-down")) === "1");
  },
  async "a request is found by its id"(page) {
    const answer = await send("/v1/payments/7?token=hunter2");
    const id = answer.headers["x-request-id"];
    check(answer.statusCode === 502, `502: ${answer.statusCode}`);
    await page.locator("#find-id").fill(id);
    await page.keyboard.press("Enter");
    const found = page.locator("#requests-list details[open]", { hasText: id });
    await found.waitFor();
    const shown = await found.textContent();
    check(shown.includes("/v1/payments/7?token=…") && shown.includes("error:connect"), shown);
    check((await found.locator(".fall li").count()) >= 2, "a waterfall of two parts");
    await page.locator("#find-id").fill("nobody");
    await page.keyboard.press("Enter");
    await until("it says so", async () => (await text(page, "#requests-note")).includes("nobody"));
    await page.locator("[data-kind=slow]").click();
    await page.locator("#requests-list .p-upstream").first().waitFor({ state: "attached" });
    check((await text(page, "#requests-list")).includes("/v1/reports/1"), "the slow one is there");
  },
  async "a reload is shown with what it changed, and one that was refused with its reason"(page) {
    writeFileSync(config, file("- {path: /added, upstream: orders}"));
    gateway.kill("SIGHUP");
    await page.locator("#reloads-list > li", { hasText: "route /added added" }).waitFor({ timeout: PATIENCE });
    writeFileSync(config, file("- {path: /added, upstrem: orders}"));
    gateway.kill("SIGHUP");
    await page.locator("#reloads-list > li", { hasText: "did you mean `upstream`?" }).waitFor({ timeout: PATIENCE });
  },
  async "it is used by keyboard alone"() {
    const page = await open({ viewport: { width: 1280, height: 900 } });
    await page.keyboard.press("Tab");
    check((await page.evaluate(() => document.activeElement.className)) === "skip", "the first stop skips to the content");
    const visited = new Set();
    for (let step = 0; step < 60; step += 1) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
      visited.add(at);
      if (at.startsWith("p99")) break;
    }
    for (const stop of ["pause", "routes-search"]) check(visited.has(stop), `Tab comes to ${stop}: ${[...visited]}`);
    await page.keyboard.press("Enter");
    await until("ordered by p99", async () => (await page.locator("#routes-table th[aria-sort=descending]").textContent()).startsWith("p99"));
    await page.locator("#requests-list summary").first().focus();
    await page.keyboard.press("Enter");
    await page.locator("#requests-list details[open] .fall").first().waitFor();
    await page.context().close();
  },
  async "a phone has all of it in its width"() {
    const page = await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    await page.locator("#routes-table tbody tr").nth(2).waitFor();
    check((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390, "nothing is wider than the screen");
    await axe(page, "phone");
    await picture(page, "status-page-phone");
    await page.context().close();
  },
  async "it is dark where the system is"(page) {
    const dark = await open({ viewport: { width: 1280, height: 900 }, colorScheme: "dark", reducedMotion: "reduce" });
    check((await background(dark)) < 150 && (await background(page)) > 600, "the ground is dark, and light");
    check((await dark.evaluate(() => getComputedStyle(document.querySelector("button")).transitionDuration)) === "0s", "nothing moves");
    await dark.locator("#routes-table tbody tr").nth(2).waitFor();
    await axe(dark, "dark");
    await picture(dark, "status-page-dark");
    await dark.context().close();
  },
  async "axe finds nothing serious"(page) {
    await page.locator("[data-kind=failed]").click();
    await page.locator("#requests-list summary").first().click();
    await page.locator("#chart-heat summary").click();
    await axe(page, "light");
    await page.locator("#chart-heat summary").click();
    await page.evaluate(() => scrollTo(0, 0));
    await picture(page, "status-page");
    await page.locator("#requests").scrollIntoViewIfNeeded();
    await page.locator("#requests").evaluate((section) => section.scrollIntoView());
    await picture(page, "status-page-requests");
  },
  async "nothing has gone wrong on the way"() {
    check(troubles.length === 0, troubles.join("\n"));
  },
  async "a drain is shown until the end"(page) {
    http.get(`${front}/v1/reports/never`).on("error", () => {});
    await until("it is under way", async () => Number(await text(page, "#f-flight")) > 0);
    clearInterval(load);
    gateway.kill("SIGTERM");
    await page.locator("#state[data-state=draining]").waitFor({ timeout: PATIENCE });
    gateway.kill("SIGTERM");
    check((await ended) === 0, "it ends with status 0");
    await page.locator("#state[data-state=offline]").waitFor({ timeout: PATIENCE });
  },
};

let failed = false;
try {
  const page = await open({ viewport: { width: 1280, height: 900 } });
  if (images) await new Promise((resolve) => setTimeout(resolve, 25_000));
  for (const [name, step] of Object.entries(steps)) {
    const since = Date.now();
    try {
      await step(page);
    } catch (error) {
      throw new Error(`${name}: ${error.message}`);
    }
    console.log(`${name} (${Date.now() - since} ms)`);
  }
} catch (error) {
  failed = true;
  console.log(`FAILED ${error.message}\nThe gateway said:\n${said.join("\n")}\nThe page: ${troubles.join("\n")}`);
}
gateway.kill("SIGKILL");
await browser.close();
process.exit(failed ? 1 : 0);
