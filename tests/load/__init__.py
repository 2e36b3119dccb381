"""Load, damaged input and faults: what the application must stand, measured by ``python -m tests.load``."""
