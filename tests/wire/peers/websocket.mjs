// A WebSocket conversation by npm's `ws`: `serve` prints its port, `talk URL [CA]` prints what was said.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { WebSocket, WebSocketServer } = createRequire(`${process.env.NODE_PATH}/`)("ws");

let lastClose = { code: null, reason: null };

function serve() {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    maxPayload: 1 << 30,
    perMessageDeflate: true,
    handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
  });
  server.on("listening", () => console.log(server.address().port));
  server.on("connection", (ws) => {
    ws.on("message", (data, binary) => {
      const text = binary ? null : data.toString();
      if (text === "fragments") {
        ws.send("one ", { fin: false });
        ws.send("two ", { fin: false });
        ws.send("three", { fin: true });
      } else if (text === "last close") {
        ws.send(JSON.stringify(lastClose));
      } else if (text?.startsWith("close ")) {
        const [, code, ...reason] = text.split(" ");
        ws.close(Number(code), reason.join(" "));
      } else {
        ws.send(data, { binary });
      }
    });
    ws.on("close", (code, reason) => (lastClose = { code, reason: reason.toString() }));
    ws.on("error", () => {});
  });
}

function digest([data, binary]) {
  return [binary ? "binary" : "text", data.length, createHash("sha256").update(data).digest("hex")];
}

async function talk(url, ca) {
  const said = [];
  const connect = async () => {
    const options = { maxPayload: 1 << 30, ...(ca && { ca: readFileSync(ca) }) };
    const ws = new WebSocket(url, ["other", "chat"], options);
    // Both come in one turn of the loop.
    const [[upgrade]] = await Promise.all([once(ws, "upgrade"), once(ws, "open")]);
    return [ws, upgrade];
  };
  let [ws, upgrade] = await connect();
  said.push(["subprotocol", ws.protocol]);
  said.push(["extensions", upgrade.headers["sec-websocket-extensions"] ?? null]);
  const pattern = Buffer.alloc(1 << 20, Buffer.from(Array.from({ length: 256 }, (_, n) => n)));
  for (const message of ["hello", "", "päivää 🌍", Buffer.from([0, 255]), pattern, "x".repeat(1 << 20)]) {
    ws.send(message);
    said.push(["echo", digest(await once(ws, "message"))]);
  }
  ws.send("frag", { fin: false });
  ws.send("ment", { fin: false });
  ws.send("ed", { fin: true });
  said.push(["fragments sent", (await once(ws, "message"))[0].toString()]);
  ws.send("fragments");
  said.push(["fragments received", (await once(ws, "message"))[0].toString()]);
  ws.ping("payload");
  said.push(["pong", (await once(ws, "pong"))[0].toString()]);
  const numbers = [];
  const done = new Promise((resolve) =>
    ws.on("message", (data) => numbers.push(data.toString()) === 100 && resolve()));
  for (let number = 0; number < 100; number++) ws.send(String(number));
  await done;
  said.push(["in order", numbers.every((text, index) => text === String(index))]);
  ws.send("close 4321 enough said");
  const [code, reason] = await once(ws, "close");
  said.push(["closed by the server", code, reason.toString()]);

  let seen;
  for (let attempt = 0; attempt < 100; attempt++) {
    [ws] = await connect();
    ws.close(4000, "bye");
    await once(ws, "close");
    [ws] = await connect();
    ws.send("last close");
    seen = JSON.parse((await once(ws, "message"))[0]);
    ws.terminate();
    if (seen.code === 4000) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  said.push(["as the server saw it", seen.code, seen.reason]);
  console.log(JSON.stringify(said));
}

const [, , command, url, ca] = process.argv;
if (command === "serve") serve();
else await talk(url, ca);
