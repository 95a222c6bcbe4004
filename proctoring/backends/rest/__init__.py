"""The reference wire: any vendor whose server speaks it, ``docs/reference_wire.rst``."""

from proctoring.backends.rest.backend import RestBackend

__all__ = ["RestBackend"]
