"""HTTP: what a client may ask. Nothing here decides anything about a saga, and no answer shows internals."""
