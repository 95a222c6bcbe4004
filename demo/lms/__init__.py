"""Courses, who is in them, questions and answers: as little as makes an LMS."""
