"""The files that can be downloaded, written into memory, compressed, and left out when they become too large."""

import io
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from fer_demo.video.answers import FrameAnswer
from fer_demo.video.extra import need
from fer_demo.video.reading import Notes
from fer_demo.video.tables import Table
from fer_demo.web.video_result import KINDS

MB = 2**20


class TooLargeError(OSError):
    """A file became larger than it may."""


class Packed(io.RawIOBase):
    """A file to write to that holds its content compressed.

    Args:
        most: Bytes that may be written.
    """

    def __init__(self, most: float) -> None:
        self._packer, self._parts, self._most = zlib.compressobj(6), io.BytesIO(), most
        self.size = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Takes bytes.

        Raises:
            TooLargeError: If these are too many.
        """
        self.size += len(data)
        if self.size > self._most:
            raise TooLargeError
        self._parts.write(self._packer.compress(data))
        return len(data)

    def packed(self) -> bytes:
        """What was written, compressed; nothing can be written then."""
        self._parts.write(self._packer.flush())
        return self._parts.getvalue()


class Bounded(io.BytesIO):
    """A file in memory that can seek, for what is compressed already.

    Args:
        most: Bytes that may be written.
    """

    def __init__(self, most: float) -> None:
        super().__init__()
        self._most = most

    def write(self, data: Any) -> int:
        """Takes bytes.

        Raises:
            TooLargeError: If these are too many.
        """
        if self.tell() + len(data) > self._most:
            raise TooLargeError
        return super().write(data)

    def packed(self) -> bytes:
        """What was written, in the form of `Packed`, though hardly smaller."""
        return zlib.compress(self.getbuffer(), 0)


class File:
    """One file on its way: it takes answers until it is finished, or has become too large.

    Args:
        ending: Of its name, a key of `fer_demo.web.video_result.KINDS`.
        to: Where it is written.
        make: Makes what writes it.
        notes: Where to say that it was left out.
        most_mb: Megabytes that it may have, for the sentence.
    """

    def __init__(
        self, ending: str, to: Packed | Bounded, make: Callable[[BinaryIO], Table], notes: Notes, most_mb: float
    ) -> None:
        self.ending, self._to, self._notes, self._most_mb = ending, to, notes, most_mb
        self._table: Table | None = None
        self._do(lambda: setattr(self, "_table", make(cast("BinaryIO", to))))

    def add(self, answer: FrameAnswer) -> None:
        """Writes the answer for one frame."""
        if (table := self._table) is not None:
            self._do(lambda: table.add(answer))

    def finish(self, summary: dict[str, Any]) -> bytes | None:
        """The file, compressed by zlib; None if it was left out."""
        if (table := self._table) is not None:
            self._do(lambda: table.finish(summary))
        return None if self._table is None else self._to.packed()

    def _do(self, step: Callable[[], object]) -> None:
        try:
            step()
        except (OSError, need("av").FFmpegError):  # FFmpeg has errors of its own for a file that takes no more
            self._table, self._to = None, Packed(0)
            self._notes.add(f"The {KINDS[self.ending][0]} is not here: it would have more than {self._most_mb:g} MB.")
