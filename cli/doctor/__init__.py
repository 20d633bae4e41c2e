"""`saga doctor`: facts are gathered once (here.py, gather.py), judged by pure functions, and shown (report.py)."""
