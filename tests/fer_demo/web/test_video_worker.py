"""Videos are read in processes that can be killed, within limits, and nothing of them reaches the disk."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("av", reason="the video extra is not installed")
import av

from fer_demo.video import clips
from fer_demo.web import video_job
from fer_demo.web.fair_queue import BusyError
from fer_demo.web.limits import Limits
from fer_demo.web.video_desk import VideoDesk
from fer_demo.web.video_job import VideoJob, Wishes

pytestmark = pytest.mark.processes

PATIENCE = 120


@pytest.fixture(scope="module")
def short() -> bytes:
    return clips.encode(clips.still(320, 240, seconds=1.0), sound=True)


@pytest.fixture(scope="module")
def long() -> bytes:
    return clips.encode(clips.still(320, 240, seconds=40.0))


@pytest.fixture
def desk():
    made = VideoDesk(Limits())
    yield made
    made.close()


def end(job: VideoJob) -> VideoJob:
    assert job.wait(PATIENCE)
    return job


def until(true) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_comes_out(desk, short):
    job = end(desk.start(short, "talk.mp4", "me", Wishes(fps=None, video=True)))
    found = job.result
    assert job.problem is None and found.complete and found.summary["frames"] == 25
    assert found.words[0].startswith("person 1: ") and found.endings == ("csv", "json", "vtt", "html", "mp4")
    assert len(list(csv.DictReader(io.StringIO(found.file("csv").decode())))) == 25
    assert len(json.loads(found.file("json"))["frames"]) == 25
    assert found.file("vtt").startswith(b"WEBVTT") and b"talk-marked.mp4" in found.file("html")
    with av.open(io.BytesIO(found.file("mp4"))) as container:
        assert len(list(container.decode(video=0))) == 25 and container.streams.audio
    assert found.portraits[1][0].jpeg.startswith(b"\xff\xd8") and found.moments[0].frame.startswith(b"\xff\xd8")
    assert found.moments[0].faces[0].crop.startswith(b"\xff\xd8") and found.nearest(99) == len(found.moments) - 1
    assert not is_alive(job.pid)


def test_cancelling_keeps_what_is_done(desk, long):
    job = desk.start(long, "long.mp4", "me", Wishes(fps=None))
    until(lambda: job.progress)
    assert job.seconds_left() is None or job.seconds_left() > 0
    job.cancel()
    found = end(job).result
    assert not found.complete and 0 < found.summary["frames"] < 1000 and found.notes[0].startswith("Stopped at 0:")
    assert len(json.loads(found.file("json"))["frames"]) == found.summary["frames"] and not is_alive(job.pid)


def test_the_time_is_limited(long):
    desk = VideoDesk(Limits(video_seconds=4))
    job = end(desk.start(long, "long.mp4", "me", Wishes(fps=None, video=True)))
    if job.result is None:  # a slow machine
        assert "was stopped before its first frame" in job.problem
    else:
        assert not job.result.complete and "reads one video for 4 seconds" in job.result.notes[-1]


def test_who_does_not_stop_is_killed(desk, long, monkeypatch):
    monkeypatch.setattr(video_job, "STOP_SECONDS", 0.3)
    job = desk.start(long, "long.mp4", "me")
    until(lambda: job.progress)
    os.kill(job.pid, signal.SIGSTOP)
    job.cancel()
    assert "long.mp4 has not stopped and was ended" in end(job).problem and not is_alive(job.pid)


def test_a_process_that_dies_is_one_sentence(desk, long, short):
    job = desk.start(long, "bad.mp4", "me")
    until(lambda: job.progress)
    os.kill(job.pid, signal.SIGKILL)
    assert "bad.mp4 cannot be read, it is damaged or needs too much memory" in end(job).problem and job.result is None
    assert end(desk.start(short, "good.mp4", "me")).result.complete


@pytest.mark.parametrize("why", ["page", "connection"])
def test_nobody_there_ends_it(desk, long, why, monkeypatch):
    there = [True]
    job = desk.start(long, "long.mp4", "me", there=lambda: there[0])
    until(lambda: job.progress)
    if why == "page":
        monkeypatch.setattr(video_job, "UNSEEN_SECONDS", 0.3)
    else:
        monkeypatch.setattr(video_job, "GONE_SECONDS", 0.3)
        there[0] = False
    end(job)
    assert job.result is None and job.problem is None and not is_alive(job.pid)


def test_one_at_a_time_and_who_leaves_makes_room(desk, long, short):
    first = desk.start(long, "long.mp4", "me")
    until(lambda: first.pid)
    second = desk.start(short, "short.mp4", "you")
    third = desk.start(short, "third.mp4", "them")
    assert (first.ahead(), second.ahead(), third.ahead()) == (0, 1, 2) and second.waiting() and second.pid is None
    third.cancel()
    assert end(third).result is None and third.problem is None
    first.leave()
    assert end(second).result.complete and end(first).result is None


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", r"x\.mp4 is empty"),
        (b"RIFF\x24\0\0\0WAVEfmt ", r"x\.mp4 is a sound file \(WAV\), not a video; choose a video"),
        (b"\0\0\0\x18ftypmp42" + bytes(2000), r"x\.mp4 (is no video that can be read|has no|has only)"),
        (b"\xff\xd8\xff\xe0" + bytes(99), r"x\.mp4 is a picture, not a video"),
        ("half", r"x\.mp4 is no video that can be read"),
        ("sound", r"x\.mp4 has only sound in it, no video; choose another file"),
    ],
)
def test_bad_input_is_one_sentence(desk, short, data, sentence):
    if data == "half":
        data = short[: len(short) // 2]
    if data == "sound":
        data = _sound()
    job = end(desk.start(data, "x.mp4", "me"))
    assert job.result is None and re.match(sentence, job.problem), job.problem


def _sound() -> bytes:
    clip = clips.encode(clips.still(64, 64, 0, 0.5), sound=True)
    file = io.BytesIO()
    with av.open(io.BytesIO(clip)) as source, av.open(file, "w", format="mp4") as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return file.getvalue()


def test_what_is_too_large_or_too_long(short):
    sizes = Limits(video_minutes=0.001)
    long = clips.encode(clips.still(64, 64, 0, 3.0))
    job = end(VideoDesk(sizes).start(long, "x.mp4", "me"))
    assert job.result is None and "x.mp4 is 0:03 long, and this page reads up to 0:00; cut it" in job.problem
    with pytest.raises(BusyError, match=r"x\.mp4 has \d MB, and a video may have 0\.01 MB; cut it"):
        VideoDesk(replace(sizes, video_mb=0.01)).start(short, "x.mp4", "me")
    with pytest.raises(BusyError, match="More videos are waiting than this server can hold"):
        VideoDesk(replace(sizes, video_held_mb=0.01)).start(short, "x.mp4", "me")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is limited on Linux only")
def test_memory_is_limited():
    desk = VideoDesk(Limits(video_memory_mb=25))
    large = clips.encode(clips.still(1920, 1080, seconds=0.2))
    job = end(desk.start(large, "x.mp4", "me", Wishes(fps=None, video=True)))
    assert job.result is None and job.problem.startswith("x.mp4 ") and job.problem.count(".") <= 3


def test_a_file_that_becomes_too_large_is_left_out(short):
    desk = VideoDesk(Limits(video_out_mb=0.003))
    found = end(desk.start(short, "x.mp4", "me", Wishes(fps=None, video=True))).result
    assert found.complete and found.endings == ("vtt",) and len(found.notes) == 4
    assert all("is not here: it would have more than 0.003 MB" in note for note in found.notes)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are listed on Linux only")
def test_nothing_reaches_the_disk(desk, long, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    job = desk.start(long, "long.mp4", "me", Wishes(fps=None, video=True))
    until(lambda: job.progress)
    folder = Path(f"/proc/{job.pid}/fd")
    files = {os.readlink(one) for one in folder.iterdir()}
    assert not [name for name in files if not name.startswith(("pipe:", "/dev/null", "anon_inode:"))]
    job.leave()
    end(job)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_server(how, tmp_path):
    code = (
        "import time\nfrom fer_demo.video import clips\nfrom fer_demo.web.video_desk import VideoDesk\n"
        "job = VideoDesk().start(clips.encode(clips.still(320, 240, seconds=20)), 'a.mp4', 'me')\n"
        "while not job.progress: time.sleep(0.05)\n"
        "print(job.pid, flush=True); time.sleep(60)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as server:
        worker = int(server.stdout.readline())
        server.send_signal(how)
    until(lambda: not is_alive(worker))
    assert list(tmp_path.iterdir()) == []
