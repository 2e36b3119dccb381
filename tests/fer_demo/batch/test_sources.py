"""What is found in folders, patterns, lists and archives, and what is refused."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from fer_demo.batch import SourceError, Sources
from fer_demo.batch.items import Item
from fer_demo.vision.images import ImageError, find_images

VIDEO = b"\0\0\0\x18ftypmp42" + b"\0" * 40
PDF = b"%PDF-1.4\n"


def jpeg(gray: int = 90) -> bytes:
    file = io.BytesIO()
    Image.new("L", (40, 30), gray).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path) -> Path:
    root = tmp_path / "photos"
    contents = {
        "a.jpg": jpeg(),
        "notes.txt": b"x",
        "doc": PDF,
        "sub/clip.mp4": VIDEO,
        "sub/no ending": jpeg(),
        ".b.jpg": jpeg(),
        ".cache/c.jpg": jpeg(),
        "data.bin": b"\1\2\3\4",
    }
    for name, data in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def names(sources: Sources, root: Path) -> list[str]:
    return [item.name.removeprefix(f"{root}/") for item in sources]


def test_a_folder(folder):
    sources = Sources([folder])
    assert names(sources, folder) == ["a.jpg", "doc", "sub/clip.mp4", "sub/no ending"]
    assert sources.left_out == 4 and sources.count() == 4


def test_find_images_takes_what_is_no_picture_but_meant_for_one(folder):
    """A video or a document in a folder must not vanish: opening it tells what it is."""
    left_out: list[str] = []
    found = find_images([folder], left_out.append)
    assert [path.name for path in found] == ["a.jpg", "doc", "clip.mp4", "no ending"]
    assert sorted(Path(path).name for path in left_out) == [".b.jpg", ".cache", "data.bin", "notes.txt"]


def test_links_to_folders_are_not_followed(folder):
    (folder / "loop").symlink_to(folder)
    assert len(find_images([folder])) == 4


def test_the_folder_for_copies_is_left_out(folder):
    assert names(Sources([folder], skip={str(folder / "sub")}), folder) == ["a.jpg", "doc"]


def test_a_folder_that_may_not_be_read_is_listed(folder, monkeypatch):
    import os

    real = os.scandir
    monkeypatch.setattr("os.scandir", lambda path: real("/nowhere") if str(path).endswith("sub") else real(path))
    assert names(Sources([folder]), folder) == ["a.jpg", "doc", "sub"]


def test_each_picture_comes_once(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert names(Sources(["a.jpg", "./a.jpg", "*.jpg", "a.jpg"]), folder) == ["a.jpg"]


def test_patterns(folder):
    assert names(Sources([f"{folder}/**/*.mp4"]), folder) == ["sub/clip.mp4"]


def test_lists_and_standard_input(folder, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text(f"{folder}/a.jpg\n\n{folder}/missing.jpg\r\n{folder}/sub\n")
    expected = ["a.jpg", "missing.jpg", "sub/clip.mp4", "sub/no ending"]
    assert names(Sources([], lists=[listed]), folder) == expected
    sources = Sources(["-"], stdin=io.BytesIO(listed.read_bytes()))
    assert names(sources, folder) == expected and sources.count() is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["missing.jpg"], "does not exist"),
        (["missing/*.jpg"], "No file fits"),
        (["https://example.org/a.jpg"], "nothing is fetched"),
        ([], "No pictures are given"),
        (["-", "-"], "once only"),
    ],
)
def test_mistakes_are_one_sentence(given, words):
    with pytest.raises(SourceError, match=words) as raised:
        Sources(given)
    assert str(raised.value).endswith(".") and "\n" not in str(raised.value)


def archive(path: Path, contents: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in contents.items():
                file.writestr(name, data)
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as file:
            for name, data in contents.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                file.addfile(entry, io.BytesIO(data))
    return path


CONTENTS = {"a.jpg": jpeg(10), "sub/b.jpg": jpeg(200), "read me.txt": b"x", ".c.jpg": b"x", "clip.mp4": VIDEO}


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_archives(name, tmp_path):
    path = archive(tmp_path / name, CONTENTS)
    sources = Sources([path])
    items = list(sources)
    assert [item.name.removeprefix(f"{path}/") for item in items] == ["a.jpg", "sub/b.jpg", "clip.mp4"]
    assert [item.read() for item in items] == [CONTENTS["a.jpg"], CONTENTS["sub/b.jpg"], VIDEO]
    assert sources.left_out == 2
    for item in items:  # as another process gets it
        again = Item.from_dict(item.to_dict(), item.data)
        assert again.read() == item.read()
    assert all((item.data is None) == (not name.endswith("gz")) for item in items)


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_a_member_that_unpacks_to_too_much_is_refused_unread(name, tmp_path, monkeypatch):
    for module in ("items", "archives"):
        monkeypatch.setattr(f"fer_demo.batch.{module}.MEMBER_BYTES", 20_000)
    path = archive(tmp_path / name, {"bomb.bmp": b"\0" * 1_000_000, "a.jpg": jpeg()})
    bomb, good = Sources([path])
    assert "more than" in bomb.problem and good.read() == jpeg()
    with pytest.raises(ImageError, match="more than"):
        bomb.source()


def test_a_member_that_lies_about_its_length(tmp_path, monkeypatch):
    path = archive(tmp_path / "x.zip", {"bomb.bmp": b"\0" * 100_000})
    (item,) = Sources([path])
    lying = Item(item.name, item.path, type(item.span)(item.span.start, item.span.stored, 10, "deflated", 0))
    monkeypatch.setattr("fer_demo.batch.items.MEMBER_BYTES", 5_000)
    assert len(lying.read()) == 5_001  # no more is ever unpacked


def test_a_tar_header_that_claims_gigabytes(tmp_path, monkeypatch):
    monkeypatch.setattr("fer_demo.batch.archives.MEMBER_BYTES", 100_000)
    entry = tarfile.TarInfo("pax")
    entry.type, entry.size = tarfile.XHDTYPE, 5_000_000_000
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(entry.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 1024))
    (item,) = Sources([path])
    assert "is damaged" in item.problem


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_a_damaged_archive_is_one_bad_file(name, tmp_path):
    path = archive(tmp_path / name, CONTENTS)
    path.write_bytes(path.read_bytes()[:300])
    found = list(Sources([path]))
    assert found and found[-1].name == str(path) and "make the archive anew" in found[-1].problem


def test_a_member_whose_bytes_changed(tmp_path):
    path = archive(tmp_path / "x.zip", {"a.jpg": jpeg()})
    (item,) = Sources([path])
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ImageError, match="cannot be taken out of its archive"):
        item.source()


def test_a_locked_member(tmp_path):
    path = archive(tmp_path / "x.zip", {"a.jpg": jpeg()})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    (item,) = Sources([path])
    assert "password" in item.problem
