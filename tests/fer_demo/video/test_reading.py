"""Files of every kind, good and bad: frames, or one sentence."""

import io
import re
import struct
import threading
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer

import av
import numpy as np
import pytest
from PIL import Image

from fer_demo.video import reading
from fer_demo.video.colours import standard_range
from fer_demo.video.extra import VideoError
from fer_demo.video.reading import Notes, frames, probe
from fer_demo.video.sources import Source


def encoded(
    times=range(10), codec="libx264", form="mp4", size=(64, 48), pixels="yuv420p", base=10, shades=True
) -> bytes:
    """Grey frames, frame i of the level 20 i, at times / base seconds."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=base)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.time_base = Fraction(1, base)
        container.start_encoding()
        for i, time in enumerate(times):
            level = np.full((size[1], size[0], 3), 20 * (i % 12) if shades else 99, np.uint8)
            level[: size[1] // 2, : size[0] // 2] = 255  # the upper left quarter is white
            frame = av.VideoFrame.from_ndarray(level, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def times_of(content: bytes, **options) -> list[float]:
    return [round(f.time, 3) for f in frames(Source(content), **options)]


@pytest.mark.parametrize(
    ("codec", "form"),
    [("libx264", "mp4"), ("mpeg4", "avi"), ("libx264", "mov"), ("libvpx", "webm"), ("mpeg4", "matroska")],
)
def test_containers(codec, form):
    if codec not in av.codecs_available:
        pytest.skip(f"PyAV has no {codec}")
    assert len(times_of(encoded(codec=codec, form=form))) == 10


def test_uneven_times_and_sampling_by_time():
    uneven = encoded([0, 1, 2, 9, 10, 15, 30])
    assert times_of(uneven) == [0, 0.1, 0.2, 0.9, 1.0, 1.5, 3.0]
    assert times_of(uneven, start=0.2, end=1.5) == [0.2, 0.9, 1.0]
    even = encoded(range(20))
    assert times_of(even, fps=5) == pytest.approx(np.arange(0, 2, 0.2))
    assert times_of(even, fps=1000) == times_of(even)


def test_searching_gives_the_same_frames_as_reading_from_the_start():
    long = encoded(range(400))
    whole = {f.time: f.pixels.mean() for f in frames(Source(long))}
    part = {f.time: f.pixels.mean() for f in frames(Source(long), start=25.0, end=26.0)}
    assert len(part) == 10
    assert part == {t: v for t, v in whole.items() if 25 <= t < 26}


@pytest.mark.parametrize(("quarters", "corner"), [(0, (0, 0)), (1, (0, 1)), (2, (1, 1)), (3, (1, 0))])
def test_a_phone_that_was_turned(quarters, corner):
    """The display matrix in the track's header: the white quarter goes to where the phone's owner saw it."""
    content = bytearray(encoded())
    at = content.index(b"tkhd") + 4 + 40
    a, b = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters]
    content[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
    pixels = next(frames(Source(bytes(content)))).pixels
    height, width = pixels.shape[:2]
    assert (width, height) == ((48, 64) if quarters % 2 else (64, 48))
    down, right = corner
    quarter = pixels[down * height // 2 :, right * width // 2 :][: height // 2, : width // 2]
    assert quarter.mean() > 200 and pixels.mean() < 100
    assert probe(Source(bytes(content))).width == width


def test_ten_bits():
    content = encoded(pixels="yuv420p10le")
    pixels = next(frames(Source(content))).pixels
    assert pixels.dtype == np.uint8 and pixels[:20, :20].mean() > 240


def test_pq_is_brought_to_a_screen():
    notes = Notes()
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)[None]
    shown = standard_range(ramp, 16, notes.add)[0, :, 0]
    assert (np.diff(shown.astype(int)) >= 0).all() and shown[0] == 0 and shown[255] == 255
    assert shown[148] > 200  # 203 candela, a white sheet, which is dull grey as it is coded
    assert len(notes.sentences) == 1
    assert standard_range(ramp, 1, notes.add) is ramp


def test_a_broken_tail_and_a_damaged_middle():
    content = encoded(range(200), form="matroska", shades=True)
    notes = Notes()
    cut = list(frames(Source(content[: len(content) * 2 // 3]), notes=notes))
    assert 20 < len(cut) < 200
    rng = np.random.default_rng(0)
    damaged = bytearray(content)
    middle = len(content) // 2
    damaged[middle : middle + 300] = rng.bytes(300)
    assert len(list(frames(Source(bytes(damaged)), notes=notes))) > 50


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "JPEG")
    return file.getvalue()


def sound() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


BAD = {
    "empty": (b"", r"empty \(0 bytes\)"),
    "picture": (jpeg(), "is a picture, not a video"),
    "noise": (np.random.default_rng(0).bytes(5000), "no video that can be read"),
    "header only": (encoded()[:600], "no video that can be read|no frames"),
    "sound": (sound(), "only sound"),
    "pdf": (b"%PDF-1.7\n" + bytes(99), r"a document \(PDF\)"),
    "no frames": (encoded([]), "no frames|no video|no pictures"),
}


@pytest.mark.parametrize(("content", "sentence"), BAD.values(), ids=BAD.keys())
def test_what_is_no_video_gets_one_sentence(content, sentence):
    with pytest.raises(VideoError, match=sentence) as error:
        probe(Source(content))
    assert str(error.value).count("\n") == 0 and str(error.value).endswith((".", "`."))


def test_too_many_pixels(monkeypatch):
    monkeypatch.setattr(reading, "MAX_PIXELS", 3000)
    with pytest.raises(VideoError, match="64 x 48 pixels, more than"):
        probe(Source(encoded()))


def test_nothing_but_the_file_is_reached(tmp_path):
    """Playlists and the like name other files and addresses; none is opened, from bytes, a file or by its name."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/x"
    real = tmp_path / "real.mp4"
    real.write_bytes(encoded())
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}.ts\n#EXTINF:10,\nfile://{real}\n#EXT-X-ENDLIST\n"
    sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    dash = f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{url}</BaseURL></MPD>'
    for text in (playlist, f"ffconcat version 1.0\nfile '{real}'\n", sdp, dash, str(real), url):
        file = tmp_path / "a.mp4"
        file.write_text(text)
        for source in (text.encode(), file):
            with pytest.raises(VideoError):
                probe(Source(source))
    for name in (f"concat:{real}", f"file:{real}", f"subfile,,start,0,end,0,,:{real}", url, "pipe:0", "crypto:x"):
        with pytest.raises(VideoError):
            Source(name)
    server.shutdown()
    assert asked == []


def test_paths_that_are_none(tmp_path):
    for name, sentence in (
        (tmp_path, "is a folder"),
        (tmp_path / "x", "does not exist"),
        ("http://a/b.mp4", "fetched"),
    ):
        with pytest.raises(VideoError, match=sentence):
            Source(name)
    with pytest.raises(VideoError, match="cannot be opened from int"):
        Source(3)


def test_two_readers_of_one_file_object():
    source = Source(io.BytesIO(encoded()))
    a, b = frames(source), frames(source)
    pairs = [(x.time, y.time) for x, y in zip(a, b, strict=True)]
    assert len(pairs) == 10 and all(x == y for x, y in pairs)
    assert re.fullmatch("[0-9a-f]{64}", source.digest())
