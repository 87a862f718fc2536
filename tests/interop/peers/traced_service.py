"""A service that records a span for each request and sends it to a collector: `traced_service.py NAME grpc|http COLLECTOR [NEXT]`
prints its port. It asks the service at NEXT too, within its own span, and answers with what it saw.

With NEXT, `/busy/…` is answered with 503 the first time and with 200 from then on; `/broken` is not answered at all."""

import json
import os
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

NAME, PROTOCOL, COLLECTOR = sys.argv[1:4]
NEXT = sys.argv[4] if len(sys.argv) > 4 else None
BUSY = set()


def export(span):
    name = common_pb2.KeyValue(key="service.name", value=common_pb2.AnyValue(string_value=NAME))
    spans = trace_pb2.ResourceSpans(
        resource=resource_pb2.Resource(attributes=[name]), scope_spans=[trace_pb2.ScopeSpans(spans=[span])]
    )
    request = trace_service_pb2.ExportTraceServiceRequest(resource_spans=[spans])
    if PROTOCOL == "grpc":
        with grpc.insecure_channel(COLLECTOR) as channel:
            trace_service_pb2_grpc.TraceServiceStub(channel).Export(request, timeout=20)
    else:
        fields = {"content-type": "application/x-protobuf"}
        post = urllib.request.Request(f"http://{COLLECTOR}/v1/traces", request.SerializeToString(), fields)
        urllib.request.urlopen(post, timeout=20).read()


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        start, seen, own = time.time_ns(), self.headers.get("traceparent"), os.urandom(8)
        if self.path == "/broken":
            self.close_connection = True
            return
        busy = NEXT and self.path.startswith("/busy/") and self.path not in BUSY
        BUSY.add(self.path)
        answer = {"service": NAME, "traceparent": seen, "tracestate": self.headers.get("tracestate")}
        answer["baggage"] = self.headers.get("baggage")
        version, trace, parent, flags = seen.split("-")
        if NEXT and not busy:
            fields = {"traceparent": f"{version}-{trace}-{own.hex()}-{flags}"}
            ask = urllib.request.Request(f"http://{NEXT}{self.path}", headers=fields)
            answer["next"] = json.load(urllib.request.urlopen(ask, timeout=20))
        if int(flags, 16) & 1:
            span = trace_pb2.Span(
                trace_id=bytes.fromhex(trace), span_id=own, parent_span_id=bytes.fromhex(parent), name=f"GET {NAME}"
            )
            span.kind, span.start_time_unix_nano, span.end_time_unix_nano = 2, start, time.time_ns()
            export(span)
        body = json.dumps(answer).encode()
        self.send_response(503 if busy else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(server.server_port, flush=True)
server.serve_forever()
