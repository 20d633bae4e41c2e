"""Prometheus metrics: what there is (catalogue), counting (recorder), asking (sampler, census), answering (exposition).

Nothing in here decides anything about a saga, and nothing in it is global: each orchestrator has its own.
"""
