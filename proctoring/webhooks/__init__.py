"""The door for vendors' messages."""
