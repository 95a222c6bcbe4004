"""Idempotency keys of API clients: the same key answers the same thing for a day."""
