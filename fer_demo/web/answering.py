"""From an uploaded file to an answer, on a server that many people share.

Decoding goes on in processes that can be killed (`fer_demo.web.decoder`), pictures that take long apart from ordinary
ones, and visitors take turns at every step (`fer_demo.web.fair_queue`).
"""

import asyncio
import io
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from fer_demo.merging import Merge
from fer_demo.prediction import FacePrediction
from fer_demo.predictor import Predictor
from fer_demo.results import FaceResults
from fer_demo.vision.images import OpenedImage, reading_cost
from fer_demo.web.decoder import Decoder
from fer_demo.web.fair_queue import FairQueue, Place
from fer_demo.web.limits import Limits, limits
from fer_demo.web.shared import shared_predictor

WAIT_NOTE_SECONDS = 1.0
"""How often somebody who waits is told how many are before them."""

OnWait = Callable[[int], Awaitable[None]]
"""Told the number of requests that come before this one, now and then."""


@dataclass(frozen=True)
class Answer:
    """A picture with the faces on it.

    Attributes:
        picture: The picture, perhaps at a fraction of its size.
        faces: The predictor's answer, in pixels of the picture itself.
        model: The model that was asked, as `fer_demo.web.models.find` takes it; None is the default.
    """

    picture: OpenedImage
    faces: FaceResults
    model: str | None = None


@dataclass
class Desk:
    """Where pictures are answered; one for each process.

    Attributes:
        limits: What one request and one visitor may take.
    """

    limits: Limits = field(default_factory=limits)

    def __post_init__(self) -> None:
        sizes = self.limits
        self.decoder = Decoder(sizes.decode_seconds, sizes.decode_mb)
        # These get more time, since everybody else goes first.
        self.slow_decoder = Decoder(2 * sizes.decode_seconds, sizes.decode_mb, niceness=10)
        queue = partial(FairQueue, waiting=sizes.waiting, waiting_per_visitor=sizes.waiting_per_visitor)
        self.ordinary = queue(sizes.ordinary_workers, per_visitor=max(1, sizes.ordinary_workers - 1))
        self.slow = queue(sizes.slow_workers, per_visitor=max(1, sizes.slow_workers - 1))
        self.readers = queue(sizes.cores)

    async def answer(
        self,
        data: bytes,
        name: str | None,
        visitor: str,
        *,
        whole_image: bool = False,
        model: str | None = None,
        merge: Merge | None = None,
        on_wait: OnWait | None = None,
    ) -> Answer:
        """Opens a picture and reads the faces on it.

        Args:
            data: What is in the file.
            name: The file's own name; None if it has none.
            visitor: Who asks, such as an address.
            whole_image: Take the picture itself as one face.
            model: As `fer_demo.web.models.find` takes it; None is the default.
            merge: As for `fer_demo.Predictor`.
            on_wait: Told how many requests come first, as long as there are any.

        Raises:
            BusyError: If too many are waiting.
            ImageError: If the picture cannot be opened, or not within the limits.
            ModelError: If there is no such model.
            FaceDetectorError: If the detector is missing.
        """
        picture = await self.open(data, name, visitor, on_wait=on_wait)
        how: dict[str, Any] = {"whole_image": whole_image, "model": model, "merge": merge}
        return await self.read(picture, name, visitor, on_wait=on_wait, **how)

    async def read(
        self,
        picture: OpenedImage,
        name: str | None,
        visitor: str,
        *,
        whole_image: bool = False,
        faces: Sequence[FacePrediction] | None = None,
        model: str | None = None,
        merge: Merge | None = None,
        on_wait: OnWait | None = None,
    ) -> Answer:
        """Reads the faces on a picture that is open already; arguments and errors as for `answer`.

        Args:
            picture: The picture.
            name: The file's own name; None if it has none.
            visitor: Who asks.
            whole_image: Take the picture itself as one face.
            faces: Faces that were found before, in pixels of the picture; None has them looked for.
            model: As `fer_demo.web.models.find` takes it.
            merge: As for `fer_demo.Predictor`.
            on_wait: Told how many requests come first.
        """
        with self.readers.enter(visitor) as place:
            await _turn(place, on_wait)
            predictor = await asyncio.to_thread(_predictor, model, merge)
            found = await asyncio.to_thread(predictor.predict, picture, whole_image=whole_image, faces=faces)
        found.file = name
        return Answer(picture, found, model)

    async def open(self, data: bytes, name: str | None, visitor: str, *, on_wait: OnWait | None = None) -> OpenedImage:
        """Decodes a picture; arguments and errors as for `answer`."""
        file = io.BytesIO(data)
        file.name = name or "The picture"  # for the sentence when it is none
        cost = await asyncio.to_thread(reading_cost, file)  # of a large file some hundredths of a second
        slow = cost > self.limits.ordinary_seconds
        line, decoder = (self.slow, self.slow_decoder) if slow else (self.ordinary, self.decoder)
        with line.enter(visitor) as place:
            await _turn(place, on_wait)
            return await asyncio.to_thread(decoder.decode, data, file.name)

    def close(self) -> None:
        """Ends the processes that decode."""
        self.decoder.close()
        self.slow_decoder.close()


def _predictor(model: str | None, merge: Merge | None) -> Predictor:
    predictor = shared_predictor(model)
    if not merge:
        return predictor
    _ = predictor.detector  # which both then share
    return predictor.merged(merge)


async def _turn(place: Place, on_wait: OnWait | None) -> None:
    """Waits for a place's turn."""
    turn = asyncio.wrap_future(place.turn)
    while not turn.done():
        if on_wait and (ahead := place.ahead()):
            await on_wait(ahead)
        await asyncio.wait([turn], timeout=WAIT_NOTE_SECONDS if on_wait else None)


@cache
def desk() -> Desk:
    """The desk of this process."""
    return Desk()


def open_now(data: bytes, name: str | None, visitor: str) -> OpenedImage:
    """`Desk.open` for a thread without an event loop, such as that of a page."""
    return asyncio.run(desk().open(data, name, visitor))


def read_now(picture: OpenedImage, name: str | None, visitor: str, **options: Any) -> Answer:
    """`Desk.read` for a thread without an event loop."""
    return asyncio.run(desk().read(picture, name, visitor, **options))


def visitor_of(address: str | None) -> str:
    """Who counts as one visitor: an IPv4 address, or the network of an IPv6 one, of which a household has one.

    Args:
        address: The client's address; None where it is not known.
    """
    try:
        parsed = ipaddress.ip_address(address or "127.0.0.1")
    except ValueError:
        return "unknown"
    mapped = getattr(parsed, "ipv4_mapped", None)
    parsed = mapped or parsed
    if parsed.is_loopback:
        return "this machine"
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))
