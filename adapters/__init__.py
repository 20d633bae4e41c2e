"""The outside world: streams, MongoDB, servers, the clock. Knows no saga's rules."""
