"""A video's bytes: a file, bytes or a seekable binary file, which several readers may go through at the same time."""

import hashlib
import io
import os
import stat
from typing import BinaryIO

from fer_demo.video.extra import VideoError
from fer_demo.vision.kinds import HEAD_BYTES, what_it_is
from fer_demo.vision.sources import one_line, source_name, why_no_path

VideoSource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A path, the bytes of a file, or a binary file that can seek."""

_SAMPLE = 1 << 20
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP")


class Source:
    """A video's bytes, checked by their beginning.

    Args:
        source: See `VideoSource`. A file object is read from its start, and must stay open.

    Attributes:
        name: What the video is called in a sentence.
        path: Its path, if it was given as one.
        size: Bytes.

    Raises:
        VideoError: If there is no such file, or its first bytes say that it is no video.
    """

    def __init__(self, source: VideoSource) -> None:
        given = source_name(source)
        self.name = one_line(given) if given else "The video"
        self.path: str | None = None
        self._content: bytes | bytearray | memoryview | None = None
        self._file: BinaryIO = io.BytesIO()
        if isinstance(source, (str, os.PathLike)):
            self.path = os.fsdecode(source)
            self.size = _regular(self.path, self.name)
        elif isinstance(source, (bytes, bytearray, memoryview)):
            self._content, self.size = source, len(source)
        elif hasattr(source, "read") and not isinstance(source, io.TextIOBase):
            self._file = source
            try:
                self.size = source.seek(0, io.SEEK_END)
            except (AttributeError, OSError):
                raise VideoError(f"{self.name} cannot seek, as a pipe cannot; save the video to a file.") from None
        else:
            raise VideoError(
                f"A video cannot be opened from {type(source).__name__}; give a path, bytes, or a file that was "
                "opened in binary mode."
            )
        with self.open() as file:
            self._check(file.read(HEAD_BYTES))

    def _check(self, head: bytes) -> None:
        if not head:
            raise VideoError(f"{self.name} is empty (0 bytes); choose another video.")
        webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
        still = head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"avif")
        if webp or still or head.startswith(_PICTURES):
            raise VideoError(f"{self.name} is a picture, not a video; read it with `fer-demo predict`.")
        kind = what_it_is(head)
        if kind and not kind.startswith(("a video", "a sound file (Ogg)")):
            raise VideoError(f"{self.name} is {kind.partition(',')[0]}, not a video; choose a video.")

    def open(self) -> BinaryIO:
        """A reader of its own, from the start.

        Raises:
            VideoError: If the file went away.
        """
        if self.path is not None:
            try:
                return open(self.path, "rb")
            except OSError as error:
                raise VideoError(f"{self.name} cannot be opened ({error.strerror}); check the path.") from None
        if self._content is not None:
            return io.BytesIO(self._content)
        return io.BufferedReader(_View(self._file))

    def digest(self) -> str:
        """What tells this video from others: its size and its first and last megabyte, as SHA-256."""
        with self.open() as file:
            found = hashlib.sha256(f"{self.size}\n".encode())
            found.update(file.read(_SAMPLE))
            file.seek(max(0, self.size - _SAMPLE))
            found.update(file.read(_SAMPLE))
        return found.hexdigest()


class _View(io.RawIOBase):
    """A place of its own in a file that others read too, by turns."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        self._file.seek(self._at)
        found = self._file.read(len(buffer))
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}.get(whence)
        self._at = self._file.seek(0, io.SEEK_END) + offset if start is None else start + offset
        return self._at

    def tell(self) -> int:
        return self._at


def _regular(path: str, name: str) -> int:
    name = name or "The empty path"
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:  # the second for a null character
        if why_no_path(path):
            raise VideoError(
                f"{name} is no path; nothing is fetched from an address: download the video and give its path."
            ) from None
        if isinstance(error, FileNotFoundError):
            raise VideoError(f"{name} does not exist; check the path.") from None
        reason = getattr(error, "strerror", None) or "it is no path"
        raise VideoError(f"{name} cannot be opened ({reason}); check the path.") from None
    if stat.S_ISDIR(found.st_mode):
        raise VideoError(f"{name} is a folder, not a video; name a video inside it.")
    if not stat.S_ISREG(found.st_mode):
        raise VideoError(f"{name} is not a regular file; save the video to one.")
    return found.st_size
