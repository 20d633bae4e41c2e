"""The pure core: what a saga does, as functions from values to values. It imports only `sagas`."""
