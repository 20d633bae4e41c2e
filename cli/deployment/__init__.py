"""Databases and services that trust each other as little as they can: `saga secrets` and `saga init`."""
