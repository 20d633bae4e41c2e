"""Failure-injection runs: faults against a saga, and a checker that tells whether anything was lost or done twice."""
