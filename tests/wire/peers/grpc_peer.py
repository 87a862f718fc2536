"""gRPC by grpcio, without generated code: `serve` prints its port, `talk TARGET [CA]` prints what came of each call,
`refused TARGET KEY` what came of calls that a gateway refuses: the code, its message, and a field that explains it."""

import json
import sys
import threading
import time
from concurrent import futures

import grpc

SERVICE = "test.Peer"


class Peer(grpc.GenericRpcHandler):
    """All four kinds of calls, every status, and calls that last until their client goes."""

    def __init__(self):
        self.over = set()
        self.lock = threading.Lock()

    def service(self, details):
        name = details.method.rsplit("/", 1)[-1]
        makers = {
            "Unary": grpc.unary_unary_rpc_method_handler,
            "Status": grpc.unary_unary_rpc_method_handler,
            "Ended": grpc.unary_unary_rpc_method_handler,
            "Hang": grpc.unary_unary_rpc_method_handler,
            "ServerStream": grpc.unary_stream_rpc_method_handler,
            "FailAfter": grpc.unary_stream_rpc_method_handler,
            "Endless": grpc.unary_stream_rpc_method_handler,
            "ClientStream": grpc.stream_unary_rpc_method_handler,
            "Bidi": grpc.stream_stream_rpc_method_handler,
        }
        return makers[name](getattr(self, name.lower())) if name in makers else None

    def unary(self, request, context):
        seen = dict(context.invocation_metadata())
        context.send_initial_metadata((("x-test-initial", "first"), ("x-test-echo", seen.get("x-test-sent", "none"))))
        context.set_trailing_metadata((("x-test-trailing", "last"), ("x-test-bin", seen.get("x-test-bin", b""))))
        return request

    def status(self, request, context):
        context.set_trailing_metadata((("x-test-trailing", "of a failure"),))
        code = next(code for code in grpc.StatusCode if code.value[0] == int(request))
        if code is not grpc.StatusCode.OK:
            context.abort(code, "details: ünïcode, %25 and\nlines")
        return request

    def serverstream(self, request, context):
        context.set_trailing_metadata((("x-test-trailing", "of a stream"),))
        for number in range(int(request)):
            yield str(number).encode()

    def failafter(self, request, context):
        for number in range(int(request)):
            yield str(number).encode()
        context.abort(grpc.StatusCode.DATA_LOSS, "half-way")

    def clientstream(self, requests, context):
        return str(sum(len(request) for request in requests)).encode()

    def bidi(self, requests, context):
        for request in requests:
            yield request[::-1]

    def note_end(self, key, context):
        def ended():
            with self.lock:
                self.over.add(key)
        context.add_callback(ended)

    def hang(self, request, context):
        self.note_end(request.decode(), context)
        while context.is_active():
            time.sleep(0.01)
        return b""

    def endless(self, request, context):
        self.note_end(request.decode(), context)
        while context.is_active():
            yield b"tick"
            time.sleep(0.01)

    def ended(self, request, context):
        # Waits, so that the answer does not depend on how fast the news travels.
        for _ in range(1000):
            with self.lock:
                if request.decode() in self.over:
                    return b"ended"
            time.sleep(0.01)
        return b"still going"


def serve():
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), handlers=[Peer()], options=options)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


def ours(metadata):
    return sorted([key, value.hex() if isinstance(value, bytes) else value]
                  for key, value in (metadata or ()) if key.startswith("x-test"))


def talk(target, ca):
    said = []
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
               ("grpc.enable_http_proxy", 0)]
    if ca:
        credentials = grpc.ssl_channel_credentials(open(ca, "rb").read())
        options.append(("grpc.ssl_target_name_override", "localhost"))
        channel = grpc.secure_channel(target, credentials, options)
    else:
        channel = grpc.insecure_channel(target, options)

    def call(kind, name):
        return getattr(channel, kind)(f"/{SERVICE}/{name}")

    unary = call("unary_unary", "Unary")
    sent = (("x-test-sent", "hello"), ("x-test-bin", b"\x00\x01\xff"))
    reply, done = unary.with_call(b"ping", metadata=sent)
    said.append(["unary", reply.decode(), str(done.code()), ours(done.initial_metadata()), ours(done.trailing_metadata())])
    large = bytes(range(256)) * (12 << 10)
    said.append(["a large message", unary(large) == large])
    said.append(["an empty message", unary(b"") == b""])

    for code in grpc.StatusCode:
        try:
            reply = call("unary_unary", "Status")(str(code.value[0]).encode())
            said.append(["status", str(code), reply.decode()])
        except grpc.RpcError as error:
            said.append(["status", str(error.code()), error.details(), ours(error.trailing_metadata())])

    stream = call("unary_stream", "ServerStream")(b"1000")
    received = [int(message) for message in stream]
    said.append(["server stream", received == list(range(1000)), str(stream.code()), ours(stream.trailing_metadata())])
    stream = call("unary_stream", "ServerStream")(b"0")
    said.append(["an empty stream", list(stream), str(stream.code())])

    stream, received = call("unary_stream", "FailAfter")(b"3"), []
    try:
        for message in stream:
            received.append(message.decode())
    except grpc.RpcError as error:
        said.append(["a stream that fails", received, str(error.code()), error.details()])

    total = call("stream_unary", "ClientStream")(b"x" * size for size in range(500))
    said.append(["client stream", total.decode()])

    # Each message waits for the answer to the one before, so that nothing on the way may hold them back.
    answered, turn = [], threading.Semaphore(1)

    def questions():
        for number in range(100):
            turn.acquire()
            yield f"question {number}".encode()

    for answer in call("stream_stream", "Bidi")(questions()):
        answered.append(answer[::-1].decode())
        turn.release()
    said.append(["bidirectional", answered == [f"question {number}" for number in range(100)]])

    key = f"{time.time_ns()}"
    try:
        call("unary_unary", "Hang")(f"deadline {key}".encode(), timeout=0.5)
    except grpc.RpcError as error:
        said.append(["deadline", str(error.code())])
    ended = call("unary_unary", "Ended")
    said.append(["deadline at the server", ended(f"deadline {key}".encode()).decode()])

    stream = call("unary_stream", "Endless")(f"cancel {key}".encode())
    next(stream)
    stream.cancel()
    try:
        list(stream)
    except grpc.RpcError as error:
        said.append(["cancel", str(error.code())])
    said.append(["cancel at the server", ended(f"cancel {key}".encode()).decode()])

    try:
        call("unary_unary", "Missing")(b"")
    except grpc.RpcError as error:
        said.append(["an unknown method", str(error.code())])
    print(json.dumps(said))


def refused(target, key):
    channel = grpc.insecure_channel(target, [("grpc.enable_http_proxy", 0)])
    said = []

    def call(name, kind, method, message, *metadata):
        invoke = getattr(channel, kind)(f"/{SERVICE}/{method}")
        message = iter([message]) if kind.startswith("stream") else message
        try:
            answer = invoke(message, metadata=metadata, timeout=20)
            list(answer) if kind.endswith("stream") else answer
            said.append([name, "OK", "", ""])
        except grpc.RpcError as error:
            seen = dict(error.trailing_metadata() or ())
            assert len(seen.get("x-request-id", "")) == 32, seen
            explains = [field for field in ("www-authenticate", "retry-after") if field in seen]
            said.append([name, error.code().name, error.details(), " ".join(explains)])

    call("no key", "unary_unary", "Unary", b"")
    call("a wrong key", "unary_unary", "Unary", b"", ("x-api-key", "wrong"))
    call("a key", "unary_unary", "Unary", b"", ("x-api-key", key))
    call("no scope", "unary_unary", "Status", b"0", ("x-api-key", key))
    call("the first of a stream", "stream_stream", "Bidi", b"question")
    call("over its limit", "stream_stream", "Bidi", b"question")
    call("another address", "unary_unary", "Ended", b"")
    call("too slow", "unary_unary", "Hang", b"key")
    call("nobody there", "unary_stream", "ServerStream", b"1")
    call("no route", "stream_unary", "Missing", b"")
    print(json.dumps(said))


if sys.argv[1] == "serve":
    serve()
elif sys.argv[1] == "refused":
    refused(*sys.argv[2:])
else:
    talk(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
