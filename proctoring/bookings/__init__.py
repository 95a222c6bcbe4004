"""Bookings of live proctors: the vocabulary of their log."""
