"""From a photo to answers, with a network of random weights: every step but its skill."""

import io
import json
import pickle
import re
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from skimage.data import astronaut

import fer_demo
from fer_demo.checkpoints import bundled_checkpoints
from fer_demo.emotions import LABELS
from fer_demo.prediction import FacePrediction
from fer_demo.predictor import ModelError, Predictor
from fer_demo.results import FaceResults
from fer_demo.runtime.model_info import with_set_threshold, with_temperature
from fer_demo.vision.align import align_face, square_crop
from fer_demo.vision.detector import FaceDetector
from fer_demo.vision.images import READ_PIXELS, ImageError, open_image
from fer_demo.vision.preprocess import data_config, prepare
from fer_demo.wording import candidates

NAME = "fer_sedense_s2.tune_fer2013"


def build(**kwargs) -> torch.nn.Module:
    """A model whose answers for different faces differ."""
    torch.manual_seed(0)
    model = timm.create_model(NAME, **kwargs)
    with torch.no_grad():
        model.get_classifier().weight.normal_(0, 1)
    return model


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(build())


@pytest.fixture(scope="module")
def hopper() -> np.ndarray:
    from matplotlib import cbook

    return open_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))


def logits(model: torch.nn.Module, crop: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return model(prepare([crop], **data_config(model))).numpy()[0]


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return e / e.sum()


def values(face: FacePrediction) -> np.ndarray:
    return np.array(list(face.probabilities.values()))


class TestPredict:
    def test_one_face(self, predictor, astronaut):
        (face,) = predictor.predict(astronaut)
        assert tuple(face.probabilities) == LABELS
        assert abs(sum(face.probabilities.values()) - 1) < 1e-5 and min(face.probabilities.values()) >= 0
        assert face.label == LABELS[values(face).argmax()] and face.confidence == values(face).max()
        assert face.label in face.sentence or "looks" in face.sentence
        assert face.landmarks.shape == (5, 2) and 0.8 <= face.score <= 1
        x, y, w, h = face.box
        assert x < 206 < 243 < x + w and y < 103 < 142 < y + h  # eyes and mouth

    def test_the_crop_is_what_the_network_saw(self, predictor, astronaut, hopper):
        answers = [*predictor.predict(astronaut), *predictor.predict(hopper)]
        assert len(answers) == 2
        for face, image in zip(answers, (astronaut, hopper), strict=True):
            assert face.crop.dtype == np.uint8 and face.crop.shape == predictor.input_size == (48, 48)
            np.testing.assert_array_equal(face.crop, align_face(image, face.landmarks))
            np.testing.assert_allclose(values(face), softmax(logits(predictor.model, face.crop)), atol=1e-5)
        # Another crop has another answer, so the comparison above means something.
        assert np.abs(values(answers[0]) - values(answers[1])).max() > 0.01

    def test_a_list_gives_what_single_pictures_give(self, predictor, astronaut, hopper):
        blank = np.zeros((90, 120, 3), np.uint8)
        both = np.concatenate([astronaut, hopper[:512]], axis=1)
        images = [astronaut, blank, both, hopper]
        together = predictor.predict(images)
        assert [len(faces) for faces in together] == [1, 0, 2, 1]
        for faces, image in zip(together, images, strict=True):
            for one, other in zip(faces, predictor.predict(image), strict=True):
                assert one.box == other.box and one.label == other.label
                np.testing.assert_array_equal(one.crop, other.crop)
                np.testing.assert_allclose(values(one), values(other), atol=1e-5)
        assert predictor.predict([]) == []
        assert [len(faces) for faces in predictor.predict((astronaut,))] == [1]

    def test_no_face(self, predictor):
        assert predictor.predict(np.full((200, 300, 3), 128, np.uint8)) == []

    def test_more_faces_than_a_batch(self, predictor, monkeypatch, hopper):
        boxes = [(10 * i, 20 * i, 80, 100) for i in range(7)]
        expected = predictor.predict(hopper, boxes=boxes)
        monkeypatch.setattr("fer_demo.classifier.BATCH_SIZE", 3)
        again = predictor.predict(hopper, boxes=boxes)
        np.testing.assert_allclose([values(f) for f in again], [values(f) for f in expected], atol=1e-5)
        assert len({tuple(values(f)) for f in again}) == 7

    def test_orientation_gives_the_same_answer(self, predictor, astronaut, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        path = tmp_path / "phone.png"
        Image.fromarray(np.rot90(astronaut)).save(path, exif=exif)
        (face,), (expected,) = predictor.predict(path), predictor.predict(astronaut)
        assert face.box == expected.box and face.probabilities == expected.probabilities

    def test_turned_is_passed_on(self, astronaut):
        class Spy(FaceDetector):
            def detect(self, image, *, turned=True):
                seen.append(turned)
                return super().detect(image, turned=turned)

        seen: list[bool] = []
        predictor = Predictor(build(), detector=Spy())
        predictor.predict(astronaut, turned=False)
        predictor.detect(astronaut)
        assert seen == [False, True]

    def test_bad_pictures(self, predictor, tmp_path):
        with pytest.raises(ImageError):
            predictor.predict(tmp_path / "none.jpg")

    def test_threads(self, predictor, astronaut, hopper):
        images = [astronaut, hopper] * 4
        expected = [predictor.predict(image)[0].to_dict() for image in images]
        start = threading.Barrier(2)

        def run(image):
            if len(done) < 2:
                done.append(1)
                start.wait(10)
            return predictor.predict(image)[0].to_dict()

        done: list[int] = []
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(run, images)) == expected


class TestResults:
    def test_a_list_that_knows_its_picture(self, predictor, astronaut, tmp_path):
        path = tmp_path / "eileen.png"
        Image.fromarray(astronaut[:, :400]).save(path)
        faces = predictor.predict(path)
        assert isinstance(faces, FaceResults) and isinstance(faces, list) and len(faces) == 1
        assert (faces.file, faces.width, faces.height) == (str(path), 400, 512)
        with path.open("rb") as file, Image.open(path) as image:
            assert [found.file for found in predictor.predict([str(path), file, image])] == [str(path)] * 3
        nameless = predictor.predict([path.read_bytes(), io.BytesIO(path.read_bytes()), astronaut])
        assert [found.file for found in nameless] == [None] * 3
        assert predictor.predict(astronaut, boxes=[(0, 0, 50, 50)]).width == 512

    def test_arrays_from_opencv(self, predictor, astronaut):
        expected = predictor.predict(astronaut)[0].to_dict()
        bgr = np.ascontiguousarray(astronaut[..., ::-1])
        bgra = np.dstack([bgr, np.full(bgr.shape[:2], 255, np.uint8)])
        assert [f.to_dict() for (f,) in predictor.predict([bgr, bgra], channels="bgr")] == [expected] * 2
        assert predictor.detect(bgr, channels="bgr")[0].box == predictor.predict(astronaut)[0].box
        assert predictor.predict(bgr)[0].to_dict() != expected
        with pytest.raises(ValueError, match="Only arrays can have the channels 'bgr'"):
            predictor.predict("photo.jpg", channels="bgr")


class TestStream:
    def crops(self, number: int) -> list[np.ndarray]:
        return list(np.random.default_rng(0).integers(0, 256, (number, 48, 48, 3), dtype=np.uint8))

    def test_the_same_as_predict_in_the_same_order(self, predictor, astronaut, hopper):
        both = np.concatenate([astronaut, hopper[:512]], axis=1)
        images = [astronaut, np.zeros((90, 120, 3), np.uint8), both, hopper]
        for batch_size in (1, 3, 8):
            answers = list(predictor.stream(iter(images), batch_size=batch_size))
            for faces, expected in zip(answers, predictor.predict(images), strict=True):
                assert (faces.width, faces.height) == (expected.width, expected.height)
                assert [f.box for f in faces] == [f.box for f in expected]
                for one, other in zip(faces, expected, strict=True):
                    np.testing.assert_allclose(values(one), values(other), atol=1e-5)

    def test_faces_of_several_pictures_go_together(self, predictor, monkeypatch):
        def classify(crops):
            sizes.append(len(crops))
            return Predictor.classify(predictor, crops)

        sizes: list[int] = []
        monkeypatch.setattr(predictor, "classify", classify)
        assert len(list(predictor.stream(self.crops(20), whole_image=True))) == 20
        assert sizes == [8, 8, 4]
        sizes.clear()
        assert len(list(predictor.stream(np.zeros((11, 60, 60, 3), np.uint8), batch_size=5))) == 11
        assert sizes == [0, 0, 0]  # pictures without faces do not wait for ever

    def test_one_picture_is_held_at_a_time(self, predictor):
        def photo() -> np.ndarray:
            assert not [ref for ref in alive if ref() is not None]
            image = np.full((300, 200, 3), len(alive), np.uint8)
            alive.append(weakref.ref(image))
            return image

        alive: list[weakref.ref] = []
        assert sum(1 for _ in predictor.stream((photo() for _ in range(20)), whole_image=True)) == 20 == len(alive)

    def test_answers_at_once_for_a_camera(self, predictor):
        def frames():
            for frame in self.crops(5):
                taken.append(1)
                yield frame

        taken: list[int] = []
        for number, _ in enumerate(predictor.stream(frames(), whole_image=True, batch_size=1), 1):
            assert len(taken) == number

    def test_bad_pictures_come_in_turn(self, predictor, tmp_path):
        bad, (first, second, third) = tmp_path / "none.jpg", self.crops(3)
        sources = [first, second, bad, third]
        stream, order = predictor.stream(sources, whole_image=True), []
        assert len(next(stream)) == len(next(stream)) == 1
        with pytest.raises(ImageError, match=r"none\.jpg does not exist"):
            next(stream)
        assert len(list(predictor.stream(sources, whole_image=True, on_error="skip"))) == 3
        for _ in predictor.stream(sources, whole_image=True, on_error=lambda *problem: order.append(problem)):
            order.append("answer")
        assert order[:2] == ["answer"] * 2 and order[3:] == ["answer"]
        assert order[2][0] == bad and isinstance(order[2][1], ImageError)

    @pytest.mark.parametrize(
        "one", ["a.jpg", b"GIF89a", io.BytesIO(), np.zeros((9, 9, 3), np.uint8), Image.new("RGB", (9, 9))]
    )
    def test_a_single_picture_is_a_mistake(self, predictor, one):
        with pytest.raises(ValueError, match="several pictures"):
            predictor.stream(one)

    def test_wrong_arguments(self, predictor):
        for wrong in ({"on_error": "ignore"}, {"batch_size": 0}):
            with pytest.raises(ValueError, match=next(iter(wrong))):
                predictor.stream([], **wrong)
        with pytest.raises(ValueError, match="Only arrays"):  # a mistake of the program, not of one picture
            list(predictor.stream(["a.jpg"], channels="bgr", on_error="skip"))


def test_a_pickled_predictor_finds_faces_too(predictor, astronaut):
    (expected,) = predictor.predict(astronaut)
    again = pickle.loads(pickle.dumps(Predictor(build(), detector=FaceDetector(score_threshold=0.5))))
    (face,) = again.predict(astronaut)
    assert again.detector.score_threshold == 0.5
    assert face.box == expected.box and face.probabilities == expected.probabilities


class TestWithoutDetection:
    def test_whole_image(self, predictor, astronaut):
        crop = np.ascontiguousarray(astronaut[80:128, 200:248])
        (face,) = predictor.predict(crop, whole_image=True)
        assert face.box == (0, 0, 48, 48) and face.landmarks is None and face.score is None
        gray = predictor.predict(face.crop, whole_image=True)[0]
        np.testing.assert_array_equal(gray.crop, face.crop)  # a grey picture of that size passes through untouched
        assert gray.probabilities == face.probabilities

    def test_whole_image_needs_no_detector(self):
        class Absent(FaceDetector):
            def __init__(self):
                pass

            def detect(self, image, *, turned=True):
                raise AssertionError("was called")

        predictor = Predictor(build(), detector=Absent())
        picture = np.zeros((60, 40, 3), np.uint8)
        assert len(predictor.predict(picture, whole_image=True)) == 1
        assert len(predictor.predict(picture, boxes=[(0, 0, 40, 40)])) == 1
        with pytest.raises(AssertionError, match="was called"):
            predictor.predict(picture)

    def test_boxes(self, predictor, astronaut, hopper):
        boxes = [(180, 60, 90, 110), (0, 0, 50, 50), (480, 480, 90, 90)]
        faces = predictor.predict(astronaut, boxes=boxes)
        assert [f.box for f in faces] == boxes and {f.score for f in faces} == {None}
        for face, box in zip(faces, boxes, strict=True):
            np.testing.assert_array_equal(face.crop, square_crop(astronaut, box))
        many = predictor.predict([astronaut, hopper], boxes=[boxes, boxes[:1]])
        assert [len(f) for f in many] == [3, 1]
        np.testing.assert_allclose(values(many[0][2]), values(faces[2]), atol=1e-5)
        np.testing.assert_array_equal(many[1][0].crop, square_crop(hopper, boxes[0]))
        assert predictor.predict(astronaut, boxes=[]) == []
        assert predictor.predict(astronaut, boxes=np.array(boxes))[1].box == boxes[1]

    def test_faces_found_before_are_not_looked_for_again(self, predictor, astronaut, monkeypatch):
        found, answers = predictor.detect(astronaut), predictor.predict(astronaut)
        other = Predictor(predictor.model, temperature=predictor.temperature)
        monkeypatch.setattr(other, "_detector", None)
        monkeypatch.setattr("fer_demo.predictor.FaceDetector", None)  # any use would fail
        for faces in (found, answers):
            (face,) = other.predict(astronaut, faces=faces)
            assert face.box == answers[0].box and face.score == answers[0].score
            np.testing.assert_array_equal(face.crop, answers[0].crop)
            np.testing.assert_allclose(values(face), values(answers[0]), atol=1e-6)
        boxed = predictor.predict(astronaut, boxes=[(180, 60, 90, 110)])
        (again,) = other.predict([astronaut], faces=[boxed])[0]
        np.testing.assert_array_equal(again.crop, boxed[0].crop)
        with pytest.raises(ValueError, match="1 pictures, but faces for 2"):
            other.predict([astronaut], faces=[found, found])

    @pytest.mark.parametrize("box", [(0, 0, 0, 5), (900, 0, 5, 5), (0, 0, 5)])
    def test_bad_boxes(self, predictor, astronaut, box):
        with pytest.raises(ValueError, match="box"):
            predictor.predict(astronaut, boxes=[box])

    def test_boxes_that_do_not_fit(self, predictor, astronaut):
        with pytest.raises(ValueError, match="Give only one of whole_image, boxes and faces"):
            predictor.predict(astronaut, whole_image=True, boxes=[(0, 0, 5, 5)])
        with pytest.raises(ValueError, match="2 pictures, but boxes for 1"):
            predictor.predict([astronaut, astronaut], boxes=[[(0, 0, 5, 5)]])


class TestClassify:
    def test_inputs(self, predictor):
        crops = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)
        rows = predictor.classify(crops)
        assert rows.shape == (5, 7) and rows.dtype == np.float32
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(predictor.classify(list(crops)), rows, atol=1e-6)
        np.testing.assert_allclose(predictor.classify(torch.from_numpy(crops[:, None])), rows, atol=1e-6)
        assert predictor.classify([]).shape == (0, 7)

    def test_wrong_inputs(self, predictor):
        with pytest.raises(TypeError, match="uint8"):
            predictor.classify(np.zeros((1, 48, 48), np.float32))
        with pytest.raises(ValueError, match="grey"):
            predictor.classify([np.zeros((48, 48, 3), np.uint8)])

    def test_what_is_measured_of_a_crop(self, predictor, astronaut):
        """With landmarks all, with a box what needs none, and of a whole picture what its pixels give."""
        (found,) = predictor.predict(astronaut)
        assert found.quality.inside == 1 and found.quality.eye_distance > 20 and found.quality.yaw is not None
        edge = round(float(found.landmarks[2, 0]))  # the picture ends at the nose
        (half,) = predictor.predict(np.ascontiguousarray(astronaut[:, :edge]), faces=[found])
        assert half.quality.inside == pytest.approx(0.5, abs=0.1) and half.flags == ("cut_off",)
        (boxed,) = predictor.predict(astronaut, boxes=[(-100, 0, 200, 200)])
        assert (boxed.quality.inside, boxed.quality.face_size, boxed.quality.yaw) == (0.5, 200, None)
        (whole,) = predictor.predict(astronaut[:, :256], whole_image=True)
        assert (whole.quality.inside, whole.quality.face_size, whole.quality.eye_distance) == (1, 512, None)

    def test_temperature_changes_the_confidence_and_not_the_label(self, predictor, astronaut):
        model, (face,) = predictor.model, predictor.predict(astronaut)
        scores = logits(model, face.crop)
        confidences = []
        for temperature in (0.5, 1.0, 2.0, 8.0):
            (other,) = Predictor(model, temperature=temperature).predict(astronaut)
            assert other.label == face.label
            np.testing.assert_allclose(values(other), softmax(scores / temperature), atol=1e-5)
            confidences.append(other.confidence)
        assert (np.diff(confidences) < -1e-3).all()

    def test_training_mode_is_left(self, astronaut):
        model = build().train()
        Predictor(model)
        assert not any(module.training for module in model.modules())


class TestModels:
    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / "mine.best"
        timm.models.save_for_hf(build(), folder, safe_serialization=True)
        return folder

    def test_a_checkpoints_folder(self, folder, astronaut, predictor, monkeypatch):
        (expected,) = predictor.predict(astronaut)
        monkeypatch.chdir(folder.parent)
        for given in (folder, str(folder), "mine.best"):
            loaded = Predictor(given)
            assert loaded.name == "mine.best" and loaded.temperature == 1 and loaded.labels == LABELS
            np.testing.assert_allclose(values(loaded.predict(astronaut)[0]), values(expected), atol=1e-5)

    def test_its_own_sets(self, folder, astronaut):
        """The candidates are those of the threshold in the folder, and of the rule without one if there is none."""
        config = json.loads((folder / "config.json").read_text())
        found = {}
        for threshold in (None, 0.0, 1.0):
            config["pretrained_cfg"] = with_set_threshold(config["pretrained_cfg"], threshold)
            (folder / "config.json").write_text(json.dumps(config))
            (found[threshold],) = Predictor(folder).predict(astronaut)
        assert found[None].candidates == candidates(found[None].probabilities)
        assert len(found[0.0].candidates) == len(LABELS)
        assert found[1.0].candidates == (found[1.0].label,) and not found[1.0].unsure

    def test_its_own_temperature(self, folder, astronaut):
        config = json.loads((folder / "config.json").read_text())
        config["pretrained_cfg"] = with_temperature(config["pretrained_cfg"], 2.5)
        (folder / "config.json").write_text(json.dumps(config))
        loaded = Predictor(folder)
        assert loaded.temperature == 2.5 and Predictor(folder, temperature=1).temperature == 1
        (face,) = loaded.predict(astronaut)
        np.testing.assert_allclose(values(face), softmax(logits(loaded.model, face.crop) / 2.5), atol=1e-5)

    def test_bundled_names(self):
        with pytest.raises(ModelError, match="|".join(map(re.escape, bundled_checkpoints()))):
            Predictor("none.best")

    def test_nothing_bundled(self, tmp_path, monkeypatch):
        monkeypatch.setattr("fer_demo.checkpoints.checkpoints_dir", lambda: tmp_path)
        with pytest.raises(ModelError, match=r"The bundled checkpoint .* is missing"):
            Predictor()

    @pytest.mark.parametrize("name", ["resnet18", "fer_sedense.none", "no/such/folder", ""])
    def test_unknown_names(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ModelError) as error:
            Predictor(name)
        assert str(error.value).endswith(".") and "\n" not in str(error.value) and len(str(error.value)) < 300

    @pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
    def test_damaged_checkpoints(self, folder, file):
        path = folder / file
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(ModelError, match=r"cannot be (loaded|read)"):
            Predictor(folder)

    def test_models_of_another_kind(self):
        with pytest.raises(ModelError, match="pretrained_cfg"):
            Predictor(torch.nn.Linear(3, 7))
        with pytest.raises(ModelError, match="grey square"):
            Predictor(timm.create_model("test_vit"))
        with pytest.raises(ModelError, match="outputs"):
            Predictor(build(num_classes=5))

    @pytest.mark.parametrize("temperature", [0, -1, float("nan"), float("inf")])
    def test_bad_temperatures(self, predictor, temperature):
        with pytest.raises(ModelError, match="temperature"):
            Predictor(predictor.model, temperature=temperature)

    def test_bad_devices(self, predictor):
        for device in ("abacus", "cuda:99"):
            with pytest.raises(ModelError, match="use 'cpu'"):
                Predictor(build(), device=device)


def test_names_of_the_package():
    assert fer_demo.Predictor is Predictor and fer_demo.open_image is open_image
    assert all(getattr(fer_demo, name) is not None for name in fer_demo.__all__)
    assert {*fer_demo.__all__, "models"} <= set(dir(fer_demo)) and fer_demo.models
    assert {"FaceResults", "draw_faces", "prepare", "data_config"} <= set(fer_demo.__all__)
    with pytest.raises(AttributeError):
        _ = fer_demo.nothing


@pytest.fixture(scope="module")
def large() -> bytes:
    pixels = astronaut()
    assert 10.5**2 * pixels.shape[0] * pixels.shape[1] > READ_PIXELS
    enlarged = Image.fromarray(pixels).resize((5377, 5376), Image.Resampling.BILINEAR)  # the odd side is rounded
    file = io.BytesIO()
    enlarged.save(file, "JPEG", quality=95)
    return file.getvalue()


class TestLargeFiles:
    """Files of more than `READ_PIXELS` are read at a fraction of their size."""

    def test_places_are_the_pictures_own(self, predictor, large):
        (full,), answer = predictor.predict(open_image(large)), predictor.predict(large)  # an array is not reduced
        assert (answer.width, answer.height) == (5377, 5376) and len(answer) == 1
        np.testing.assert_allclose(answer[0].box, full.box, atol=25)
        np.testing.assert_allclose(answer[0].landmarks, full.landmarks, atol=25)
        assert answer[0].landmarks.dtype == np.float32
        assert predictor.detect(large)[0].box == answer[0].box
        (streamed,) = predictor.stream([large])
        assert streamed[0].box == answer[0].box

    def test_places_that_are_given_too(self, predictor, large):
        (found,) = predictor.predict(large)
        (again,) = predictor.predict(large, faces=[found])
        assert again.box == found.box and again.landmarks is found.landmarks
        assert np.abs(again.crop.astype(int) - found.crop).max() <= 2
        (boxed,) = predictor.predict(large, boxes=[found.box])
        (of_small,) = predictor.predict(astronaut(), boxes=[np.divide(found.box, 10.5)])
        assert boxed.box == found.box
        assert np.abs(boxed.crop.astype(int) - of_small.crop).mean() < 4
        with pytest.raises(ValueError, match="outside the picture of 5377 x 5376 pixels"):
            predictor.predict(large, boxes=[(5400, 0, 9, 9)])

    def test_whole(self, predictor, large):
        (face,) = predictor.predict(large, whole_image=True)
        assert face.box == (0, 0, 5377, 5376)
