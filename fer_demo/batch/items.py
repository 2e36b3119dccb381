"""A picture among many: what it is called, and how to get its bytes, in this process or another one."""

import io
import os
import struct
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from fer_demo.vision.kinds import HEAD_BYTES
from fer_demo.vision.limits import ImageError
from fer_demo.vision.sources import one_line

__all__ = ["MEMBER_BYTES", "Item", "Span"]

MEMBER_BYTES = 256_000_000
"""The most that one file in an archive may have, unpacked: what the largest format that is read may have on disk."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")


@dataclass(frozen=True)
class Span:
    """Where a picture stands inside an archive, so that whoever reads it need not look through the archive.

    Attributes:
        start: Of a TAR archive's member, its first byte; of a ZIP archive's, the first byte of its local header.
        stored: Its bytes in the archive.
        size: Its bytes unpacked, as the archive says.
        method: "tar", "stored" or "deflated".
        crc: Check sum of the unpacked bytes; None for TAR, which has none.
    """

    start: int
    stored: int
    size: int
    method: str
    crc: int | None = None

    def read(self, path: str, name: str, most: int) -> bytes:
        """The first `most` bytes of the picture.

        Raises:
            ImageError: If the archive is damaged or gone; `name` is what the sentence calls the picture.
        """
        try:
            with open(path, "rb") as file:
                file.seek(self.start)
                if self.method != "tar":
                    head = file.read(_LOCAL_HEADER.size)
                    mark, name_length, extra_length = _LOCAL_HEADER.unpack(head)
                    if mark != b"PK\3\4":
                        raise ValueError("its local header is missing")
                    file.seek(name_length + extra_length, os.SEEK_CUR)
                if self.method != "deflated":
                    data = file.read(min(self.stored, most))
                else:
                    packed = file.read(min(self.stored, MEMBER_BYTES + 2**20))
                    data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, most)
        except (OSError, ValueError, struct.error, zlib.error) as error:
            raise ImageError(_damaged(name, getattr(error, "strerror", None) or str(error))) from None
        if len(data) < most and (len(data) != self.size or (self.crc is not None and zlib.crc32(data) != self.crc)):
            raise ImageError(_damaged(name, "its length or check sum is wrong"))
        return data


def _damaged(name: str, reason: str) -> str:
    return f"{one_line(name)} cannot be taken out of its archive ({reason}); make the archive anew."


@dataclass(frozen=True)
class Item:
    """One picture to read.

    Attributes:
        name: What it is called in the results, and known by when a run goes on: its path, or that of the archive with
            the path inside it.
        path: The file, or the archive; None for bytes.
        span: Where it stands in the archive; None for a file of its own.
        data: The bytes themselves, where they cannot be had by a place.
        problem: A sentence that says why it cannot be read, where that is known already.
    """

    name: str
    path: str | None = None
    span: Span | None = None
    data: bytes | None = None
    problem: str | None = None

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> "Item":
        """The item of a file."""
        return cls(str(Path(path)), os.path.abspath(path))

    def source(self) -> str | BinaryIO:
        """What `fer_demo.Predictor` takes.

        Raises:
            ImageError: If it cannot be taken out of its archive.
        """
        if self.problem:
            raise ImageError(self.problem)
        if self.path is not None and self.span is None:
            return self.path
        file = io.BytesIO(self.read())
        file.name = self.name  # for the sentence when it is no picture
        return file

    def read(self) -> bytes:
        """All of its bytes.

        Raises:
            ImageError: If they cannot be had, or are more than `MEMBER_BYTES` in an archive.
        """
        return self._read(MEMBER_BYTES + 1)

    def head(self) -> bytes:
        """Its first `fer_demo.vision.kinds.HEAD_BYTES` bytes; as `read`."""
        return self._read(HEAD_BYTES)

    def _read(self, most: int) -> bytes:
        if self.problem:
            raise ImageError(self.problem)
        if self.data is not None:
            return self.data[:most]
        path = str(self.path)
        if self.span is not None:
            return self.span.read(path, self.name, most)
        try:
            with open(path, "rb") as file:
                return file.read(most)
        except OSError as error:
            raise ImageError(f"{one_line(self.name)} cannot be read ({error.strerror}); check the path.") from None

    def to_dict(self) -> dict[str, Any]:
        """All but the bytes, ready for ``json.dumps``."""
        return asdict(replace(self, data=None)) | {"data": self.data is not None}

    @classmethod
    def from_dict(cls, values: dict[str, Any], data: bytes | None = None) -> "Item":
        """Reads what `to_dict` gave; `data` are the bytes, where there were some."""
        span = None if values["span"] is None else Span(**values["span"])
        return cls(**values | {"span": span, "data": data})
