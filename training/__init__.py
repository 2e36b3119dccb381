"""Trainer and evaluation for the networks of `fer_demo`; not part of the installed package."""

UNFINISHED = 3
"""The exit code of a command whose time was up before its work was done, and which goes on when it is called again."""
