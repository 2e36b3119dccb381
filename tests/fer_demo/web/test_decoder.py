"""Pictures are decoded in processes that can be killed, and are replaced."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_demo.vision.images import ImageError, open_image
from fer_demo.web.decoder import Decoder

pytestmark = pytest.mark.processes


def png(value: int = 0, size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((*size[::-1], 3), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def decoder():
    made = Decoder(seconds=20)
    yield made
    made.close()


def pids(decoder: Decoder) -> list[int]:
    return [worker.process.pid for worker in decoder._idle]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_same_pixels_as_in_this_process(decoder, astronaut):
    file = io.BytesIO()
    Image.fromarray(astronaut).save(file, "JPEG")
    opened = decoder.decode(file.getvalue())
    assert np.array_equal(opened.pixels, open_image(file.getvalue()))
    assert (opened.width, opened.height) == (512, 512)
    assert opened.pixels.flags.c_contiguous and opened.pixels.flags.writeable


def test_a_bad_picture_is_one_sentence_and_its_process_stays(decoder):
    decoder.decode(png())
    before = pids(decoder)
    with pytest.raises(ImageError, match=r"notes\.txt is not a picture in a known format"):
        decoder.decode(b"no picture", "notes.txt")
    assert pids(decoder) == before


def test_many_at_a_time_each_get_their_own(decoder):
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda value: decoder.decode(png(value)).pixels, range(60)))
    assert [(pixels.min(), pixels.max()) for pixels in found] == [(value, value) for value in range(60)]
    assert len(pids(decoder)) <= 4


def stop(decoder: Decoder) -> int:
    """Stops the one idle process, so that it takes for ever."""
    decoder.decode(png())
    (pid,) = pids(decoder)
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_who_takes_too_long_is_killed_and_replaced(decoder):
    pid = stop(decoder)
    decoder.seconds = 0.5
    start = time.monotonic()
    with pytest.raises(ImageError, match=r"slow\.png takes longer than 0\.5 seconds to open; make it smaller"):
        decoder.decode(png(), "slow.png")
    assert time.monotonic() - start < 5 and not is_alive(pid)
    decoder.seconds = 20
    assert decoder.decode(png(7)).pixels.max() == 7 and pid not in pids(decoder)


def test_a_process_that_dies_is_one_sentence_and_replaced(decoder):
    pid = stop(decoder)
    threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(ImageError, match=r"big\.png cannot be opened with the memory that is allowed"):
        decoder.decode(png(), "big.png")
    assert decoder.decode(png(9)).pixels.max() == 9


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is limited on Linux only")
def test_memory_is_limited():
    small, large = Decoder(seconds=20, megabytes=40), Decoder(seconds=20, megabytes=400)
    picture = png(size=(6000, 4000))
    try:
        assert large.decode(picture).pixels.shape[2] == 3
        with pytest.raises(ImageError, match=r"memory|damaged|cannot be opened"):
            small.decode(picture)
        assert small.decode(png(5)).pixels.max() == 5
    finally:
        small.close()
        large.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_server(how):
    code = (
        "import io, sys, time\nfrom PIL import Image\nfrom fer_demo.web.decoder import Decoder\n"
        "file = io.BytesIO(); Image.new('L', (9, 9)).save(file, 'PNG')\n"
        "decoder = Decoder(); decoder.decode(file.getvalue())\n"
        "print(decoder._idle[0].process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as server:
        worker = int(server.stdout.readline())
        assert is_alive(worker)
        server.send_signal(how)
    deadline = time.monotonic() + 20
    while is_alive(worker):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_closing_ends_the_processes(decoder):
    decoder.decode(png())
    (pid,) = pids(decoder)
    decoder.close()
    assert not is_alive(pid)
    with pytest.raises(ImageError, match="shut down"):
        decoder.decode(png())
