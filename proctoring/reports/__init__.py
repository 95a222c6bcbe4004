"""Tables for people who take them elsewhere: rows read in batches, and written as they are read."""
