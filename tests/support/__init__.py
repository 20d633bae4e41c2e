"""What tests share: waiting for a condition, and servers of their own."""

from support.waiting import eventually

__all__ = ["eventually"]
