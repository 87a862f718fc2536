// Chromium without a window: `chromium.mjs PROGRAM FOLDER URL CA VERSION [CASES]`. A page that came through the gateway sends the
// cases by `fetch`, told over the DevTools protocol. The CA is trusted by the key of the certificate that the server shows.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { connect } from "node:tls";

const { WebSocket } = createRequire(`${process.env.NODE_PATH}/`)("ws");
const [program, folder, url, ca, version, only] = process.argv.slice(2);

/// The hash of the server's public key, once its certificate is found to be the CA's.
async function keyOf({ hostname, port, protocol }) {
  if (protocol !== "https:") return "";
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port, servername: hostname, ca: readFileSync(ca) }, () => {
      const { publicKey } = socket.getPeerX509Certificate();
      resolve(createHash("sha256").update(publicKey.export({ type: "spki", format: "der" })).digest("base64"));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

/// What the page does; it comes back as lines.
async function page(version, only) {
  const pattern = (length) => Uint8Array.from({ length }, (_, number) => number % 251);
  function pieces() {
    const body = pattern(10_000_000);
    const sizes = [1, 4096, 100_000, 8192, 65536, 3];
    let at = 0;
    let turn = 0;
    return new ReadableStream({
      pull(controller) {
        if (at >= body.length) return controller.close();
        const size = sizes[turn % sizes.length];
        controller.enqueue(body.subarray(at, at + size));
        at += size;
        turn += 1;
      },
    });
  }
  const cases = [
    ["get", "GET", "/sized/1000000"],
    ["head", "HEAD", "/sized/1000000"],
    ["post-0", "POST", "/echo", () => pattern(0)],
    ["post-10", "POST", "/echo", () => pattern(10_000_000)],
    ["post-20", "POST", "/echo", () => pattern(20_000_000)],
    ["chunked", "POST", "/echo", pieces],
    ["early", "POST", "/early", () => pattern(20_000_000)],
    ["again", "GET", "/many/100000"],
  ];
  const lines = [];
  for (const [name, method, path, body] of cases) {
    // A body without a length goes over HTTP/2 only (Chromium: ERR_H2_OR_QUIC_REQUIRED).
    if ((only && !only.split(",").includes(name)) || (name === "chunked" && version !== "2")) continue;
    try {
      const answer = await fetch(path, { method, body: body?.(), duplex: "half", cache: "no-store" });
      const content = await answer.arrayBuffer();
      const bytes = Array.from(new Uint8Array(content));
      const [entry] = performance.getEntriesByName(new URL(path, location).href).slice(-1);
      const spoken = { "http/1.1": "1.1", h2: "2" }[entry?.nextHopProtocol] ?? entry?.nextHopProtocol ?? "";
      performance.clearResourceTimings();
      const length = answer.headers.get("content-length");
      lines.push({ case: name, version: spoken, status: answer.status, length, bytes: bytes.length, content: bytes });
    } catch (error) {
      lines.push({ case: name, error: String(error) });
    }
  }
  return lines;
}

const at = new URL(url);
const chromium = spawn(
  program,
  [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-proxy-server",
    "--remote-debugging-port=0", `--user-data-dir=${folder}`,
    `--ignore-certificate-errors-spki-list=${await keyOf(at)}`, "about:blank",
  ],
  { stdio: ["ignore", "ignore", "pipe"] },
);
process.on("exit", () => chromium.kill("SIGKILL"));
let devtools;
for await (const line of createInterface({ input: chromium.stderr })) {
  devtools = line.match(/DevTools listening on (ws:\S+)/)?.[1];
  if (devtools) break;
}
const socket = new WebSocket(devtools, { maxPayload: 1 << 30 });
await new Promise((resolve) => socket.on("open", resolve));
const waiting = new Map();
let number = 0;
let loaded;
const load = new Promise((resolve) => (loaded = resolve));
socket.on("message", (text) => {
  const message = JSON.parse(text);
  if (message.method === "Page.loadEventFired") loaded();
  waiting.get(message.id)?.(message);
});
function tell(method, params, sessionId) {
  number += 1;
  const told = new Promise((resolve) => waiting.set(number, resolve));
  socket.send(JSON.stringify({ id: number, method, params, sessionId }));
  return told;
}
const { result: { targetId } } = await tell("Target.createTarget", { url: "about:blank" });
const { result: { sessionId } } = await tell("Target.attachToTarget", { targetId, flatten: true });
await tell("Page.enable", {}, sessionId);
const went = await tell("Page.navigate", { url: `${url}/echo` }, sessionId);
if (went.result.errorText) throw new Error(went.result.errorText);
await load;
const expression = `(${page})(${JSON.stringify(version)}, ${JSON.stringify(only)})`;
const evaluate = { expression, awaitPromise: true, returnByValue: true };
const said = await tell("Runtime.evaluate", evaluate, sessionId);
if (!said.result?.result?.value) throw new Error(JSON.stringify(said));
for (const { content, ...line } of said.result.result.value) {
  if (content) line.sha256 = createHash("sha256").update(Buffer.from(content)).digest("hex");
  if (content?.length < 1000) line.text = Buffer.from(content).toString("latin1");
  console.log(JSON.stringify(line));
}
process.exit(0);
