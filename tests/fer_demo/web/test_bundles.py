"""What is taken out of archives, and what is refused."""

import io
import zipfile

import pytest

from fer_demo.vision.images import ImageError
from fer_demo.web.bundles import Bundle
from fer_demo.web.limits import Limits
from fer_demo.web.uploads import Upload


def archive(files: dict[str, bytes], **options) -> Upload:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", **options) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return Upload("all.zip", data.getvalue())


def test_files_and_archives_in_their_order():
    inside = {"b/one.JPG": b"1", "list.txt": b"x", "__MACOSX/._one.jpg": b"x", ".hidden.png": b"x", "c/two.heic": b"2"}
    bundle = Bundle([Upload("first.png", b"0"), archive(inside), Upload("last.pdf", b"3")], Limits())
    taken = list(bundle)
    assert [one.name for one in taken] == ["first.png", "one.JPG", "two.heic", "last.pdf"]
    assert [one.data for one in taken] == [b"0", b"1", b"2", b"3"]
    assert (bundle.count, bundle.left_out) == (4, 1)


def test_what_unpacks_to_too_much_is_left_in():
    zeros = bytes(3 * 2**20)
    bundle = Bundle([archive({"a.png": zeros, "b.png": b"1"}, compression=zipfile.ZIP_DEFLATED)], Limits(upload_mb=2))
    large, small = bundle
    assert isinstance(large, ImageError) and "a.png is too large: a picture may have 2 MB" in str(large)
    assert small.data == b"1"


@pytest.mark.parametrize(
    ("upload", "said"),
    [
        (Upload("a.zip", b"PK\x03\x04 nonsense"), "a.zip is damaged or no ZIP archive"),
        (archive({"list.txt": b"x"}), "all.zip holds no pictures"),
        (archive({f"{n}.png": b"x" for n in range(4)}), "4 pictures were sent, more than the 3"),
    ],
)
def test_an_archive_of_no_use_is_one_sentence(upload, said):
    with pytest.raises(ImageError, match=said):
        Bundle([upload], Limits(album=3))
