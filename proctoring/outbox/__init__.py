"""The outbox: what we owe to vendors, one row for each promised delivery."""
