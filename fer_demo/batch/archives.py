"""The pictures in ZIP and TAR archives, one member after another; nothing is unpacked to the disk."""

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import IO, Any, cast

from fer_demo.batch.items import MEMBER_BYTES, Item, Span
from fer_demo.vision.folders import may_be_a_picture
from fer_demo.vision.limits import ImageError
from fer_demo.vision.sources import one_line

__all__ = ["archive_kind", "pictures_in_archive"]

_PACKED: tuple[tuple[bytes, Callable[..., Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\0", lzma.open),
)
_PACKED_ENDINGS = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
_ERRORS = (tarfile.TarError, zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError, lzma.LZMAError)
_METHODS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}


def archive_kind(path: str) -> str | None:
    """``"zip"``, ``"tar"`` or, for one whose members have no place of their own, ``"packed tar"``; None for others.

    Args:
        path: A file; what cannot be opened is no archive.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # reading from a pipe may never end
            return None
        with open(path, "rb") as file:
            head = file.read(512)
    except (OSError, ValueError):
        return None
    if path.lower().endswith(_PACKED_ENDINGS) and head.startswith(tuple(start for start, _ in _PACKED)):
        return "packed tar"
    # By its name too: Word's and other programs' documents are ZIP files.
    if head.startswith((b"PK\3\4", b"PK\5\6")) and path.lower().endswith((".zip", ".cbz")):
        return "zip"
    return "tar" if head[257:262] == b"ustar" or (path.lower().endswith(".tar") and head) else None


def pictures_in_archive(path: str, on_left_out: Callable[[str], object]) -> Iterator[Item]:
    """The files in an archive that somebody may take for pictures, as they stand in it.

    Args:
        path: An archive for which `archive_kind` has a name.
        on_left_out: Called with the name of each other file.

    Yields:
        Items named ``ARCHIVE/PATH/INSIDE``. Of ZIP and plain TAR archives they hold a place, of packed ones the bytes.
        What is locked or larger than `MEMBER_BYTES` has a problem instead, and so has the archive itself, under its
        own name, if it is damaged.
    """
    members = _zip_members if archive_kind(path) == "zip" else _tar_members
    try:
        for inside, item in members(path):
            shown = PurePosixPath(inside.replace("\\", "/"))
            hidden = any(part.startswith((".", "__MACOSX")) for part in shown.parts if part not in (".", ".."))
            if hidden or not _meant(shown.name, item):
                on_left_out(item.name)
            else:
                yield item
    except (*_ERRORS, zlib.error) as error:
        reason = one_line(str(error)) or type(error).__name__
        yield Item(path, path, problem=f"{one_line(path)} is damaged ({reason}); make the archive anew.")


def _meant(name: str, item: Item) -> bool:
    def head() -> bytes:
        try:
            return item.head()
        except ImageError:
            return b""

    return may_be_a_picture(name, head)


def _zip_members(path: str) -> Iterator[tuple[str, Item]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = f"{path}/{entry.filename}"
            if entry.is_dir():
                continue
            method = _METHODS.get(entry.compress_type)
            problem = None
            if entry.flag_bits & 1:
                problem = f"{one_line(name)} is locked with a password; put it into an archive without one."
            elif method is None:
                problem = f"{one_line(name)} is packed in a way that is not read; make the archive anew, as usual ZIP."
            elif entry.file_size > MEMBER_BYTES:
                problem = _too_large(name)
            size = entry.compress_size, entry.file_size
            span = Span(entry.header_offset, *size, str(method), entry.CRC)
            yield entry.filename, Item(name, os.path.abspath(path), span, problem=problem)


def _tar_members(path: str) -> Iterator[tuple[str, Item]]:
    with open(path, "rb") as plain:
        head = plain.read(8)
        unpack = next((opener for start, opener in _PACKED if head.startswith(start)), None)
    with (unpack or open)(path, "rb") as file, tarfile.open(fileobj=cast("Any", _Bounded(file)), mode="r:") as archive:
        for entry in archive:
            cast("Any", archive).members = []  # or else it keeps all that it has seen
            name = f"{path}/{entry.name}"
            if not entry.isreg():
                continue
            if entry.size > MEMBER_BYTES or entry.issparse():
                yield entry.name, Item(name, os.path.abspath(path), problem=_too_large(name))
            elif unpack is None:
                span = Span(entry.offset_data, entry.size, entry.size, "tar")
                yield entry.name, Item(name, os.path.abspath(path), span)
            else:
                yield entry.name, Item(name, data=cast("IO[bytes]", archive.extractfile(entry)).read())


def _too_large(name: str) -> str:
    return f"{one_line(name)} has more than {MEMBER_BYTES / 1e6:.0f} MB in its archive; make the picture smaller."


class _Bounded:
    """A file that gives no more than a picture's bytes at once: a header may claim to be gigabytes long."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MEMBER_BYTES:
            raise tarfile.ReadError("a header is too large")
        data: bytes = self._file.read(size)
        return data
