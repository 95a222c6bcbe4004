"""Commands of the demo LMS."""
