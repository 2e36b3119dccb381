"""From a video to answers and files."""

import csv
import io
import json
import re

import av
import numpy as np
import pytest

from fer_demo.emotions import LABELS
from fer_demo.video import Run, Settings, Targets, VideoError, VideoFace, clips
from fer_demo.video.summary import Summary
from fer_demo.video.tables import COLUMNS, frame_dict, frame_from_dict


def everything(folder) -> Targets:
    names = {"video": "v.mp4", "csv": "t.csv", "parquet": "t.parquet", "json": "t.json", "jsonl": "t.jsonl"}
    paths = {key: folder / name for key, name in names.items()}
    return Targets(**paths, subtitles=folder / "s.vtt", report=folder / "r.html")


@pytest.fixture(scope="module")
def written(tmp_path_factory, reader, crossing):
    folder = tmp_path_factory.mktemp("all")
    with Run(crossing, reader, everything(folder)) as run:
        answers = [(a.time, a.progress, [f.person for f in a.faces]) for a in run]
    assert run.complete
    return folder, run, answers


def test_the_predictor_reads_bytes_paths_and_files(tmp_path, reader, short):
    (tmp_path / "a.mp4").write_bytes(short)
    with open(tmp_path / "a.mp4", "rb") as file:
        found = [
            [(a.time, f.person, f.label, f.probabilities["happy"]) for a in reader.video(source) for f in a.faces]
            for source in (short, tmp_path / "a.mp4", file)
        ]
    assert len(found[0]) == 25 and found[0] == found[1] == found[2]
    assert {row[1] for row in found[0]} == {1}


def test_answers(written):
    _, run, answers = written
    assert len(answers) == 75 and answers[0][0] == 0 and answers[-1][1] == pytest.approx(1, abs=0.02)
    assert {n for *_, persons in answers for n in persons} == {1, 2}
    assert set(run.times) >= {"decoding", "detection", "following", "classification", "writing the video"}


def test_tables_say_the_same(written):
    import pyarrow.parquet

    folder, run, answers = written
    rows = list(csv.DictReader((folder / "t.csv").open(encoding="utf-8")))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == sum(max(1, len(persons)) for *_, persons in answers)
    lines = [json.loads(line) for line in (folder / "t.jsonl").read_text("utf-8").splitlines()]
    whole = json.loads((folder / "t.json").read_text("utf-8"))
    assert whole["frames"] == lines and whole["summary"] == run.summary
    parquet = pyarrow.parquet.read_table(folder / "t.parquet").to_pylist()
    for a, b in zip(rows, parquet, strict=True):
        assert float(a["time"]) == b["time"] and a["label"] == b["label"] and float(a["happy"]) == b["happy"]
    face = lines[0]["faces"][0]
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-3) and tuple(face["raw"]) == LABELS


def test_the_video_has_all_frames_boxes_and_the_sound_as_it_was(written, crossing):
    folder, *_ = written

    def sound(file) -> list[bytes]:
        with av.open(file) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert sound(str(folder / "v.mp4")) == sound(io.BytesIO(crossing))
    with av.open(str(folder / "v.mp4")) as container:
        new = [(f.time, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
    with av.open(io.BytesIO(crossing)) as container:
        old = [(f.time, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
    assert [t for t, _ in new] == pytest.approx([t for t, _ in old])
    box = json.loads((folder / "t.jsonl").open().readline())["faces"][0]["box"]
    x, y = round(box["x"]), round(box["y"] + box["height"] / 2)
    changed = np.abs(new[0][1].astype(int) - old[0][1]).max(axis=2)
    assert changed[y - 3 : y + 3, x - 2 : x + 3].max() > 60 > np.median(changed) + 50


def test_report_and_subtitles(written):
    folder, *_ = written
    page = (folder / "r.html").read_text("utf-8")
    own = page[: page.index("<script>")] + page[page.index("</script>") :]
    assert not re.search(r"(?:https?:)?//\w", own.replace("data:image/jpeg;base64,", "")) or "//" not in re.sub(
        r'"(?:frame|crop)": "[^"]*"', "", own
    )
    assert "default-src 'none'" in page and 'src="v.mp4"' in page and "not about what the person feels" in page
    data = json.loads(page[page.index('id="data">') + 10 : page.index("</script><script>\nconst")])
    assert [p["person"] for p in data["persons"]] == [1, 2]
    assert len(data["persons"][0]["t"]) == len(data["persons"][0]["values"][0]) > 20
    assert data["moments"][0]["frame"].startswith("/9j/") and data["moments"][0]["faces"][0]["crop"]
    cues = (folder / "s.vtt").read_text("utf-8")
    assert cues.startswith("WEBVTT\n") and "1: looks happy" in cues
    times = re.findall(r"(\d\d:\d\d:\d\d\.\d{3}) --> (\d\d:\d\d:\d\d\.\d{3})", cues)
    assert times and all(a < b for a, b in times) and times == sorted(times)


def test_a_closed_run_keeps_what_is_done(tmp_path, reader, short):
    with Run(short, reader, everything(tmp_path)) as run:
        for answer in run:
            if answer.index == 9:
                break
    assert not run.complete and run.summary["frames"] == 10
    assert len((tmp_path / "t.jsonl").read_text().splitlines()) == 10
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert len(list(container.decode(video=0))) == 10
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")], "nothing is left beside them"


def test_resuming_gives_what_one_run_gives(tmp_path, reader, crossing, monkeypatch):
    targets = Targets(jsonl=tmp_path / "t.jsonl", video=tmp_path / "v.mp4")
    with Run(crossing, reader, targets, journal=True) as run:
        for answer in run:
            if answer.index == 30:
                break
    journal = tmp_path / "v.mp4.progress"
    journal.write_bytes(journal.read_bytes()[:-20])  # as a kill leaves it
    with pytest.raises(VideoError, match="--resume"):
        Run(crossing, reader, targets, journal=True)
    with pytest.raises(VideoError, match="another video, model or setting"):
        Run(crossing, reader, targets, Settings(fps=5), resume=True)
    read = []
    monkeypatch.setattr(reader, "classify", lambda crops, plain=reader.classify: read.append(1) or plain(crops))
    with Run(crossing, reader, targets, resume=True) as run:
        assert len(list(run)) == 75
    assert run.complete and not journal.exists() and len(read) == 45
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(75))
    assert {f["person"] for line in lines for f in line["faces"]} == {1, 2}


def test_region_and_times(reader):
    clip = clips.encode(clips.pan())
    half = list(reader.video(clip, Settings(region=(0, 0, 250, 480), end=0.4)))
    assert len(half) == 10 and all(len(a.faces) == 1 for a in half)
    right = next(reader.video(clip, Settings(region=(250, 0, 390, 480)))).faces[0]
    assert 300 < right.box[0] + right.box[2] / 2 < 360 and 300 < right.landmarks[2, 0] < 360
    late = list(reader.video(clip, Settings(start=1.0, fps=5)))
    assert [round(a.time, 2) for a in late] == pytest.approx([1.0, 1.2, 1.4, 1.6, 1.8])
    assert late[0].progress == 0
    with pytest.raises(VideoError, match="reaches over"):
        list(reader.video(clip, Settings(region=(600, 0, 100, 100))))
    for wrong in ({"fps": 0}, {"start": -1}, {"start": 2, "end": 1}, {"region": (0, 0, 5, 5)}, {"half_life": -1}):
        with pytest.raises(ValueError, match=r"must be|The fps"):
            Settings(**wrong)


def face(person: int, label: str, readable: bool = True) -> VideoFace:
    from fer_demo.vision.quality import CropQuality

    values = {name: 0.94 if name == label else 0.01 for name in LABELS}
    quality = CropQuality(1, 30, 60, 0.7 if readable else 0.1, 0.05, 120, 50, 0, 0.1)
    return VideoFace(person, (1, 2, 30, 40), np.ones((5, 2), np.float32), 0.9, True, values, values, quality)


def test_a_summary_by_hand():
    from fer_demo.video import FrameAnswer

    total = Summary()
    said = ["happy"] * 10 + ["sad"] * 5 + ["happy"] * 6
    for i, label in enumerate(said):
        faces = [face(1, label, readable=not 10 <= i < 12)]
        total.add(FrameAnswer(i, i / 10, tuple(faces if i != 40 else [])))
    (person,) = total.to_dict()["persons"]
    assert person["seconds"] == 2.0 and person["unreadable_seconds"] == pytest.approx(0.2)
    assert person["share"]["happy"] == pytest.approx(1.5 / 1.8, abs=1e-3)
    assert sum(person["share"].values()) == pytest.approx(1, abs=1e-3)
    assert person["episodes"][0] == {"label": "happy", "start": 0.0, "seconds": 1.0}
    assert person["changes"] == [{"from": "happy", "to": "sad", "count": 1}, {"from": "sad", "to": "happy", "count": 1}]


def test_answers_survive_being_written_down():
    from fer_demo.video import FrameAnswer

    answer = FrameAnswer(3, 0.125, (face(2, "fear"),))
    assert frame_dict(frame_from_dict(json.loads(json.dumps(frame_dict(answer))))) == frame_dict(answer)


def test_outputs_that_cannot_be(tmp_path, reader, short):
    (tmp_path / "a.mp4").write_bytes(short)
    with pytest.raises(VideoError, match="the video itself"):
        Run(tmp_path / "a.mp4", reader, Targets(video=tmp_path / "a.mp4"))
    with pytest.raises(VideoError, match="must end in"):
        Run(short, reader, Targets(video=tmp_path / "a.gif"))
    with pytest.raises(VideoError, match="Two outputs"):
        Run(short, reader, Targets(csv=tmp_path / "a", json=tmp_path / "a"))
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(VideoError, match="cannot be written"),
        Run(short, reader, Targets(csv=tmp_path / "file" / "a.csv")) as run,
    ):
        list(run)
