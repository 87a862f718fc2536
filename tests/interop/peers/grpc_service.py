"""gRPC by grpcio on a server that ends its connections by age: `grpc_service.py serve MILLISECONDS` prints its port, `grpc_service.py
talk TARGET COUNT` sends so many calls of each kind in a row, on 4 connections of its own, and prints what came of them."""

import collections
import hashlib
import json
import sys
from concurrent import futures

import grpc

BLOCK = bytes(range(251))


def pattern(length):
    return (BLOCK * (length // 251 + 1))[:length]


class Service(grpc.GenericRpcHandler):
    """`Hash` gives the hash of what it got, `Stream` so many messages of so many bytes."""

    def service(self, details):
        if details.method == "/test.Aged/Hash":
            return grpc.unary_unary_rpc_method_handler(lambda request, _: hashlib.sha256(request).digest())
        return grpc.unary_stream_rpc_method_handler(self.stream)

    def stream(self, request, _):
        count, length = json.loads(request)
        for _ in range(count):
            yield pattern(length)


def serve(age):
    options = [("grpc.max_connection_age_ms", age), ("grpc.max_connection_age_grace_ms", 60_000)]
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Service()], options=options)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


def calls(target, count, number):
    """Each channel has a connection of its own, unless it is told to share."""
    came = collections.Counter()
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0), ("test.number", number)]
    with grpc.insecure_channel(target, options=options) as channel:
        hashed, stream = channel.unary_unary("/test.Aged/Hash"), channel.unary_stream("/test.Aged/Stream")
        for at in range(count):
            body = pattern(at * 37)
            try:
                came["hash" if hashed(body, timeout=60) == hashlib.sha256(body).digest() else "wrong hash"] += 1
                parts = list(stream(json.dumps([5, at * 37]).encode(), timeout=60))
                came["stream" if parts == [body] * 5 else "wrong stream"] += 1
            except grpc.RpcError as error:
                came[f"{error.code().name}: {error.details()}"] += 1
    return came


def talk(target, count):
    with futures.ThreadPoolExecutor(4) as threads:
        came = sum(threads.map(lambda number: calls(target, count, number), range(4)), collections.Counter())
    print(json.dumps(came, sort_keys=True))


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    talk(sys.argv[2], int(sys.argv[3]))
