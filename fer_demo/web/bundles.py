"""The pictures in what somebody uploads: one file after another, and those inside a ZIP archive."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from fer_demo.vision.images import IMAGE_EXTENSIONS, ImageError
from fer_demo.vision.sources import one_line
from fer_demo.web.limits import Limits
from fer_demo.web.uploads import Upload

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_MB = 2**20


def is_archive(upload: Upload) -> bool:
    """Whether a file is a ZIP archive, by its first bytes."""
    return upload.data.startswith(_ZIP)


class Bundle:
    """The pictures of an upload, which are taken out of archives one at a time.

    Args:
        uploads: The files, in their order.
        limits: How much is taken out of archives.

    Attributes:
        count: How many pictures there are, before any of them is read.
        left_out: How many files in archives are no pictures by their names.

    Raises:
        ImageError: If an archive cannot be read, holds no picture or too many.
    """

    def __init__(self, uploads: list[Upload], limits: Limits) -> None:
        self._limits = limits
        self.left_out = 0
        self._parts = [self._look(upload) if is_archive(upload) else upload for upload in uploads]
        self.count = sum(1 if isinstance(part, Upload) else len(part[1]) for part in self._parts)
        if self.count > limits.album:
            raise ImageError(
                f"{self.count} pictures were sent, more than the {limits.album} that are taken at a time; send fewer, "
                "or add them on the page Folder."
            )

    def __iter__(self) -> Iterator[Upload | ImageError]:
        """The pictures; an `ImageError` in place of one that cannot be taken out."""
        budget = int(self._limits.request_mb * 2 * _MB)
        for part in self._parts:
            if isinstance(part, Upload):
                yield part
                continue
            archive, entries = part
            for entry in entries:
                taken = self._take(archive, entry, budget)
                if isinstance(taken, Upload):
                    budget -= len(taken.data)
                yield taken

    def _look(self, upload: Upload) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]:
        name = one_line(upload.name or "The archive")
        try:
            archive = zipfile.ZipFile(io.BytesIO(upload.data))
            entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_hidden(entry.filename)]
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise ImageError(f"{name} is damaged or no ZIP archive ({error}); make it anew.") from None
        pictures = [e for e in entries if PurePosixPath(e.filename).suffix.lower() in IMAGE_EXTENSIONS]
        self.left_out += len(entries) - len(pictures)
        if not pictures:
            raise ImageError(f"{name} holds no pictures; put JPEG, PNG, WebP or HEIC files into it.")
        return archive, pictures

    def _take(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: int) -> Upload | ImageError:
        name = PurePosixPath(entry.filename.replace("\\", "/")).name
        most = min(int(self._limits.upload_mb * _MB), budget)
        if entry.flag_bits & 1:
            return ImageError(f"{one_line(name)} is locked with a password; put it into an archive without one.")
        try:
            with archive.open(entry) as file:
                data = file.read(most + 1)  # whatever the archive says about its length
        except Exception as error:  # decoders raise nearly anything
            return ImageError(f"{one_line(name)} cannot be taken out of its archive ({error}); make it anew.")
        if len(data) > most:
            return ImageError(f"{one_line(name)} is too large: a picture may have {self._limits.upload_mb:g} MB.")
        return Upload(name, data)


def _is_hidden(path: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(path).parts)
