"""From photo to answer: scenes with faces at known places, and the accuracy there beside that of clean crops."""

import json

import numpy as np
import pytest
import torch

from fer_demo.vision.detector import DetectedFace
from training.__main__ import main
from training.cli import end_to_end as command
from training.data import Faces
from training.eval import scenes
from training.eval.end_to_end import end_to_end, paired, table
from training.eval.scenes import HEIGHT, WIDTH, make_scenes

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def pictures(n):
    """Squares of one grey level each, so that a face can be told from its pixels."""
    return np.repeat(np.arange(n, dtype=np.uint8) * 9 + 60, 48 * 48).reshape(n, 48, 48)


class Answer:
    def __init__(self, label):
        self.label = label


class StandIn:
    """Finds all faces of a scene but those of `missed` pixels, and reads a class from the grey level.

    In the scene it takes class 3 for class 4, so that the difference is known.
    """

    labels = LABELS

    def __init__(self, missed=()):
        self.missed = missed

    def classify(self, crops):
        classes = [round((float(crop.mean()) - 60) / 9) % 7 for crop in crops]
        return np.eye(7, dtype=np.float32)[classes]

    def detect(self, image):
        place = next(self.places)
        found = [self.face(box) for box in place.boxes if box[2] not in self.missed]
        # A box beside all faces, and a poorer second box in the place of each: neither counts.
        return [self.face((-900, 0, 30)), *(self.face(b, 3, 0.3) for b in place.boxes if found), *found]

    def face(self, box, shift=0, score=0.9):
        left, top, side = box
        return DetectedFace((left + shift, top, side, side), np.zeros((5, 2), np.float32), score, 0.0)

    def predict(self, image, *, faces):
        answers = []
        for face in faces:
            x, y, side, _ = (int(v) for v in face.box)
            grey = float(image[y + side // 2, x + side // 2, 0])
            label = round((grey - 60) / 9) % 7 if face.score > 0.5 else 0
            answers.append(Answer(LABELS[4 if label == 3 else label]))
        return answers


@pytest.fixture
def stand_in(monkeypatch):
    def make(**how):
        fake = StandIn(**how)
        made = []

        def remembered(*args, **kwargs):
            for scene in make_scenes(*args, **kwargs):
                made.append(scene)
                fake.places = iter([scene])
                yield scene

        monkeypatch.setattr("training.eval.end_to_end.make_scenes", remembered)
        return fake

    return make


@pytest.fixture
def coloured():
    images = torch.from_numpy(pictures(14))[:, None]
    return Faces(images, torch.arange(14) % 7, np.repeat("PrivateTest", 14))


class TestScenes:
    @pytest.mark.parametrize("side", [30, 48, 96, 150, 300])
    def test_every_face_lies_where_it_is_said_and_apart_from_the_others(self, side):
        images = pictures(8)
        seen = []
        for scene in make_scenes(images, side):
            assert scene.image.shape == (HEIGHT, WIDTH, 3) and scene.image.dtype == np.uint8
            taken = np.zeros((HEIGHT, WIDTH), int)
            for row, (left, top, width) in zip(scene.rows, scene.boxes, strict=True):
                assert width == side and left >= 0 and top >= 0 and left + side <= WIDTH and top + side <= HEIGHT
                part = scene.image[top : top + side, left : left + side]
                assert np.abs(part.astype(int) - int(images[row, 0, 0])).max() <= 1  # nothing of the face is faded
                taken[top : top + side, left : left + side] += 1
            assert taken.max() == 1
            seen += scene.rows
        assert sorted(seen) == list(range(8))

    def test_a_face_fades_into_the_scene_outside_its_square(self):
        image = np.zeros((200, 200, 3), np.uint8)
        scenes.paste(image, np.full((48, 48), 200, np.uint8), 50, 60, 100)
        row = image[110, :, 0].astype(int)
        assert (row[50:150] == 200).all() and (np.diff(row[39:51]) > 0).all() and (np.diff(row[149:161]) < 0).all()
        assert row[:39].max() == 0 and row[161:].max() == 0

    def test_the_seed_decides(self):
        def drawn(seed):
            return [(s.image.tobytes(), s.rows, s.boxes) for s in make_scenes(pictures(7), 64, seed=seed)]

        assert drawn(0) == drawn(0) and drawn(0) != drawn(1)

    @pytest.mark.parametrize("side", [60, 96, 300])
    def test_a_cut_face_lies_over_the_edge(self, side):
        for scene in make_scenes(pictures(9), side, cut=0.2):
            for left, top, _ in scene.boxes:
                assert max(-left, left + side - WIDTH) == round(0.2 * side) and 0 <= top <= HEIGHT - side

    def test_backgrounds_show_nobody_and_are_not_fetched(self, monkeypatch):
        import socket

        from fer_demo.vision.detector import FaceDetector

        monkeypatch.setattr(socket, "socket", lambda *a, **k: pytest.fail("something was fetched"))
        scenes.backgrounds.cache_clear()
        detector = FaceDetector()
        assert all(not detector.detect(photo) for photo in scenes.backgrounds())

    @pytest.mark.parametrize("side", [0, 15, 441])
    def test_sides_without_a_place(self, side):
        with pytest.raises(ValueError, match=f"{side} pixels has no place in a scene; give 16 to 440"):
            next(make_scenes(pictures(1), side))

    def test_a_cut_that_leaves_no_face(self):
        with pytest.raises(ValueError, match="cut must be"):
            next(make_scenes(pictures(1), 48, cut=0.5))


class TestFigures:
    def test_known_answers(self, stand_in, coloured):
        result = end_to_end({"a": stand_in()}, coloured, sizes=(30, 64))
        assert result["n"] == 14 and result["detection"]["64"]["rate"] == 1.0
        figures = result["models"]["a"]
        assert figures["64"]["clean"] == 1.0 and figures["64"]["accuracy"] == pytest.approx(12 / 14)
        assert figures["64"]["difference"] == pytest.approx(-2 / 14) and figures["64"]["n"] == 14
        # All sizes but those below FER2013's own.
        assert figures["all"]["n"] == 14 and figures["all"]["difference"] == figures["64"]["difference"]
        low, high = figures["64"]["interval"]
        assert low < -2 / 14 < high

    def test_faces_that_are_not_found_count_in_the_rate_alone(self, stand_in, coloured):
        result = end_to_end({"a": stand_in(missed=(30,))}, coloured, sizes=(30, 64))
        assert result["detection"]["30"] | {"interval": 0} == {"n": 14, "found": 0, "rate": 0.0, "interval": 0}
        assert result["models"]["a"]["30"] == {
            "n": 0, "accuracy": None, "clean": None, "difference": None, "interval": None
        }  # fmt: skip
        lines = table(result).splitlines()
        assert len(lines) == 5 and lines[2] == "| `a` | 30 px | 0.0% | – | – | – |"
        assert lines[3].startswith("| `a` | 64 px | 100.0% | 85.7% | 100.0% | -14.3 (")

    def test_the_same_again(self, stand_in, coloured):
        first = end_to_end({"a": stand_in()}, coloured, count=9, sizes=(48,))
        assert end_to_end({"a": stand_in()}, coloured, count=9, sizes=(48,)) == first
        assert first["n"] == 9

    def test_the_paired_interval(self):
        found, clean = np.array([1, 1, 0, 1, 0], bool), np.array([1, 0, 1, 0, 0], bool)
        change = np.array([0, 1, -1, 1, 0])
        half = 1.96 * change.std(ddof=1) / np.sqrt(5)
        result = paired(found, clean)
        assert result["difference"] == pytest.approx(0.2)
        np.testing.assert_allclose(result["interval"], [0.2 - half, 0.2 + half], atol=1e-6)
        # The same faces at two sizes are no ten faces.
        twice = paired(np.tile(found, 2), np.tile(clean, 2), np.tile(np.arange(5), 2))
        np.testing.assert_allclose(twice["interval"], result["interval"], atol=1e-6)

    def test_wrong_arguments(self, stand_in, coloured):
        model = {"a": stand_in()}
        for wrong, message in (
            ({"sizes": ()}, "at least one size"),
            ({"sizes": (48, 9)}, "9 pixels has no place"),
            ({"count": 0}, "At least one face"),
        ):
            with pytest.raises(ValueError, match=message):
                end_to_end(model, coloured, **wrong)
        with pytest.raises(ValueError, match="at least one model"):
            end_to_end({}, coloured)
        twins = Faces(coloured.images.repeat(1, 2, 1, 1), coloured.labels, coloured.splits)
        with pytest.raises(ValueError, match="single grey squares"):
            end_to_end(model, twins)


class TestCommand:
    def test_from_data_to_table(self, data, tmp_path, capsys):
        out = tmp_path / "figures.json"
        arguments = ["end-to-end", "fer_sedense_nano", "--data", str(data), "--faces", "6", "--sizes", "64"]
        assert main([*arguments, "--out", str(out)]) == 0
        text = capsys.readouterr().out
        result = json.loads(out.read_text())
        assert result["split"] == command.SPLIT == "PrivateTest" and result["n"] == 6
        assert text.strip() == table(result)  # gratings are no faces, and none is found

    def test_errors_in_one_sentence(self, data, capsys, monkeypatch):
        monkeypatch.delenv("FER2013_DIR", raising=False)
        for arguments, message in (
            (["fer_sedense_nano"], "No data: give --data"),
            (["no_such_model", "--data", str(data)], "no_such_model"),
            (["fer_sedense_nano", "--data", str(data), "--sizes", "8"], "8 pixels has no place in a scene"),
        ):
            assert main(["end-to-end", *arguments]) == 2
            error = capsys.readouterr().err.strip()
            assert error.startswith("error: ") and message in error and "\n" not in error
        with pytest.raises(SystemExit):
            main(["end-to-end", "--sizes", "large"])
        assert "no list of pixels" in capsys.readouterr().err
