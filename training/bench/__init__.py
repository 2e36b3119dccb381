"""Benchmarks that need the data: the engines, and other packages side by side with this one."""
