"""Memory does not grow with a video's length."""

from pathlib import Path

import pytest

from fer_demo.video import clips
from training.bench.video import GOALS, STAGES, VideoTiming, peak_memory, table

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the system does not say it")


@pytest.mark.processes
def test_eight_times_the_length_takes_the_same(tmp_path):
    peaks = []
    for seconds in (2.0, 16.0):
        path = tmp_path / "clip.mp4"
        path.write_bytes(clips.encode(clips.still(320, 240, seconds=seconds)))
        peaks.append(peak_memory(path, tmp_path, "fer_sedense_nano.photos_fer2013"))
    assert max(peaks) < 400 and peaks[1] < peaks[0] + 20


def test_the_table():
    timing = VideoTiming(
        "1 at 640x480", 50, dict.fromkeys(STAGES, 0.1) | {"decoding": 1.0, "writing the video": 2}, 20, 300, 0.6
    )
    assert timing.total == pytest.approx(0.4) and timing.frames_per_second == pytest.approx(125)
    text = table([timing], {"1 at 640x480": 12.5})
    assert "**0.400**" in text and "10.0 times as many" in text
    assert "not installed" in table([timing], {"1 at 640x480": "not installed"})
    assert set(GOALS) == {"1 at 640x480", "4 at 1920x1080"}
