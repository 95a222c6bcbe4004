"""Exams: what is to be sat, by when, under which vendor."""
