"""`saga chaos`: runs with faults, and what they show."""
