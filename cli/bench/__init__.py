"""`saga bench`: how many sagas a second. docs/benchmark.md says what is measured and how."""
