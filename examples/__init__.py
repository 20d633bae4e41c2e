"""Sagas and participants that are not the order example. Each runs as a test."""
