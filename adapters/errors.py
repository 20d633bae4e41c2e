"""Errors of the outside world, by who must react."""


class Unavailable(Exception):
    """A server is away (or read-only, full, loading, refusing): back off and try again; nothing is counted for it."""


class Conflict(Exception):
    """Somebody else wrote first: start over from a fresh read."""


class Locked(Conflict):
    """An open transaction, maybe of a process that is dead, holds a document that this one needs."""


class Taken(Conflict):
    """A unique key is there already. Who reads again sees it, so a few times in a row it is the caller's own."""


class Aborted(Conflict):
    """MongoDB has ended the transaction by itself: its primary has changed, or it took too long."""


class PositionLost(Exception):
    """What happened since that position is not known any more, or never was: begin anew. Trying again is no use."""
