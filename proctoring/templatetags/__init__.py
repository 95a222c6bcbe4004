"""Template tags for the candidate pages and for the host's own."""
