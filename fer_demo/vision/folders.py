"""Find the pictures in folders, and whatever else somebody may take for a picture."""

import mimetypes
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from fer_demo.vision.kinds import HEAD_BYTES, may_be_meant

__all__ = ["IMAGE_EXTENSIONS", "find_images", "left_out_sentence", "may_be_a_picture", "pictures_in"]

IMAGE_EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
    | {".heic", ".heif", ".hif"}
    | {".jp2", ".pgm", ".ppm", ".pbm", ".pnm"}
)
"""File name endings, in lower case, of the pictures that are read."""

_NEVER_MEANT = frozenset(
    {".txt", ".md", ".rst", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".toml", ".ini", ".log"}
    | {".html", ".htm", ".css", ".js", ".py", ".ipynb", ".sh", ".xmp", ".aae", ".thm", ".db", ".sqlite", ".parquet"}
    | {".npy", ".npz", ".pt", ".onnx", ".safetensors", ".mp3", ".wav", ".flac", ".ogg", ".m4a"}
)
"""Endings of files that are left out without a look into them."""

# Registered types, whatever the machine's own table says.
_TYPES = mimetypes.MimeTypes()


def find_images(
    paths: Iterable[str | os.PathLike[str]], on_left_out: Callable[[str], object] | None = None
) -> list[Path]:
    """Lists files, and all pictures in folders and their sub-folders.

    Args:
        paths: Files and folders. A file is kept whatever its name is and whether or not it exists, so that opening
            it tells what is wrong. From a folder come what `pictures_in` finds.
        on_left_out: As for `pictures_in`.

    Returns:
        Paths without repetitions, in the order given, each folder's pictures sorted.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if os.path.isdir(path):  # unlike Path.is_dir, it takes whatever text somebody gave for a path
            found |= dict.fromkeys(map(Path, pictures_in(path, on_left_out)))
        else:
            found[path] = None
    return list(found)


def pictures_in(
    folder: str | os.PathLike[str],
    on_left_out: Callable[[str], object] | None = None,
    skip: Collection[str] = (),
) -> Iterator[str]:
    """The files in a folder and its sub-folders that somebody may take for pictures, sorted.

    These are the pictures, and what opening tells a sentence about: videos, documents, archives and pictures in other
    formats. A sub-folder that may not be read comes itself, likewise. Links to folders are not followed.

    Args:
        folder: Where to look; the names of one folder at a time are held.
        on_left_out: Called with the path of each file that nobody would take for a picture, and of each that is hidden;
            of a hidden folder, once.
        skip: Real paths of sub-folders that are left out without a word, such as those that pictures are copied to.

    Yields:
        Paths that begin with `folder`.
    """
    yield from _pictures_in(os.fspath(folder), on_left_out or (lambda path: None), skip)


def _pictures_in(folder: str, on_left_out: Callable[[str], object], skip: Collection[str]) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            inside = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in entries if e.is_dir() or e.is_file())
    except OSError:
        yield folder  # whose opening tells what is wrong
        return
    for name, is_folder in inside:
        path = os.path.join(folder, name)
        if name.startswith("."):
            on_left_out(path)
        elif is_folder:
            if not skip or os.path.realpath(path) not in skip:
                yield from _pictures_in(path, on_left_out, skip)
        elif os.path.isdir(path):
            pass  # a link to a folder, which may lead back here
        elif may_be_a_picture(name, lambda path=path: _head(path)):  # type: ignore[misc]
            yield path
        else:
            on_left_out(path)


def may_be_a_picture(name: str, head: Callable[[], bytes]) -> bool:
    """Whether somebody may take a file for a picture.

    Args:
        name: The file's name.
        head: Called for its first `fer_demo.vision.kinds.HEAD_BYTES` bytes where the name does not say it.
    """
    ending = os.path.splitext(name)[1].lower()
    if ending in IMAGE_EXTENSIONS:
        return True
    if ending in _NEVER_MEANT:
        return False
    kind = _TYPES.guess_type(f"a{ending}")[0] or ""
    return kind.startswith(("image/", "video/")) or may_be_meant(head())


def left_out_sentence(count: int) -> str:
    """One sentence that says how many files were left out."""
    if count == 1:
        return "1 file that is no picture, or is hidden, was left out."
    return f"{count} files that are no pictures, or are hidden, were left out."


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""
