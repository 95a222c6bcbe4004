"""The vocabularies of the log: event types, reason codes, candidate actions."""
