"""Whether a participant keeps its duties: a running one, in any language, asked over Redis and judged by its answers.

Read `duties.py` for what must hold and why, and `checks.py` with `checks_entries.py` for what is sent and what must
come back: together they are the specification of a participant. Nothing there does anything; `run.py` does.
"""
