"""Say what a file is that is no picture that can be read, by its first bytes."""

import re
from typing import Any

__all__ = ["HEAD_BYTES", "RAW_PHOTO", "is_raw_photo", "may_be_meant", "tells_of_a_video", "what_it_is"]

HEAD_BYTES = 4096
"""Bytes from the start of a file that `what_it_is` looks at."""

_VIDEO = (
    "a video ({}), not a picture; read it with `fer-demo video` or on the app's page Video, or save a frame of it as "
    "JPEG or PNG."
)
_AUDIO = "a sound file ({}), not a picture; choose a photo."
_ARCHIVE = "an archive ({}), which is not unpacked; unpack it and give the pictures, or their folder."
_DOCUMENT = "a document ({}), not a picture; save the picture from it, or a page as JPEG or PNG."
_RAW = "a camera's raw file{}, which is not developed; export it as JPEG or TIFF from the camera's program."
_OTHER = "a picture in the format {}, which is not read; export it as JPEG or PNG."

RAW_PHOTO = _RAW.format("")
"""What `what_it_is` would return for the files of `is_raw_photo`, which their first bytes do not give away."""

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x1a\x45\xdf\xa3", _VIDEO.format("Matroska or WebM")),
    (b"\x00\x00\x01\xba", _VIDEO.format("MPEG")),
    (b"\x00\x00\x01\xb3", _VIDEO.format("MPEG")),
    (b"FLV\x01", _VIDEO.format("Flash")),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _VIDEO.format("Windows Media")),
    (b"OggS", _AUDIO.format("Ogg")),
    (b"ID3", _AUDIO.format("MP3")),
    (b"fLaC", _AUDIO.format("FLAC")),
    (b"\x1f\x8b", _ARCHIVE.format("gzip")),
    (b"7z\xbc\xaf\x27\x1c", _ARCHIVE.format("7-Zip")),
    (b"Rar!", _ARCHIVE.format("RAR")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _DOCUMENT.format("Microsoft Office")),
    (b"{\\rtf", _DOCUMENT.format("RTF")),
    (b"FUJIFILMCCD-RAW", _RAW.format(" (Fujifilm RAF)")),
    (b"IIU\0", _RAW.format(" (Panasonic RW2)")),
    (b"IIRO", _RAW.format(" (Olympus ORF)")),
    (b"IIRS", _RAW.format(" (Olympus ORF)")),
    (b"FOVb", _RAW.format(" (Sigma X3F)")),
    (b"8BPS", _OTHER.format("of Photoshop")),
    (b"gimp xcf", _OTHER.format("of GIMP")),
    (b"\xff\x0a", _OTHER.format("JPEG XL")),
    (b"\0\0\0\x0cJXL ", _OTHER.format("JPEG XL")),
    (b"\x93NUMPY", "an array of NumPy; open it with numpy.load and give the array."),
)
# Words in the names of a ZIP archive's first members.
_PACKED = ((b"word/", "Word"), (b"ppt/", "PowerPoint"), (b"xl/", "Excel"), (b"application/vnd.oasis", "OpenDocument"))
# Of the formats that are read; two bytes, as BMP and plain PPM have, would be too few.
_PICTURE_STARTS = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    b"\0\0\0\x0cjP  ",
)
_STILL_BRANDS = {b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"}
_SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)?<(?:!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL)


def what_it_is(head: bytes) -> str | None:
    """What a file is that no picture decoder knows, and what to do about it.

    Args:
        head: Its first bytes, `HEAD_BYTES` of them or fewer.

    Returns:
        The end of a sentence that begins with the file's name and "is"; None for what is not known here.
    """
    for start, words in _STARTS:
        if head.startswith(start):
            return words
    if head[4:8] == b"ftyp":
        return _of_boxes(head[8:12])
    if head[4:8] in (b"moov", b"mdat", b"wide"):
        return _VIDEO.format("QuickTime")
    if head.startswith(b"RIFF"):
        return {b"AVI ": _VIDEO.format("AVI"), b"WAVE": _AUDIO.format("WAV")}.get(head[8:12])
    if head.startswith((b"II*\0", b"MM\0*")) and head[8:10] == b"CR":
        return _RAW.format(" (Canon CR2)")
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        office = next((words for name, words in _PACKED if name in head), None)
        return _DOCUMENT.format(office) if office else _ARCHIVE.format("ZIP")
    if b"%PDF-" in head[:1024]:
        return _DOCUMENT.format("PDF")
    if head[257:262] == b"ustar":
        return _ARCHIVE.format("tar")
    text = head.removeprefix(b"\xef\xbb\xbf")
    if text.lstrip().startswith((b"<?xml", b"<!DOCTYPE svg", b"<svg", b"<!--")) and _SVG.search(text):
        return "a drawing (SVG), not a photo; export it as PNG."
    if _HTML.match(text):
        return "a web page (HTML), not a picture; save the picture itself, in the browser by “Save image as”."
    return None


def may_be_meant(head: bytes) -> bool:
    """Whether a file may be meant for a picture: it is one, or a video, a document, an archive or a drawing.

    Args:
        head: Its first bytes, `HEAD_BYTES` of them or fewer.

    Returns:
        False for sounds, web pages, arrays and whatever is not known here.
    """
    words = what_it_is(head)
    if words is None:
        return head.startswith(_PICTURE_STARTS) or head[4:8] == b"ftyp" or head[8:12] == b"WEBP"
    return not words.startswith(("a sound", "a web page", "an array"))


def tells_of_a_video(sentence: str) -> bool:
    """Whether a sentence says of a file, in the words of `what_it_is`, that it is a video."""
    return " is a video (" in sentence


def is_raw_photo(tags: Any) -> bool:
    """Whether a TIFF file is a camera's raw file, of which only a thumbnail could be read.

    Args:
        tags: The tags of its first directory: number to value.
    """
    dng = 50706 in tags  # DNGVersion
    # NewSubfileType says that this is a reduced copy of another picture, which stands in SubIFDs.
    return dng or (tags.get(254) == 1 and 330 in tags)


def _of_boxes(brand: bytes) -> str | None:
    if brand in _STILL_BRANDS:
        return None
    if brand == b"crx ":
        return _RAW.format(" (Canon CR3)")
    if brand in (b"M4A ", b"M4B "):
        return _AUDIO.format("MPEG-4")
    return _VIDEO.format("QuickTime" if brand == b"qt  " else "3GP" if brand[:2] == b"3g" else "MP4")
