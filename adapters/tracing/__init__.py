"""Traces: one per saga, across requests, commands and replies. What a span is, who makes it, and where it goes.

`port.py` is what the rest of the product knows; OpenTelemetry's SDK is named in `otel.py` and `configuration.py` only.
"""
