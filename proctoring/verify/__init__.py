"""What sealed evidence is made of, and how it is checked. Python's standard library alone: no Django, no database.

``python -m proctoring.verify bundle.zip`` checks a bundle. ``canonical``, ``merkle`` and ``signing`` are the
arithmetic; it exists once, and the app seals with it. ``docs/evidence.rst`` has the format, for whoever writes another
verifier.
"""
