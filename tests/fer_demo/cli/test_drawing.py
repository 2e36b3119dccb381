"""``predict --draw``: which file a photo with boxes goes to, and what is on it."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from fer_demo import Predictor
from fer_demo.__main__ import main
from fer_demo.cli.drawing import drawings


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """The folder of a checkpoint with random weights."""
    folder = tmp_path_factory.mktemp("checkpoints") / "mine.random"
    torch.manual_seed(0)
    timm.models.save_for_hf(timm.create_model("fer_sedense_nano"), folder, safe_serialization=True)
    return str(folder)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """photos/ with two pictures, one of them in a folder of its own; where the test runs."""
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    for name in ("photos/a.jpg", "photos/sub/a.webp"):
        Image.new("RGB", (64, 48), "gray").save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(arguments: list[str], found: list[str], out: str) -> dict[str, str]:
    return {str(k): str(v) for k, v in drawings(arguments, list(map(Path, found)), Path(out)).items()}


def test_one_photo_is_one_file(folder):
    assert plan(["photos/a.jpg"], ["photos/a.jpg"], "out.png") == {"photos/a.jpg": "out.png"}
    assert plan(["photos/a.jpg"], ["photos/a.jpg"], "photos/sub") == {"photos/a.jpg": "photos/sub/a.jpg"}
    with pytest.raises(ValueError, match=r"ends in one of \.jpg, .*, but names out\.doc"):
        plan(["photos/a.jpg"], ["photos/a.jpg"], "out.doc")


def test_several_go_into_a_folder(folder):
    found = ["photos/a.jpg", "photos/sub/a.webp"]
    assert plan(["photos"], found, "out") == {found[0]: "out/a.jpg", found[1]: "out/sub/a.png"}
    assert plan(["photos"], found[:1], "out") == {found[0]: "out/a.jpg"}  # a folder, however many are in it
    assert plan(found, found, "out") == {found[0]: "out/a.jpg", found[1]: "out/a.png"}
    same = ["x/a.webp", "y/a.PNG", "z/A.png"]
    assert list(plan(same, same, "out").values()) == ["out/a.png", "out/a-2.png", "out/A-3.png"]
    assert plan(["photos/sub/../../b.png", "photos"], ["photos/sub/../../b.png"], "out") == {
        "photos/sub/../../b.png": "out/b.png"
    }
    Path("file").touch()
    with pytest.raises(ValueError, match="must name a folder for several photos, but file is a file"):
        plan(["photos"], found, "file")


def test_no_photo_is_written_over(folder):
    for arguments, out in (
        (["photos/a.jpg"], "photos/a.jpg"),
        (["photos"], "photos"),
        (["photos/a.jpg", "b"], "photos"),
    ):
        with pytest.raises(ValueError, match=r"would write over the photo photos.a\.jpg"):
            plan(arguments, ["photos/a.jpg"], out)


def test_what_was_drawn_before_is_no_photo(folder):
    found = ["photos/a.jpg", "photos/drawn/a.jpg"]
    assert plan(["photos"], found, "photos/drawn") == {"photos/a.jpg": "photos/drawn/a.jpg"}
    assert len(plan(["photos", "photos/drawn/a.jpg"], found, "photos/drawn/again")) == 2


class TestCommand:
    def test_one_photo(self, folder, model, capsys, astronaut):
        Image.fromarray(astronaut).save("photo.png")
        assert main(["predict", "photo.png", "--model", model, "--draw", "new/drawn.png"]) == 0
        assert capsys.readouterr().out.startswith("photo.png: face at (")
        drawn = np.asarray(Image.open("new/drawn.png"))
        np.testing.assert_array_equal(drawn, Predictor(model).predict(astronaut).draw(astronaut))
        assert (drawn != astronaut).any()

    def test_a_folder_twice(self, folder, model, capsys):
        (folder / "photos" / "bad.png").write_text("no picture")
        for _ in range(2):
            assert main(["predict", "photos", "--whole-image", "--model", model, "--draw", "photos/drawn"]) == 1
            out, err = capsys.readouterr()
            assert len(out.splitlines()) == 2 and len(err.splitlines()) == 1
            drawn = sorted(str(p.relative_to("photos/drawn")) for p in Path("photos/drawn").rglob("*.*"))
            assert drawn == ["a.jpg", "sub/a.png"]
        assert Image.open("photos/drawn/a.jpg").size == (64, 48)

    def test_a_file_that_cannot_be_written_is_reported(self, folder, model, capsys):
        (folder / "out").mkdir()
        (folder / "out" / "sub").touch()  # in the way of the folder
        assert main(["predict", "photos", "--whole-image", "--model", model, "--draw", "out"]) == 1
        out, err = capsys.readouterr()
        assert len(out.splitlines()) == 2 and "a.png cannot be written" in err and "Traceback" not in err
        assert (folder / "out" / "a.jpg").exists()

    def test_a_wrong_use(self, folder, model, capsys):
        with pytest.raises(SystemExit) as error:
            main(["predict", "photos/a.jpg", "--draw", "photos/a.jpg"])
        assert error.value.code == 2 and "would write over the photo" in capsys.readouterr().err
