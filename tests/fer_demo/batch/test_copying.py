"""Copies, sorted into folders; nothing is written over."""

import io
import os
import zipfile

import pytest
from PIL import Image

from fer_demo.batch import Answer, Copier, CopyError, Item, Sources
from fer_demo.batch.copying import safe_name


def answer(item: Item, *labels: str) -> Answer:
    return Answer(item, {"width": 9, "height": 9, "notes": [], "faces": [{"label": label} for label in labels]})


def test_the_largest_face_decides(tmp_path):
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"x" * 100)
    os.utime(photo, (1000, 1000))
    copier = Copier(f"{tmp_path}/sorted/{{label}}")
    copy = copier.copy(answer(Item.of(photo), "sad", "happy"))
    assert copy == tmp_path / "sorted" / "sad" / "a.jpg" and copy.read_bytes() == b"x" * 100
    assert copy.stat().st_mtime == 1000 and str(copy.parent) in copier.folders
    assert copier.copy(answer(Item.of(photo))).parent.name == "no_face"
    assert copier.copy(Answer(Item.of(photo), {"error": "a.jpg is empty."})) is None


@pytest.mark.parametrize("links", [True, False])
def test_nothing_is_written_over(tmp_path, monkeypatch, links):
    if not links:

        def refused(*_):
            raise PermissionError

        monkeypatch.setattr("os.link", refused)
    copier = Copier(f"{tmp_path}/sorted")
    for number in range(3):
        photo = tmp_path / str(number) / "a.jpg"
        photo.parent.mkdir()
        photo.write_bytes(b"x" * (100 + number))
        for _ in range(2):  # a run that goes on copies nothing twice
            copier.copy(answer(Item.of(photo), "sad"))
    assert {f.name: f.stat().st_size for f in (tmp_path / "sorted").iterdir()} == {
        "a.jpg": 100,
        "a-2.jpg": 101,
        "a-3.jpg": 102,
    }


def test_names_from_archives_stay_in_the_folder(tmp_path):
    file = io.BytesIO()
    Image.new("L", (9, 9)).save(file, "PNG")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("../../evil.png", file.getvalue())
        archive.writestr("sub/..\\b.png", file.getvalue() + b"x")
    copier = Copier(f"{tmp_path}/sorted/{{label}}")
    copies = [copier.copy(answer(item, "happy")) for item in Sources([tmp_path / "x.zip"])]
    assert [copy.relative_to(tmp_path / "sorted" / "happy").parts for copy in copies] == [("evil.png",), ("b.png",)]
    assert copies[0].read_bytes() == file.getvalue()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b/c.jpg", "c.jpg"),
        ("..", "photo"),
        (".hidden.jpg", "hidden.jpg"),
        ("a\nb\u202e.jpg", "a_b_.jpg"),
        ('a:b*"<>|.jpg', "a_b_____.jpg"),
        ("ü" * 300 + ".jpeg", "ü" * 97 + ".jpeg"),
    ],
)
def test_safe_names(name, safe):
    assert safe_name(name) == safe


@pytest.mark.parametrize("template", ["x/{name}", "x/{label", "x/{0}", "x/{label.__class__}", "x/{}"])
def test_other_braces_are_refused(template):
    with pytest.raises(CopyError, match="alone in braces"):
        Copier(template)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(CopyError, match="is a file"):
        Copier(f"{tmp_path}/x/{{label}}")
