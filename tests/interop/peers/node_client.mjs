// Node's clients: `node_client.mjs LIBRARY URL CA VERSION [CASES]` prints one line of JSON for each case.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { createRequire } from "node:module";
import { Readable } from "node:stream";

const [library, url, caFile, version, only] = process.argv.slice(2);
const ca = readFileSync(caFile);
const block = Buffer.from(Array.from({ length: 251 }, (_, number) => number));
const pattern = (length) => Buffer.alloc(length, block);

/// The same without a length, in pieces of many sizes.
function* pieces(length) {
  const body = pattern(length);
  const sizes = [1, 4096, 100_000, 8192, 65536, 3];
  for (let at = 0, turn = 0; at < length; turn += 1) {
    const size = sizes[turn % sizes.length];
    yield body.subarray(at, at + size);
    at += size;
  }
}

const tls12 = { connection: "Upgrade", upgrade: "TLS/1.2" };
const h2c = {
  connection: "Upgrade, HTTP2-Settings",
  upgrade: "h2c",
  "http2-settings": "AAMAAABkAAQAoAAAAAIAAAAA",
};

// Case, method, path, length of the body or what makes it in pieces, fields.
const cases = [
  ["get", "GET", "/sized/1000000", null, {}],
  ["head", "HEAD", "/sized/1000000", null, {}],
  ["post-0", "POST", "/echo", 0, {}],
  ["post-10", "POST", "/echo", 10_000_000, {}],
  ["post-20", "POST", "/echo", 20_000_000, {}],
  ["chunked", "POST", "/echo", pieces, {}],
  ["early", "POST", "/early", 20_000_000, {}],
  ["upgrade", "GET", "/echo", null, tls12],
  ["upgrade-post", "POST", "/echo", 100_000, h2c],
  ["again", "GET", "/many/100000", null, {}],
];

/// A body in one piece, in many, or none.
const made = (body) => (body === null ? null : body === pieces ? Readable.from(pieces(10_000_000)) : pattern(body));

// Each takes a method, a path, a body and fields, and gives [version, status, content-length, body].
const libraries = {
  /// Built in. It says nothing of the version, and speaks 1.1 only.
  async fetch(method, path, body, headers) {
    const answer = await fetch(url + path, { method, body, headers, duplex: "half" });
    return ["1.1", answer.status, answer.headers.get("content-length"), Buffer.from(await answer.arrayBuffer())];
  },

  /// npm's, of which the one that is built in is a copy.
  undici() {
    const { Agent, request } = createRequire(`${process.env.NODE_PATH}/`)("undici");
    const dispatcher = new Agent({ allowH2: version === "2", connect: { ca } });
    return async (method, path, whole, fields) => {
      let [body, headers] = [whole, fields];
      if (version === "2" && body instanceof Buffer && body.length > 0) {
        // See `http2` below: undici leaves the session's memory at its default.
        headers = { ...headers, "content-length": body.length };
        body = Readable.from(pieces(body.length));
      }
      const answer = await request(url + path, { dispatcher, method, body, headers });
      const content = Buffer.from(await answer.body.arrayBuffer());
      return [version, answer.statusCode, answer.headers["content-length"], content];
    };
  },

  http() {
    const module = url.startsWith("https") ? https : http;
    const agent = new module.Agent({ keepAlive: true, maxSockets: 1, ca });
    return async (method, path, body, headers) => {
      const sized = body instanceof Buffer ? { "content-length": body.length } : {};
      const request = module.request(url + path, { agent, method, headers: { ...headers, ...sized } });
      if (body instanceof Readable) body.pipe(request);
      else request.end(body);
      const [answer] = await once(request, "response");
      const content = Buffer.concat(await answer.toArray());
      return [answer.httpVersion, answer.statusCode, answer.headers["content-length"], content];
    };
  },

  http2() {
    let session;
    return async (method, path, body, headers) => {
      if (!session || session.closed || session.destroyed) {
        // What is queued counts as memory of the session, 10 MB by default. When it is full, node drops the answer that comes.
        session = http2.connect(url, { ca, maxSessionMemory: 100 });
        session.on("error", () => {});
      }
      const sized = body instanceof Buffer ? { "content-length": body.length } : {};
      const options = { endStream: body === null };
      const stream = session.request({ ":method": method, ":path": path, ...headers, ...sized }, options);
      if (body instanceof Readable) body.pipe(stream);
      else if (body !== null) stream.end(body);
      const over = once(stream, "close").then(() => Promise.reject(new Error("closed without an answer")));
      over.catch(() => {});
      const [answer] = await Promise.race([once(stream, "response"), over]);
      const content = Buffer.concat(await stream.toArray());
      return ["2", answer[":status"], answer["content-length"], content];
    };
  },
};

// `fetch` forbids the fields, undici's `request` takes them for its own and wants a 101.
const upgrades = version === "1.1" && library === "http";
const exchange = library === "fetch" ? libraries.fetch : libraries[library]();
for (const [name, method, path, body, headers] of cases) {
  if ((only && !only.split(",").includes(name)) || (!upgrades && name.startsWith("upgrade"))) continue;
  const line = { case: name };
  try {
    const [spoken, status, length, content] = await exchange(method, path, made(body), headers);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const text = content.length < 1000 ? content.toString("latin1").slice(0, 200) : "";
    Object.assign(line, { version: spoken, status, length: length ?? null, bytes: content.length, sha256, text });
  } catch (error) {
    line.error = `${error.name}: ${error.cause?.code ?? error.code ?? ""} ${error.message}`;
  }
  console.log(JSON.stringify(line));
}
process.exit(0);
