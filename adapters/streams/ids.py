"""Ids of stream entries, `{milliseconds}-{sequence}`: only as numbers they compare in stream order."""


def parse_id(entry_id: str | bytes) -> tuple[int, int]:
    """An entry id as numbers."""
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    milliseconds, _, sequence = text.partition("-")
    return int(milliseconds), int(sequence or 0)
