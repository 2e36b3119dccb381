"""Uploaded files, in memory only: none of a visitor's photo ever reaches the disk."""

import asyncio
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from fer_demo.web.limits import Limits, limits

_MB = 2**20
_HEADERS = 64 * 1024
"""Bytes that a multipart request may have besides its files."""


@dataclass(frozen=True)
class Upload:
    """A file that somebody sent.

    Attributes:
        name: The file's own name, mostly without folders; empty if it has none.
        data: What is in it.
    """

    name: str
    data: bytes


class _InMemory(MultiPartParser):
    spool_max_size = 0  # never to a file; the default is from one megabyte on


class UploadStore:
    """Keeps uploads for the moment between their arrival and the question about them. Thread-safe.

    Every upload has a path of its own, which cannot be guessed, and can be taken once: whoever sends the same picture
    at the same time has another one.

    Args:
        limits: What is accepted.
        clock: Seconds that only grow.
    """

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, Upload]] = OrderedDict()
        self._arriving = 0

    @property
    def limits(self) -> Limits:
        """What is accepted."""
        return self._limits or limits()

    def put(self, upload: Upload) -> str:
        """Keeps an upload.

        Returns:
            Its path, which `take` understands and no file system.

        Raises:
            HTTPException: 503, if there is no room.
        """
        with self._lock:
            self._check_room(len(upload.data))
            path = f"{secrets.token_urlsafe(32)}/{upload.name or 'photo'}"
            self._kept[path] = (self._clock(), upload)
            return path

    def take(self, path: object) -> Upload | None:
        """The upload with this path, which is then gone; None if there is none."""
        with self._lock:
            self._drop_old()
            return self._kept.pop(path, (0, None))[1] if isinstance(path, str) else None

    def held(self) -> int:
        """Bytes in memory, those that are arriving among them."""
        with self._lock:
            self._drop_old()
            return self._held()

    async def receive(self, request: Request, field: str, *, folders: bool = False) -> list[Upload]:
        """Reads the files of a multipart request.

        Args:
            request: The request; nothing of its body has been read.
            field: Name of the form's field that holds them; others are refused.
            folders: Leave the folders in the files' names.

        Returns:
            The files in their order, at least one.

        Raises:
            HTTPException: 4xx or 503 with one sentence, if the request is no such form, too large or too slow, or there
                is no room.
        """
        sizes = self.limits
        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise HTTPException(415, f"Send the picture as multipart/form-data in the field {field!r}.")
        try:
            async with asyncio.timeout(sizes.upload_seconds):
                with self._arrival() as note:
                    return await self._parse(request, field, note, folders)
        except TimeoutError:
            raise HTTPException(408, f"The upload took longer than {sizes.upload_seconds:g} seconds.") from None
        except ClientDisconnect:
            raise HTTPException(400, "The upload was broken off.") from None

    async def _parse(self, request: Request, field: str, note: Callable[[int], None], folders: bool) -> list[Upload]:
        sizes = self.limits
        most = int(sizes.request_mb * _MB) + _HEADERS
        if int(request.headers.get("content-length") or 0) > most:
            raise _too_large(f"A request may have {sizes.request_mb:g} MB.")

        async def counted() -> AsyncGenerator[bytes, None]:
            total = 0
            async with aclosing(request.stream()) as stream:
                async for chunk in stream:
                    total += len(chunk)
                    if total > most:
                        raise _too_large(f"A request may have {sizes.request_mb:g} MB.")
                    note(len(chunk))
                    yield chunk

        try:
            parser = _InMemory(request.headers, counted(), max_files=sizes.request_files, max_fields=16)
            form = await parser.parse()
        except MultiPartException as error:
            if "Too many files" in error.message:
                raise _too_large(f"A request may have {sizes.request_files} files; send fewer at a time.") from None
            raise HTTPException(400, "The request is no valid multipart form; send it anew.") from None
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        try:
            if not files or any(name != field for name, value in form.multi_items() if isinstance(value, UploadFile)):
                raise HTTPException(422, f"No picture was sent; send one as the field {field!r}.")
            if any((file.size or 0) > sizes.upload_mb * _MB for file in files):
                raise _too_large(f"A picture may have {sizes.upload_mb:g} MB.")
            return [Upload(_own_name(file.filename, folders), file.file.read()) for file in files]
        finally:
            await form.close()

    @contextmanager
    def _arrival(self) -> Iterator[Callable[[int], None]]:
        """Counts what is arriving as long as it does."""
        total = 0

        def note(number: int) -> None:
            nonlocal total
            with self._lock:
                self._check_room(number)
                self._arriving += number
                total += number

        try:
            yield note
        finally:
            with self._lock:
                self._arriving -= total

    def _check_room(self, number: int) -> None:
        self._drop_old()
        if self._held() + number > self.limits.held_mb * _MB:
            raise HTTPException(
                503,
                "More pictures are arriving than this server can hold; please try again in a moment.",
                {"Retry-After": "10"},
            )

    def _held(self) -> int:
        return self._arriving + sum(len(upload.data) for _, upload in self._kept.values())

    def _drop_old(self) -> None:
        now = self._clock()
        while self._kept and now - next(iter(self._kept.values()))[0] > self.limits.held_seconds:
            self._kept.popitem(last=False)


def _too_large(sentence: str) -> HTTPException:
    return HTTPException(413, sentence)


def _own_name(name: str | None, folders: bool = False) -> str:
    # Some programs send a path, and a Windows path has no slash.
    path = (name or "").replace("\\", "/")
    return (path if folders else path.rsplit("/", 1)[-1])[-255:]


UPLOADS = UploadStore()
"""The store of this process."""
