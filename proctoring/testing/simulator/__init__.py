"""A vendor to run against: a real HTTP server with its own memory that speaks the reference wire, and fails on request.

``python -m proctoring.testing.simulator --port 9100``; from tests ``simulator.process.SimulatorProcess``. It is a tool
for one machine: its control interface asks nobody who they are.
"""
