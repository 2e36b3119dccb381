"""Trainer and evaluation for the networks of `fer_demo`; not part of the installed package."""

UNFINISHED = 3
"""The exit code of a command whose time was up before its work was done, and which goes on when it is called again."""

FACES = ("as-is", "detect")
"""What a picture of a data set is: a face that is cut out already, or a photograph in which one has to be found."""

NO_FACE = ("skip", "as-is")
"""What becomes of a photograph without a face: left out, or taken whole."""
