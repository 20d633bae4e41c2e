"""The orchestrator: a pure core that decides, and a thin shell that loads, saves and announces."""
