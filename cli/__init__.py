"""The `saga` command: clients of the HTTP API, and the ways to run the services."""
