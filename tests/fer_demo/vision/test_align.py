"""Cutting faces out."""

import math

import cv2
import numpy as np
import pytest

from fer_demo.vision.align import (
    CROP_INTERPOLATION,
    TEMPLATE,
    align_face,
    crop_matrix,
    similarity,
    square_crop,
    warp,
    whole_picture,
)

# The astronaut's landmarks, marked by hand.
ASTRONAUT = np.array([[206, 103], [243, 102], [224, 126], [207, 142], [242, 141]])


class TestAlignment:
    def test_template_is_symmetric(self):
        mirrored = TEMPLATE[[1, 0, 2, 4, 3]] * (-1, 1) + (1, 0)
        np.testing.assert_allclose(mirrored, TEMPLATE, atol=1e-9)

    def test_similarity_finds_the_transform_and_ignores_scatter(self):
        a, shift = 1.7 * np.exp(0.6j), np.array([5.0, -3.0])
        turn = np.array([[a.real, -a.imag], [a.imag, a.real]])
        source = np.random.default_rng(1).normal(size=(5, 2))
        m = similarity(source, source @ turn.T + shift)
        np.testing.assert_allclose(m, np.column_stack([turn, shift]), atol=1e-12)
        # Least squares: any small change of the answer fits worse.
        target = source @ turn.T + shift + np.random.default_rng(2).normal(size=(5, 2))
        best = similarity(source, target)

        def error(matrix):
            return np.sum((source @ matrix[:, :2].T + matrix[:, 2] - target) ** 2)

        for change in ([[1, 0, 0], [0, 1, 0]], [[0, -1, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, 0]], [[0, 0, 0], [0, 0, 1]]):
            for sign in (1, -1):
                assert error(best + sign * 0.01 * np.array(change)) > error(best)

    @pytest.mark.parametrize("angle", [0, 35, -35, 90])
    @pytest.mark.parametrize("margin", [0.0, 0.25])
    def test_landmarks_land_on_the_template(self, angle, margin):
        # Dots at the landmarks of a turned face; where they come to lie in the crop is measured from the pixels.
        m = cv2.getRotationMatrix2D((300, 300), angle, 1.0)
        landmarks = np.floor((TEMPLATE * 300 + 150) @ m[:, :2].T + m[:, 2]) + 0.5
        seen = []
        for point in landmarks:
            image = np.zeros((600, 600), np.uint8)
            cv2.circle(image, tuple(int(v) for v in point), 12, 255, -1)
            crop = align_face(image, landmarks, 96, margin).astype(float)
            ys, xs = np.indices(crop.shape) + 0.5
            seen.append([(xs * crop).sum() / crop.sum(), (ys * crop).sum() / crop.sum()])
        assert np.abs(seen - (TEMPLATE + margin) / (1 + 2 * margin) * 96).max() < 0.3

    def test_scale_does_not_matter(self, astronaut):
        small = align_face(astronaut, ASTRONAUT).astype(int)
        large = cv2.resize(astronaut, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
        assert np.abs(align_face(large, ASTRONAUT * 4) - small).mean() < 1.5

    def test_crops_stay_sharp(self):
        """A crop that lies between the pixels keeps fine detail: bilinear interpolation would leave half of it."""
        wave = np.sin(np.arange(96) * 2 * np.pi / 3.2) * 100 + 128
        picture = np.repeat(wave.round().astype(np.uint8)[None], 96, axis=0)
        left = square_crop(picture, (24.5, 24, 48, 48)).astype(float)
        linear = warp(picture, crop_matrix((24.5, 24, 48, 48), None), 48).astype(float)
        assert left.std() > 1.25 * linear.std() and left.std() > 0.6 * picture.std()

    @pytest.mark.parametrize("place", [(30.3, 21.6), (0, 0), (-0.4, 47.8)])
    def test_all_pixels_that_are_interpolated_from_are_there(self, place):
        """Only a part of the picture is read; the crop is the one that the whole picture gives."""
        grey = np.random.default_rng(3).integers(0, 256, (90, 100), np.uint8)
        box = (*place, 41.0, 41.0)
        m = crop_matrix(box, None)
        m[:, 2] += 0.5 * m[:, :2].sum(axis=1) - 0.5
        whole = cv2.warpAffine(grey, m, (48, 48), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        assert np.abs(square_crop(grey, box).astype(int) - whole).max() <= 2  # OpenCV rounds places to 1/32 pixel

    def test_wrong_landmarks(self, astronaut):
        for bad in (np.zeros((5, 2)), np.full((5, 2), np.nan), ASTRONAUT[:4]):
            with pytest.raises(ValueError, match="Landmarks"):
                align_face(astronaut, bad)

    def test_no_aliasing(self):
        # One-pixel stripes are grey from afar; without a low-pass they turn into coarse stripes.
        stripes = np.zeros((960, 960), np.uint8)
        stripes[:, ::2] = 255
        for factor in (3.1, 7.3, 15.7):
            crop = warp(stripes, np.array([[1 / factor, 0, 0], [0, 1 / factor, 0]]), 48).astype(int)
            assert np.abs(crop - 128).max() < 45 and crop.std() < 20

    def test_strong_reductions_agree_with_plain_averaging(self, astronaut):
        gray = cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)
        for side in (16, 64, 128):  # 32, 8 and 4 to 1, in two steps that round
            expected = cv2.resize(gray, (side, side), interpolation=cv2.INTER_AREA).astype(int)
            assert np.abs(whole_picture(astronaut, side) - expected).max() <= 1


class TestSquareCrop:
    def test_a_box_is_taken_exactly(self, astronaut):
        gray = cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)
        np.testing.assert_array_equal(square_crop(astronaut, (100, 60, 48, 48)), gray[60:108, 100:148])
        np.testing.assert_array_equal(square_crop(gray, (100, 60, 48, 20)), gray[46:94, 100:148])
        halved = gray[60:156, 100:196].reshape(48, 2, 48, 2).mean(axis=(1, 3))
        assert np.abs(square_crop(gray, (100, 60, 96, 96)) - halved).max() <= 1

    def test_over_the_border_it_is_repeated(self, astronaut):
        gray = cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)
        crop = square_crop(gray, (-8, -8, 48, 48))
        np.testing.assert_array_equal(crop, np.pad(gray[:40, :40], ((8, 0), (8, 0)), mode="edge"))

    def test_whole_picture(self, astronaut):
        face = np.ascontiguousarray(astronaut[80:128, 200:248])
        np.testing.assert_array_equal(whole_picture(face[:, :, 0]), face[:, :, 0])
        np.testing.assert_array_equal(whole_picture(face), cv2.cvtColor(face, cv2.COLOR_RGB2GRAY))
        assert (whole_picture(np.full((1, 30_000, 3), 77, np.uint8)) == 77).all()

    @pytest.mark.parametrize(
        "box",
        [
            (0, 0, 0, 10),
            (0, 0, 10, -1),
            (0, 0, math.nan, 5),
            (math.inf, 0, 5, 5),
            (512, 0, 9, 9),
            (-9, 0, 9, 9),
            (0, 0, 1e9, 1e9),
            (1, 2, 3),
        ],
    )
    def test_bad_boxes(self, astronaut, box):
        with pytest.raises(ValueError, match="box"):
            square_crop(astronaut, box)


class TestGrey:
    """Only the part that a crop is drawn from is turned grey; the crop is that of the photo turned grey as a whole."""

    @pytest.mark.parametrize("size", [(480, 640), (37, 53), (1, 1), (1, 300), (400, 3), (90, 33_000), (1200, 1600)])
    @pytest.mark.parametrize("side", [1.5, 20, 48, 130.3, 700, 2500])
    def test_the_same_pixels_as_of_a_grey_photo(self, size, side):
        side = min(side, 90.0 * max(size))  # square_crop refuses a hundred times the picture
        rng = np.random.default_rng([*size, int(side)])
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        for place in rng.random((6, 2)).round(1) * size[::-1]:  # on the border too
            x, y = np.minimum(place, np.array(size[::-1]) - 0.25) - side / 2
            box = (x, y, side, side * rng.uniform(0.5, 1))
            expected = warp(grey, crop_matrix(box, None), 48, CROP_INTERPOLATION)
            np.testing.assert_array_equal(square_crop(image, box), expected)
            turn = cv2.getRotationMatrix2D((0.5, 0.5), rng.uniform(-180, 180), 1.0)
            landmarks = (TEMPLATE @ turn[:, :2].T + turn[:, 2]) * side + (x, y) + rng.normal(0, side / 50, (5, 2))
            for pixels, margin in ((48, 0.0), (64, 0.25)):
                target = (TEMPLATE + margin) / (1 + 2 * margin) * pixels
                expected = warp(grey, similarity(landmarks, target), pixels, CROP_INTERPOLATION)
                np.testing.assert_array_equal(align_face(image, landmarks, pixels, margin), expected)

    def test_a_view_of_a_photo(self, astronaut):
        """Rows that do not follow each other in memory, and columns that run backwards."""
        for view in (astronaut[20:220, 125:325], astronaut[:, ::-1], astronaut[::2, ::2], astronaut[..., ::-1]):
            whole = np.ascontiguousarray(view)
            box = (30, 20, 120, 120)
            np.testing.assert_array_equal(square_crop(view, box), square_crop(whole, box))
