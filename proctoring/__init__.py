"""Proctored exams for Django: attempts, timing, vendors, evidence."""

__version__ = "0.1.0"
