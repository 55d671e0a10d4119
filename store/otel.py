"""Spans that are sent to an OpenTelemetry collector, by OTLP over HTTP. Needs the extra ``otel``.

They are made by hand where the work is done, and not by instrumentation of libraries: that would
record addresses with their queries, and so names of data sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gan_core import __version__
from store.tracing import Attribute, Span, SpanKind, Tracing

_SEND_SECONDS = 5.0
_DELAY_MILLISECONDS = 1000
_KINDS: dict[SpanKind, trace.SpanKind] = {
    "server": trace.SpanKind.SERVER,
    "consumer": trace.SpanKind.CONSUMER,
    "internal": trace.SpanKind.INTERNAL,
}
_context = TraceContextTextMapPropagator()


class OtelSpan(Span):
    """A span that is recorded."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        carrier: dict[str, str] = {}
        _context.inject(carrier, trace.set_span_in_context(span))
        self.traceparent = carrier.get("traceparent")

    def note(self, **attributes: Attribute) -> None:
        """Add attributes."""
        self._span.set_attributes(_dotted(attributes))

    def rename(self, name: str) -> None:
        """Give the final name."""
        self._span.update_name(name)

    def fail(self, reason: str) -> None:
        """Mark it as failed."""
        self._span.set_status(trace.Status(trace.StatusCode.ERROR, reason))


class OtelTracing(Tracing):
    """Makes spans and sends them in the background; a collector that is silent delays nobody.

    Args:
        endpoint: The collector's address, without ``/v1/traces``.
        service: The name of this part.
    """

    def __init__(self, endpoint: str, service: str) -> None:
        resource = Resource.create({"service.name": service, "service.version": __version__})
        # Of our own and not the process' global one: tests have several.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(
            endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_SEND_SECONDS
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, schedule_delay_millis=_DELAY_MILLISECONDS)
        )
        self._tracer = self._provider.get_tracer("graft", __version__)

    @contextmanager
    def span(
        self,
        name: str,
        *,
        kind: SpanKind = "internal",
        parent: str | None = None,
        **attributes: Attribute,
    ) -> Iterator[Span]:
        """Record what is done inside; an exception marks it as failed by its type alone."""
        carrier = {} if parent is None else {"traceparent": parent}
        above = _context.extract(carrier, Context())
        made = OtelSpan(
            self._tracer.start_span(
                name, context=above, kind=_KINDS[kind], attributes=_dotted(attributes)
            )
        )
        try:
            yield made
        except BaseException as error:
            made.fail(type(error).__name__)
            raise
        finally:
            made._span.end()

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _dotted(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    # ``__`` for a name's own underscore: ``http_response_status__code``.
    return {
        name.replace("__", "\0").replace("_", ".").replace("\0", "_"): value
        for name, value in attributes.items()
    }
