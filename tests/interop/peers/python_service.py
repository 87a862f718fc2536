"""Services on Python's servers: `python_service.py SERVER REQUESTS IDLE` prints its port, where the server is `uvicorn` or
`http.server`; gunicorn takes `python_service:wsgi`. Each REQUESTS-th answer on all connections together ends its
connection (0: none does), and so do IDLE seconds without a request. See service.mjs for the paths."""

import gzip
import hashlib
import itertools
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOCK = bytes(range(251))
SIZES = (1, 4096, 100, 8192, 16384, 3, 65536, 5000)


def pattern(length):
    return (BLOCK * (length // 251 + 1))[:length]


def pieces(body):
    at, turn = 0, 0
    while at < len(body):
        size = SIZES[turn % len(SIZES)]
        yield body[at : at + size]
        at, turn = at + size, turn + 1


def answer(path):
    """Fields and the pieces of the body; without a length they go out in chunks."""
    _, kind, length = path.split("/")
    body = pattern(int(length))
    packed = gzip.compress(body, mtime=0) if kind.startswith("gzip") else b""
    coding = [("content-encoding", "gzip")] if packed else []
    if kind == "sized":
        return [("content-length", str(len(body)))], [body]
    if kind == "gzip":
        return coding + [("content-length", str(len(packed)))], [packed]
    return coding, {"one": [body] if body else [], "many": pieces(body), "gzip-stream": pieces(packed)}[kind]


def echo(method, length, digest, framing, asked):
    return f"{method} {length} {digest.hexdigest()} {framing} {asked}\n".encode()


def how_framed(length, coding):
    return coding if coding is not None else "none" if length is None else "length"


async def asgi(scope, receive, send):
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    if scope["path"] == "/echo":
        digest, length, more = hashlib.sha256(), 0, True
        while more:
            message = await receive()
            digest.update(message.get("body", b""))
            length += len(message.get("body", b""))
            more = message.get("more_body", False)
        framing = how_framed(headers.get("content-length"), headers.get("transfer-encoding"))
        body = echo(scope["method"], length, digest, framing, headers.get("upgrade", "none"))
        fields, parts = [("content-length", str(len(body)))], [body]
    else:
        fields, parts = answer(scope["path"])
    if REQUESTS and next(COUNT) % REQUESTS == 0:
        fields.append(("connection", "close"))
    fields.append(("content-type", "text/plain"))
    coded = [(name.encode(), value.encode()) for name, value in fields]
    await send({"type": "http.response.start", "status": 200, "headers": coded})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})


def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/echo":
        digest, length = hashlib.sha256(), 0
        while part := environ["wsgi.input"].read(65536):
            digest.update(part)
            length += len(part)
        framing = how_framed(environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING"))
        body = echo(environ["REQUEST_METHOD"], length, digest, framing, environ.get("HTTP_UPGRADE", "none"))
        fields, parts = [("content-length", str(len(body)))], [body]
    else:
        fields, parts = answer(environ["PATH_INFO"])
    start_response("200 OK", fields + [("content-type", "text/plain")])
    return parts


class Handler(BaseHTTPRequestHandler):
    """The standard library's, with keep-alive and chunks, which it leaves to its users."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        fields, parts = answer(self.path)
        self.reply(fields, parts)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        body = echo("POST", len(body), hashlib.sha256(body), "length", self.headers.get("upgrade", "none"))
        self.reply([("content-length", str(len(body)))], [body])

    def reply(self, fields, parts):
        chunked = all(name != "content-length" for name, _ in fields)
        self.send_response(200)
        for name, value in fields + [("content-type", "text/plain")]:
            self.send_header(name, value)
        if chunked:
            self.send_header("transfer-encoding", "chunked")
        if REQUESTS and next(COUNT) % REQUESTS == 0:
            self.send_header("connection", "close")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


COUNT = itertools.count(1)
REQUESTS = 0


def main():
    global REQUESTS
    server, requests, idle = sys.argv[1:]
    REQUESTS = int(requests)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    if server == "uvicorn":
        import uvicorn

        config = uvicorn.Config(asgi, log_level="error", timeout_keep_alive=int(idle))
        uvicorn.Server(config).run(sockets=[listener])
    else:
        Handler.timeout = float(idle)
        httpd = ThreadingHTTPServer(listener.getsockname(), Handler, bind_and_activate=False)
        httpd.socket.close()
        httpd.socket, httpd.daemon_threads = listener, True
        httpd.server_address, httpd.server_name, httpd.server_port = listener.getsockname(), "localhost", 0
        httpd.serve_forever()


if __name__ == "__main__":
    main()
