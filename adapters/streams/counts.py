"""What the bus has seen happen, for metrics and tests. Numbers only grow, and nothing is decided by them."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Facts since the process began."""

    settled: int = 0  #: entries acknowledged
    left: int = 0  #: times an entry was left pending
    unavailable: int = 0  #: times a handler or a publishing met a server that was away
    dead: int = 0  #: entries that became dead letters
    taken_over: int = 0  #: entries claimed from another consumer
    vanished: int = 0  #: entries that were trimmed or deleted while pending: lost by somebody's hand, worth an alert
    healed: int = 0  #: lost groups noticed and made again
    restarts: int = 0  #: readers started again
    removed_consumers: int = 0  #: names of dead consumers removed
    trimmed: int = 0  #: entries trimmed
