"""An attempt's evidence as one file that can be checked without us: ``python -m proctoring.verify``."""
