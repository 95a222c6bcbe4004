"""The parts of ``benchmarks.booking_chaos``."""
