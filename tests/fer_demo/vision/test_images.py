"""Opening pictures: whatever the file is like, an upright RGB array or one sentence comes out."""

import base64
import io
import os
import stat
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fer_demo.vision.images import MAX_PIXELS, MAX_SIDE, ImageError, find_images, open_image

# Four corners of different colours: any turn, mirroring or swap of channels shows.
RED, GREEN, BLUE, YELLOW = (220, 20, 30), (20, 180, 40), (30, 40, 200), (230, 210, 10)


@pytest.fixture
def corners() -> np.ndarray:
    """uint8 RGB (32, 48, 3): red and green above, blue and yellow below."""
    above = np.concatenate([np.full((16, 24, 3), RED), np.full((16, 24, 3), GREEN)], axis=1)
    below = np.concatenate([np.full((16, 24, 3), BLUE), np.full((16, 24, 3), YELLOW)], axis=1)
    return np.concatenate([above, below]).astype(np.uint8)


def encoded(image: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def is_near(a: np.ndarray, b: np.ndarray, tolerance: int) -> bool:
    return a.shape == b.shape and np.abs(a.astype(int) - b).max() <= tolerance


def one_sentence(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text and "Traceback" not in text and len(text) < 300
    return text


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size but holds hardly any pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


class TestSources:
    def test_every_kind_gives_the_same_pixels(self, corners, tmp_path):
        image = Image.fromarray(corners)
        path = tmp_path / "a.png"
        image.save(path)
        data = path.read_bytes()
        rgba = np.dstack([corners, np.full(corners.shape[:2], 255, np.uint8)])
        with path.open("rb") as file:
            sources = [path, str(path), data, bytearray(data), memoryview(data), file, io.BytesIO(data), image, corners]
            sources += [rgba, corners / 255, (corners / 255).astype(np.float32), corners.astype(np.uint16) * 257]
            for source in sources:
                result = open_image(source)
                assert result.dtype == np.uint8 and result.flags.c_contiguous
                np.testing.assert_array_equal(result, corners)

    def test_gray_arrays(self):
        gray = np.arange(256, dtype=np.uint8).reshape(8, 32)
        expected = np.repeat(gray[:, :, None], 3, axis=2)
        np.testing.assert_array_equal(open_image(gray), expected)
        np.testing.assert_array_equal(open_image(gray[:, :, None]), expected)
        np.testing.assert_array_equal(open_image(gray > 99), np.where(expected > 99, 255, 0))

    @pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "GIF"])
    def test_lossless_formats(self, corners, format):
        np.testing.assert_array_equal(open_image(encoded(Image.fromarray(corners), format)), corners)

    @pytest.mark.parametrize("format", ["JPEG", "WEBP"])
    def test_lossy_formats(self, corners, format):
        result = open_image(encoded(Image.fromarray(corners), format, quality=95))
        assert is_near(result[4:12, 4:20], corners[4:12, 4:20], 6)
        assert is_near(result[20:28, 28:44], corners[20:28, 28:44], 6)

    @pytest.mark.parametrize(
        "array",
        [
            np.zeros((4, 4, 2), np.uint8),
            np.zeros(9, np.uint8),
            np.zeros((0, 5, 3), np.uint8),
            np.full((4, 4), 1.5),
            np.full((4, 4), -0.1),
            np.full((4, 4), np.nan),
            np.zeros((4, 4, 3), np.int64),
            np.zeros((MAX_SIDE + 1, 1), np.uint8),
        ],
    )
    def test_arrays_that_are_no_picture(self, array):
        with pytest.raises(ImageError) as error:
            open_image(array)
        one_sentence(error)

    def test_other_objects(self, tmp_path):
        with pytest.raises(ImageError, match="int"):
            open_image(3)
        path = tmp_path / "a.jpg"
        path.write_text("hello")
        with path.open() as file, pytest.raises(ImageError, match="binary mode"):
            open_image(file)


class TestOrderOfChannels:
    def test_arrays_from_opencv(self, corners):
        bgr = np.ascontiguousarray(corners[..., ::-1])
        for source in (bgr, bgr / 255, bgr.astype(np.uint16) * 257):
            result = open_image(source, channels="bgr")
            np.testing.assert_array_equal(result, corners)
            assert result.flags.c_contiguous
        assert (bgr == corners[..., ::-1]).all()

    def test_bgra(self, corners):
        alpha = np.full(corners.shape[:2], 255, np.uint8)
        alpha[:8] = 100
        bgra, rgba = (np.dstack([order, alpha]) for order in (corners[..., ::-1], corners))
        np.testing.assert_array_equal(open_image(bgra, channels="bgr"), open_image(rgba))

    def test_grey_has_no_order(self):
        grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
        for source in (grey, grey[:, :, None]):
            np.testing.assert_array_equal(open_image(source, channels="bgr"), open_image(grey))

    def test_files_state_their_own_order(self, corners):
        data = encoded(Image.fromarray(corners), "PNG")
        for source in ("a.png", Path("a.png"), data, io.BytesIO(data), Image.fromarray(corners)):
            with pytest.raises(ValueError, match="Only arrays can have the channels 'bgr'") as error:
                open_image(source, channels="bgr")
            one_sentence(error)
            assert not isinstance(error.value, ImageError)
        with pytest.raises(ValueError, match="must be 'rgb' or 'bgr', but are 'BGR'"):
            open_image(corners, channels="BGR")


class TestPixelFormats:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_orientation(self, corners, orientation):
        # What a camera stores when it is held so that the tag applies: the inverse of the tag's transformation.
        inverse = {
            1: lambda a: a,
            2: lambda a: a[:, ::-1],
            3: lambda a: a[::-1, ::-1],
            4: lambda a: a[::-1],
            5: lambda a: a.swapaxes(0, 1),
            6: np.rot90,
            7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
            8: lambda a: np.rot90(a, -1),
        }[orientation]
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = Image.fromarray(np.ascontiguousarray(inverse(corners)))
        np.testing.assert_array_equal(open_image(encoded(stored, "PNG", exif=exif)), corners)
        result = open_image(encoded(stored, "JPEG", exif=exif, quality=95, subsampling=0))
        assert is_near(result, corners, 40) and is_near(result[4:12, 4:20], corners[4:12, 4:20], 8)

    def test_a_broken_exif_block_is_ignored(self, corners):
        data = encoded(Image.fromarray(corners), "PNG", exif=b"Exif\0\0junkjunkjunk")
        with pytest.raises(SyntaxError):
            ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        np.testing.assert_array_equal(open_image(data), corners)

    def test_cmyk(self):
        colours = np.zeros((32, 32, 4), np.uint8)
        colours[:, :16, :2] = 255, 255  # cyan and magenta ink make blue
        colours[:, 16:, 3] = 255  # black ink
        result = open_image(encoded(Image.fromarray(colours, "CMYK"), "JPEG", quality=95))
        assert is_near(result[4:28, 4:12], np.broadcast_to([0, 0, 255], (24, 8, 3)), 10)
        assert is_near(result[4:28, 20:28], np.zeros((24, 8, 3)), 10)

    @pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
    def test_16_bit_gray_is_scaled_and_not_clipped(self, format):
        gray = np.linspace(0, 65535, 64 * 8).reshape(8, 64).astype(np.uint16)
        result = open_image(encoded(Image.fromarray(gray), format))
        assert is_near(result[:, :, 0], np.rint(gray / 257), 0) and is_near(result[:, :, 2], np.rint(gray / 257), 0)

    def test_float_tiff(self):
        gray = np.linspace(0, 1, 64).reshape(8, 8).astype(np.float32)
        assert is_near(open_image(encoded(Image.fromarray(gray), "TIFF"))[:, :, 1], np.rint(gray * 255), 0)

    def test_palette(self, corners):
        image = Image.fromarray(corners).quantize(8)
        assert image.mode == "P"
        assert is_near(open_image(encoded(image, "PNG")), corners, 2)

    def test_palette_with_a_transparent_colour(self):
        image = Image.new("P", (4, 4), 0)
        image.putpalette([10, 20, 30, 200, 100, 50])
        image.putpixel((1, 2), 1)
        result = open_image(encoded(image, "PNG", transparency=0))
        assert result[2, 1].tolist() == [200, 100, 50] and result[0, 0].tolist() == [255, 255, 255]

    def test_alpha_is_laid_on_white(self, corners):
        alpha = np.zeros(corners.shape[:2], np.uint8)
        alpha[:, 24:] = 255
        alpha[:16, :24] = 128
        rgba = np.dstack([corners, alpha])
        for source in (rgba, encoded(Image.fromarray(rgba), "PNG"), encoded(Image.fromarray(rgba), "TIFF")):
            result = open_image(source)
            np.testing.assert_array_equal(result[:, 24:], corners[:, 24:])
            assert (result[16:, :24] == 255).all()
            assert is_near(result[:16, :24], np.broadcast_to((np.array(RED) + 255) / 2, (16, 24, 3)), 2)

    def test_gray_with_alpha(self):
        la = np.zeros((6, 6, 2), np.uint8)
        la[:, 3:] = 90, 255
        result = open_image(encoded(Image.fromarray(la, "LA"), "PNG"))
        assert (result[:, :3] == 255).all() and (result[:, 3:] == 90).all()

    def test_one_bit(self):
        bits = np.indices((16, 16)).sum(axis=0) % 2 == 0
        result = open_image(encoded(Image.fromarray(bits), "PNG"))
        np.testing.assert_array_equal(result[:, :, 0], np.where(bits, 255, 0))

    @pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
    def test_first_frame_of_an_animation(self, format):
        frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN, BLUE)]
        options = {"lossless": True} if format == "WEBP" else {}
        data = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=50, **options)
        assert Image.open(io.BytesIO(data)).n_frames == 3
        assert is_near(open_image(data), np.broadcast_to(RED, (16, 16, 3)), 2)

    def test_a_pil_image_stays_as_it_was(self, corners):
        exif = Image.Exif()
        exif[0x0112] = 6
        image = Image.open(io.BytesIO(encoded(Image.fromarray(corners), "PNG", exif=exif)))
        assert open_image(image).shape == (48, 32, 3)
        assert image.size == (48, 32) and image.getexif()[0x0112] == 6
        assert open_image(image).shape == (48, 32, 3)


class TestBadFiles:
    @pytest.mark.parametrize(("width", "height"), [(11_000, 10_000), (40_000, 30_000), (2**31 - 1, 2**31 - 1)])
    @pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
    def test_huge_pictures_are_refused_before_decoding(self, width, height, tmp_path, monkeypatch):
        def load(self):
            raise AssertionError("was decoded")

        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
        path = tmp_path / "bomb.png"
        path.write_bytes(png_header(width, height))
        for source in (path, path.read_bytes()):
            with pytest.raises(ImageError, match="megapixels") as error:
                open_image(source)
            assert f"{MAX_PIXELS // 10**6}" in one_sentence(error)

    def test_the_same_file_with_a_lawful_size_is_called_damaged(self):
        # So it was the size that the test above was refused for.
        with pytest.raises(ImageError, match="damaged"):
            open_image(png_header(100, 100))

    def test_a_side_that_is_too_long(self):
        with pytest.raises(ImageError, match="65535"):
            open_image(png_header(MAX_SIDE + 1, 10))

    def test_a_text_file_with_a_pictures_name(self, tmp_path):
        path = tmp_path / "notes.jpg"
        path.write_text("This is no picture.\n" * 50)
        with pytest.raises(ImageError, match=r"notes\.jpg is not a picture in a known format") as error:
            open_image(path)
        one_sentence(error)

    def test_an_empty_file(self, tmp_path):
        path = tmp_path / "empty.png"
        path.touch()
        for source in (path, b""):
            with pytest.raises(ImageError, match="empty") as error:
                open_image(source)
            one_sentence(error)

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
    def test_cut_off(self, format):
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        data = encoded(Image.fromarray(noise), format)
        assert open_image(data).shape == (64, 64, 3)
        for fraction in (0.02, 0.3, 0.6):
            with pytest.raises(ImageError) as error:
                open_image(data[: int(len(data) * fraction)])
            one_sentence(error)

    def test_a_stream_that_cannot_go_back(self):
        class Pipe(io.RawIOBase):
            def readable(self):
                return True

            def seekable(self):
                return False

            def readinto(self, buffer):
                return 0

        with pytest.raises(ImageError):
            open_image(Pipe())

    def test_paths_that_lead_nowhere(self, tmp_path):
        with pytest.raises(ImageError, match="does not exist"):
            open_image(tmp_path / "none.jpg")
        with pytest.raises(ImageError, match="is a folder"):
            open_image(tmp_path)
        for name in ("a\0b.jpg", "x" * 5000 + ".jpg"):
            with pytest.raises(ImageError, match="cannot be opened"):
                open_image(name)

    def test_long_names_are_cut_and_stay_one_line(self, tmp_path):
        folder = tmp_path / ("x" * 200)
        folder.mkdir()
        with pytest.raises(ImageError, match=r"the end\.jpg does not exist") as error:
            open_image(folder / "the end.jpg")
        assert "…" in one_sentence(error)
        (tmp_path / "a\nb.jpg").write_text("no picture")
        with pytest.raises(ImageError, match=r"a\\nb\.jpg is not a picture") as error:
            open_image(tmp_path / "a\nb.jpg")
        one_sentence(error)

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        path = tmp_path / "pipe.jpg"
        os.mkfifo(path)
        assert stat.S_ISFIFO(path.stat().st_mode)
        with pytest.raises(ImageError, match="is not a regular file") as error:
            open_image(path)
        one_sentence(error)

    def test_other_kinds_of_paths(self, corners, tmp_path):
        Image.fromarray(corners).save(tmp_path / "a.png")
        with os.scandir(os.fsencode(tmp_path)) as entries:
            (entry,) = entries  # its path is bytes
            np.testing.assert_array_equal(open_image(entry), corners)
        with pytest.raises(ImageError, match="The empty path does not exist"):
            open_image("")

    def test_other_file_types_are_not_tried(self):
        eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
        assert Image.open(io.BytesIO(eps)).format == "EPS"
        with pytest.raises(ImageError, match="known format"):
            open_image(eps)


class TestWhatIsNotFetched:
    @pytest.mark.parametrize("text", ["https://example.com/a.jpg?x=1", "HTTP://x/y", "s3://bucket/a", "file:///a.jpg"])
    def test_addresses(self, text):
        for source in (text, Path(text)):
            with pytest.raises(
                ImageError, match=r"is an address, from which nothing is fetched; .*its path or its bytes"
            ):
                open_image(source)
        with pytest.raises(ImageError) as error:
            open_image(text + "x" * 90_000)
        one_sentence(error)

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF"])
    @pytest.mark.parametrize("size", [1, 200])
    def test_encoded_pictures(self, format, size):
        noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
        text = base64.b64encode(encoded(Image.fromarray(noise), format)).decode()
        for source, words in (
            (text, "base64 text"),
            (base64.encodebytes(base64.b64decode(text)).decode(), "base64 text"),  # in lines
            (text.encode(), "base64 text"),
            (f"data:image/{format.lower()};base64,{text}", "data URI"),
            (f"data:image/{format.lower()};base64,{text}".encode(), "data URI"),
        ):
            with pytest.raises(ImageError, match=words) as error:
                open_image(source)
            assert "give a path, or the bytes" in one_sentence(error) and text[20:40] not in str(error.value)

    def test_files_of_such_names_are_opened_and_missed(self, corners, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("https:").mkdir()
        for name in ("https:/a.png", "data:,", "R0lGODlh.png"):
            Image.fromarray(corners).save(name, "PNG")
            np.testing.assert_array_equal(open_image(name), corners)
        for name in ("C:/a.png", "R0lGODlhb.png", "data.png", "a/b/c"):
            with pytest.raises(ImageError, match="does not exist"):
                open_image(name)

    def test_text_formats_are_pictures(self, corners):
        plain = "P2\n20 20\n9\n" + " ".join("3" * 400) + "\n"
        assert (open_image(plain.encode()) == round(255 * 3 / 9)).all()


def test_find_images(tmp_path):
    names = ["b.JPG", "a.png", "sub/c.webp", "sub/notes.txt", ".hidden.jpg", ".thumbnails/d.jpg", "._b.JPG"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "folder.png").mkdir()
    inside = [tmp_path / name for name in ("a.png", "b.JPG", "sub/c.webp")]
    assert find_images([tmp_path]) == inside
    text, missing = tmp_path / "sub/notes.txt", tmp_path / "none.jpg"
    assert find_images([inside[2], str(tmp_path), text, missing, text]) == [inside[2], *inside[:2], text, missing]
    assert find_images([tmp_path / "folder.png"]) == []
    assert find_images(["x" * 90_000]) == [Path("x" * 90_000)]  # whose opening tells what is wrong
