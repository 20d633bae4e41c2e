"""Measurements: what the system reaches, what the least possible is, and what growth costs. docs/performance.md."""
