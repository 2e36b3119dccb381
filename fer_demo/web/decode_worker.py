"""The process behind `fer_demo.web.decoder`: pictures come on standard input, pixels go to standard output."""

import contextlib
import io
import os
import sys

from fer_demo.runtime.child import end_with_parent, limit_memory
from fer_demo.vision.images import ImageError, open_reduced
from fer_demo.web.decoder import MAX_PIXELS, OPENED, REFUSED, REPLY, REQUEST, read_exactly


def main() -> None:
    """Decodes what comes until there is no more.

    The arguments are the megabytes of memory for one picture, and niceness.
    """
    os.nice(int(sys.argv[2]))
    end_with_parent()  # between two pictures the end of the input says it, but a decoder at work would go on
    limit_memory(float(sys.argv[1]))
    there, back = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.suppress(EOFError, BrokenPipeError):  # the server is gone
        while True:
            name_length, length = REQUEST.unpack(read_exactly(there, REQUEST.size))
            name = read_exactly(there, name_length).decode("utf-8")
            status, sizes, content = _answer(name, read_exactly(there, length))
            back.write(REPLY.pack(status, *sizes))
            back.write(content)
            back.flush()
            del content


def _answer(name: str, data: bytearray) -> tuple[int, tuple[int, int, int, int], memoryview | bytes]:
    file = io.BytesIO(data)
    file.name = name  # for the sentence when it is no picture
    try:
        opened = open_reduced(file, max_pixels=MAX_PIXELS)
    except ImageError as error:
        # A decoder that gets no memory mostly says something about a damaged file.
        return _sentence(str(error))
    except MemoryError:
        return _sentence(f"{name} needs too much memory to be opened; make it smaller first.")
    pixels = opened.pixels
    return OPENED, (*pixels.shape[:2], opened.height, opened.width), pixels.data.cast("B")


def _sentence(text: str) -> tuple[int, tuple[int, int, int, int], bytes]:
    content = text.encode("utf-8", "replace")
    return REFUSED, (len(content), 0, 0, 0), content


if __name__ == "__main__":
    main()
