"""The recorders bwcdock can speak to, found by the entry point ``bwcdock.drivers``."""
