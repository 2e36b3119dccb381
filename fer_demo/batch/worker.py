"""The process behind `fer_demo.batch.workers`: pictures come through a socket, answers go back.

It is started as a program of its own and not by `multiprocessing`, which would import the main module anew, under
``streamlit run`` the whole application. Of `multiprocessing` it uses the messages; they hold JSON, nothing pickled.
"""

import json
import signal
import sys
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, BinaryIO

from fer_demo.batch.answer import Settings
from fer_demo.batch.items import Item
from fer_demo.runtime.child import end_with_parent, limit_memory
from fer_demo.vision.images import ImageError
from fer_demo.vision.sources import one_line

FACES_AT_ONCE = 16
"""So many faces, or pictures with fewer, go through the network together."""


def main() -> None:
    """Reads what comes until there is no more; the argument is the number of the open socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started this
    end_with_parent()
    there = Connection(int(sys.argv[1]))
    try:
        settings = Settings(**json.loads(there.recv_bytes()))
        reader = _Reader(settings, there)
        while True:
            reader.read(_received(there))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # nobody wants more
    except Exception as error:  # whatever it is, it is said where somebody sees it
        _send(there, fatal=one_line(str(error) or type(error).__name__, 500), known=_is_model_error(error))


def _is_model_error(error: Exception) -> bool:
    from fer_demo.predictor import ModelError
    from fer_demo.vision.detector import FaceDetectorError

    return isinstance(error, (ModelError, FaceDetectorError))


def _received(there: Connection) -> list[Item]:
    parts = json.loads(there.recv_bytes())
    return [Item.from_dict(part, there.recv_bytes() if part["data"] else None) for part in parts]


def _send(there: Connection, **message: Any) -> None:
    there.send_bytes(json.dumps(message).encode())


class _Reader:
    """One predictor with one thread, and what reads pictures with it."""

    def __init__(self, settings: Settings, there: Connection) -> None:
        import cv2

        from fer_demo.predictor import Predictor

        cv2.setNumThreads(1)
        self.there, self.whole_image = there, settings.whole_image
        options = {"engine": settings.engine, "device": settings.device, "merge": settings.merge}
        self.predictor = Predictor(settings.model, threads=1, **options)  # type: ignore[arg-type]
        if not settings.whole_image:
            _ = self.predictor.detector  # a missing detector is one error, not one for each picture
        if settings.device == "cpu":  # CUDA maps far more than there is
            limit_memory(settings.megabytes)
        _send(there, ready=self.predictor.name)

    def read(self, items: list[Item]) -> None:
        """Sends for each picture that it begins, then what comes of it; in the end that all are done."""
        left = deque(enumerate(items))
        while left:
            waiting: deque[tuple[int, Item]] = deque()
            try:
                self._stream(left, waiting)
            except Exception as error:
                if _is_model_error(error):
                    raise
                # It came of the picture that was begun last; the others that wait are read again without it.
                number, item = waiting.pop()
                left.extendleft(reversed(waiting))
                self._send({number: {"error": _unexpected(item.name, error)}})
        _send(self.there, done=True)

    def _stream(self, left: deque[tuple[int, Item]], waiting: deque[tuple[int, Item]]) -> None:
        def sources() -> Iterator[str | BinaryIO]:
            while left:
                number, item = left.popleft()
                _send(self.there, at=number)
                waiting.append((number, item))
                try:
                    source = item.source()
                except ImageError as error:
                    waiting.pop()
                    self._send({number: {"error": str(error)}})
                else:
                    yield source

        def give_up(_: object, error: ImageError) -> None:
            number, item = waiting.popleft()
            sentence = str(error)
            if item.path and item.span is None:  # opened by its whole path, but called as somebody named it
                sentence = sentence.replace(one_line(item.path), one_line(item.name))
            self._send({number: {"error": sentence}})

        stream = self.predictor.stream(
            sources(), on_error=give_up, whole_image=self.whole_image, batch_size=FACES_AT_ONCE
        )
        for faces in stream:
            number, _ = waiting.popleft()
            self._send({number: {key: value for key, value in faces.to_dict().items() if key != "file"}})

    def _send(self, answers: dict[int, dict[str, Any]]) -> None:
        _send(self.there, answers=list(answers.items()))


def _unexpected(name: str, error: Exception) -> str:
    if isinstance(error, MemoryError) or "bad_alloc" in str(error) or "nsufficient memory" in str(error):
        return f"{one_line(name)} cannot be opened with the memory that is allowed for it; make it smaller first."
    reason = one_line(str(error)) or type(error).__name__
    return f"{one_line(name)} cannot be read ({reason}); save it anew as JPEG or PNG."


if __name__ == "__main__":
    main()
