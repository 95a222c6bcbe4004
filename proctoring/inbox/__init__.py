"""The inbox: what came in, one row for each verified message."""
