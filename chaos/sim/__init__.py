"""Simulated runs: the real engine, timers and barrier in one process, on a clock that jumps. One seed is one run."""
