"""Files that people drop and that are no pictures."""

import gzip
import io
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from fer_demo.__main__ import main
from fer_demo.vision.images import ImageError, open_image, open_reduced, reading_cost
from fer_demo.vision.kinds import tells_of_a_video, what_it_is


def packed(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x" * 50)
    return file.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return file.getvalue()


def boxes(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + bytes(400)


FILES = {
    "clip.mp4": (boxes(b"isom"), r"a video \(MP4\)"),
    "clip.mov": (boxes(b"qt  "), r"a video \(QuickTime\)"),
    "old.mov": (b"\0\0\0\x08wide\0\0\1\0mdat" + bytes(99), r"a video \(QuickTime\)"),
    "clip.3gp": (boxes(b"3gp4"), r"a video \(3GP\)"),
    "clip.webm": (b"\x1a\x45\xdf\xa3" + bytes(20) + b"webm", r"a video \(Matroska or WebM\)"),
    "clip.avi": (b"RIFF\x24\0\0\0AVI LIST" + bytes(99), r"a video \(AVI\)"),
    "clip.mpg": (b"\0\0\1\xba" + bytes(99), r"a video \(MPEG\)"),
    "song.m4a": (boxes(b"M4A "), "a sound file"),
    "song.wav": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(99), "a sound file"),
    "paper.pdf": (b"%PDF-1.7\n" + bytes(99), r"a document \(PDF\)"),
    "letter.docx": (packed("[Content_Types].xml", "word/document.xml"), r"a document \(Word\)"),
    "old.doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "a document"),
    "photos.zip": (packed("a.jpg", "b.jpg"), r"an archive \(ZIP\).*unpack it"),
    "photos.tar": (tar(), r"an archive \(tar\)"),
    "photos.tar.gz": (gzip.compress(tar()), r"an archive \(gzip\)"),
    "page.html": (b"\n<!DOCTYPE html>\n<html><body><svg></svg></body></html>", "a web page"),
    "logo.svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', r"a drawing \(SVG\)"),
    "a.cr2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(99), r"a camera's raw file \(Canon CR2\)"),
    "a.cr3": (boxes(b"crx "), r"a camera's raw file \(Canon CR3\)"),
    "a.raf": (b"FUJIFILMCCD-RAW 0201" + bytes(99), "a camera's raw file"),
    "a.psd": (b"8BPS\0\1" + bytes(99), "Photoshop"),
    "a.jxl": (b"\xff\x0a" + bytes(99), "JPEG XL"),
    "a.npy": (b"\x93NUMPY\1\0" + bytes(99), "numpy.load"),
}


@pytest.mark.parametrize("name", FILES)
def test_one_sentence_says_what_it_is(name, tmp_path):
    data, words = FILES[name]
    path = tmp_path / name
    path.write_bytes(data)
    for read in (open_image, open_reduced, reading_cost):
        for source in (path, data, io.BytesIO(data)):
            with pytest.raises(ImageError, match=f" is .*{words}") as error:
                read(source)
            text = str(error.value)
            assert text.endswith(".") and "; " in text and "\n" not in text and "damaged" not in text


@pytest.mark.parametrize("tags", [{50706: b"\1\4\0\0"}, {254: 1, 330: 8}])
def test_raw_files_that_are_tiff(tags):
    """Of which the first directory has nothing but a thumbnail."""
    file = io.BytesIO()
    Image.new("RGB", (160, 120)).save(file, "TIFF", tiffinfo=tags)
    with pytest.raises(ImageError, match="a camera's raw file, which is not developed"):
        open_image(file.getvalue())


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF"])
def test_pictures_are_none_of_them(format):
    file = io.BytesIO()
    Image.fromarray(np.full((20, 30, 3), 77, np.uint8)).save(file, format)
    assert open_image(file.getvalue()).shape == (20, 30, 3)


def test_a_sentence_about_a_video_is_known():
    assert tells_of_a_video(f"a.mp4 is {what_it_is(boxes(b'mp42'))}")
    assert not tells_of_a_video(f"a.pdf is {what_it_is(b'%PDF-1.7')}")


def test_the_command_line(tmp_path, capsys):
    path = tmp_path / "clip.mp4"
    path.write_bytes(boxes(b"mp42"))
    assert main(["predict", str(path)]) == 1
    assert capsys.readouterr().err == (
        f"{path} is a video (MP4), not a picture; read it with `fer-demo video` or on the app's page Video, or save a "
        "frame of it as JPEG or PNG.\n"
    )
