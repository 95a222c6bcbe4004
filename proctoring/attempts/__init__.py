"""Attempts: one person's go at one exam, from the first click to the verdict."""
