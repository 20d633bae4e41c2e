"""Real runs: MongoDB, Redis and every service as processes of their own on loopback, and real faults against them."""
