"""Sends spans of two services by OpenTelemetry's own SDK, and prints each as one JSON object a line.

Usage: send.py http|grpc ENDPOINT TRACES. Every trace has four spans in two services: a server span with attributes of every type and an
event, an internal one that fails, a client one with a link to the trace before, and the server span of the other service.
"""

import json
import sys

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode


class Printer(SpanExporter):
    def export(self, spans):
        for span in spans:
            print(json.dumps({
                "trace_id": f"{span.context.trace_id:032x}",
                "span_id": f"{span.context.span_id:016x}",
                "parent": f"{span.parent.span_id:016x}" if span.parent else "",
                "name": span.name,
                "kind": span.kind.name,
                "start": span.start_time,
                "end": span.end_time,
                "attributes": {k: list(v) if isinstance(v, tuple) else v for k, v in span.attributes.items()},
                "events": [[e.name, e.timestamp, dict(e.attributes)] for e in span.events],
                "links": [f"{link.context.trace_id:032x}" for link in span.links],
                "status": span.status.status_code.name,
                "message": span.status.description or "",
                "service": span.resource.attributes["service.name"],
                "scope": span.instrumentation_scope.name,
            }), flush=True)
        return SpanExportResult.SUCCESS


def exporter(transport, endpoint):
    if transport == "grpc":
        from grpc import Compression
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        return OTLPSpanExporter(endpoint=endpoint, insecure=True, compression=Compression.Gzip)
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    return OTLPSpanExporter(endpoint=endpoint, compression=Compression.Gzip)


def provider(service, transport, endpoint):
    made = TracerProvider(resource=Resource.create({"service.name": service}))
    made.add_span_processor(BatchSpanProcessor(exporter(transport, endpoint), max_queue_size=100_000))
    made.add_span_processor(BatchSpanProcessor(Printer(), max_queue_size=100_000))
    return made


def main():
    transport, endpoint, traces = sys.argv[1], sys.argv[2], int(sys.argv[3])
    providers = [provider(name, transport, endpoint) for name in ("shop", "stock")]
    shop, stock = (p.get_tracer("tests.spans", "1.2") for p in providers)
    before = None
    for number in range(traces):
        attributes = {"text": "größe", "number": number, "share": 0.5, "truth": True, "list": ["a", "b"], "numbers": [1, 2]}
        with shop.start_as_current_span("GET /items", kind=SpanKind.SERVER, attributes=attributes) as root:
            root.add_event("cache miss", {"key": f"item-{number}"})
            with shop.start_as_current_span("price") as failing:
                failing.set_status(Status(StatusCode.ERROR, "no price"))
            links = [Link(before)] if before else []
            with shop.start_as_current_span("stock.Get", kind=SpanKind.CLIENT, links=links):
                with stock.start_as_current_span("stock.Get", kind=SpanKind.SERVER) as served:
                    served.set_status(Status(StatusCode.OK))
            before = root.get_span_context()
    for each in providers:
        each.shutdown()


main()
