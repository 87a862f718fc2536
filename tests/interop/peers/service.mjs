// A service on node's `http`: `service.mjs [REQUESTS [IDLE]]` prints its port. It ends each connection after so many requests
// (0: never), and after so many milliseconds without one.
//
// A body of N bytes counts from 0 to 250 again and again: no power of two is a multiple of 251, so a block that is lost,
// doubled or swapped shows in the hash.

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { setImmediate } from "node:timers/promises";
import { createGzip, gzipSync } from "node:zlib";

const block = Buffer.from(Array.from({ length: 251 }, (_, number) => number));
const pattern = (length) => Buffer.alloc(length, block);
const [requests = "0", idle = "60000"] = process.argv.slice(2);

/// What arrived: method, length and hash of the content, how it was framed, and whether an upgrade was asked for.
async function echo(request, response) {
  const hash = createHash("sha256");
  let length = 0;
  for await (const chunk of request) {
    hash.update(chunk);
    length += chunk.length;
  }
  const { "content-length": sized, "transfer-encoding": coding, upgrade, connection } = request.headers;
  const framing = coding ?? (sized === undefined ? "none" : "length");
  const asked = upgrade ?? (/upgrade/i.test(connection ?? "") ? "nominated" : "none");
  const text = `${request.method} ${length} ${hash.digest("hex")} ${framing} ${asked}\n`;
  response.setHeader("content-length", text.length);
  response.end(text);
}

/// In pieces of many sizes, each written when the one before has gone.
async function inMany(response, body) {
  const sizes = [1, 4096, 100, 8192, 16384, 3, 65536, 5000];
  for (let from = 0, turn = 0; from < body.length; turn += 1) {
    const size = sizes[turn % sizes.length];
    response.write(body.subarray(from, from + size));
    from += size;
    await setImmediate();
  }
  response.end();
}

const server = createServer(async (request, response) => {
  const [, kind, length] = request.url.split("/");
  if (kind === "echo") return echo(request, response);
  // Browsers ask for `/favicon.ico` as well.
  const body = pattern(Number(length ?? 0));
  response.setHeader("content-type", "text/plain");
  switch (kind) {
    case "sized":
      response.setHeader("content-length", body.length);
      return response.end(body);
    case "one":
      response.write(body);
      return response.end();
    case "many":
      return inMany(response, body);
    case "gzip": {
      const packed = gzipSync(body);
      response.setHeader("content-encoding", "gzip");
      response.setHeader("content-length", packed.length);
      return response.end(packed);
    }
    case "gzip-stream": {
      response.setHeader("content-encoding", "gzip");
      const gzip = createGzip();
      gzip.pipe(response);
      return inMany(gzip, body);
    }
    default:
      response.statusCode = 404;
      return response.end();
  }
});
server.maxRequestsPerSocket = Number(requests);
server.keepAliveTimeout = Number(idle);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
