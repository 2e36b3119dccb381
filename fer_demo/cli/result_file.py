"""A file that a command writes when its work is done."""

import argparse
import os
from pathlib import Path


def result_file(text: str) -> Path:
    """What a command line names, refused before the work begins if it could not be written after it.

    For argparse's ``type``. Folders that are missing are made when the file is written.

    Raises:
        argparse.ArgumentTypeError: If it is a folder, lies in none, or may not be written.
    """
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder; name a file in it")
    place = path if path.exists() else next(folder for folder in path.absolute().parents if folder.exists())
    if place != path and not place.is_dir():
        raise argparse.ArgumentTypeError(f"{place} is a file, so that {text} cannot lie in it; name another place")
    if not os.access(place, os.W_OK):
        raise argparse.ArgumentTypeError(f"{place} may not be written; name another place")
    return path
