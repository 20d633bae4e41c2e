"""What runs with faults have shown: one HTML page that needs nothing else, and JUnit for build servers."""
