"""Loops over the maps of a dense block that PyTorch has no fast CPU kernels for, compiled by Numba.

All maps are channels-last float32; `n` selects the picture, so that a picture's maps stay in the caches from one loop
to the next. "Scale" and "shift" are those of a batch normalisation: ``z * scale + shift``.
"""

import numpy as np
from numba import njit

# Sums may be reordered and products fused, but numbers that are none stay none: the trainer stops at them.
_fast = njit(fastmath={"reassoc", "contract", "arcp", "nsz"}, nogil=True, cache=True, error_model="numpy")


@_fast
def add_moments(z, n, centre, total, square):
    """Adds one picture's sum and sum of squares of ``z - centre``, whose difference keeps its digits.

    Args:
        z: (N, P, C).
        n: Picture.
        centre: (C,), some value among those of z.
        total: float64 (C,), added to.
        square: float64 (C,), added to.
    """
    pixels, chs = z.shape[1:]
    s, q = np.zeros(chs, np.float32), np.zeros(chs, np.float32)
    for p in range(pixels):
        for c in range(chs):
            v = z[n, p, c] - centre[c]
            s[c] += v
            q[c] += v * v
    for c in range(chs):
        total[c] += s[c]
        square[c] += q[c]


@_fast
def normalize_pad(z, n, side, scale, shift, padded):
    """Batch normalisation and ReLU into a map with a border of zeros.

    Args:
        z: (N, H * W, C).
        n: Picture.
        side: W.
        scale: (C,).
        shift: (C,).
        padded: (H + 2, W + 2, C), written inside the border.
    """
    pixels, chs = z.shape[1:]
    for h in range(pixels // side):
        for w in range(side):
            for c in range(chs):
                padded[h + 1, w + 1, c] = max(z[n, h * side + w, c] * scale[c] + shift[c], np.float32(0))


@_fast
def depthwise(padded, kernel, out):
    """3x3 depthwise convolution, two pixels at a time; with the kernel's rows reversed it is its own gradient.

    Args:
        padded: (H + 2, W + 2, C), W even.
        kernel: (9, C), row by row.
        out: (H * W, C), written.
    """
    rows, columns, chs = padded.shape
    for h in range(rows - 2):
        for w in range(0, columns - 2, 2):
            p = h * (columns - 2) + w
            for c in range(chs):
                left, middle, right = kernel[0, c], kernel[1, c], kernel[2, c]
                a, b, d, e = padded[h, w, c], padded[h, w + 1, c], padded[h, w + 2, c], padded[h, w + 3, c]
                first = left * a + middle * b + right * d
                second = left * b + middle * d + right * e
                left, middle, right = kernel[3, c], kernel[4, c], kernel[5, c]
                a, b = padded[h + 1, w, c], padded[h + 1, w + 1, c]
                d, e = padded[h + 1, w + 2, c], padded[h + 1, w + 3, c]
                first += left * a + middle * b + right * d
                second += left * b + middle * d + right * e
                left, middle, right = kernel[6, c], kernel[7, c], kernel[8, c]
                a, b = padded[h + 2, w, c], padded[h + 2, w + 1, c]
                d, e = padded[h + 2, w + 2, c], padded[h + 2, w + 3, c]
                first += left * a + middle * b + right * d
                second += left * b + middle * d + right * e
                out[p, c], out[p + 1, c] = first, second


@_fast
def depthwise_weight_grad(padded, grad, grad_kernel):
    """Gradient of `depthwise` by its kernel, four pixels at a time.

    Args:
        padded: (H + 2, W + 2, C), W a multiple of 4.
        grad: (H + 2, W + 2, C), gradient of the convolution's output inside a border.
        grad_kernel: (9, C), added to.
    """
    rows, columns, chs = padded.shape
    for h in range(rows - 2):
        for w in range(0, columns - 2, 4):
            for i in range(3):
                for c in range(chs):
                    g0, g1 = grad[h + 1, w + 1, c], grad[h + 1, w + 2, c]
                    g2, g3 = grad[h + 1, w + 3, c], grad[h + 1, w + 4, c]
                    x0, x1, x2 = padded[h + i, w, c], padded[h + i, w + 1, c], padded[h + i, w + 2, c]
                    x3, x4, x5 = padded[h + i, w + 3, c], padded[h + i, w + 4, c], padded[h + i, w + 5, c]
                    grad_kernel[3 * i, c] += g0 * x0 + g1 * x1 + g2 * x2 + g3 * x3
                    grad_kernel[3 * i + 1, c] += g0 * x1 + g1 * x2 + g2 * x3 + g3 * x4
                    grad_kernel[3 * i + 2, c] += g0 * x2 + g1 * x3 + g2 * x4 + g3 * x5


@_fast
def relu_backward(padded, z, n, mean, grad, total, product):
    """Gradient of the ReLU in `normalize_pad`, in place, and its sums for `norm_backward`.

    Args:
        padded: (H + 2, W + 2, C), from `normalize_pad`.
        z: (N, H * W, C), before normalisation.
        n: Picture.
        mean: (C,), of the batch normalisation.
        grad: (N, H * W, C), set to 0 where the ReLU did.
        total: float64 (C,), added to: sum of that gradient.
        product: float64 (C,), added to: sum of that gradient times ``z - mean``.
    """
    rows, columns, chs = padded.shape
    s, q = np.zeros(chs, np.float32), np.zeros(chs, np.float32)
    for h in range(rows - 2):
        for w in range(columns - 2):
            p = h * (columns - 2) + w
            for c in range(chs):
                g = grad[n, p, c] if padded[h + 1, w + 1, c] > 0 else np.float32(0)
                grad[n, p, c] = g
                s[c] += g
                q[c] += g * (z[n, p, c] - mean[c])
    for c in range(chs):
        total[c] += s[c]
        product[c] += q[c]


@_fast
def norm_backward(grad, z, n, mean, factor, grad_mean, slope):
    """The rest of a batch normalisation's gradient, in place: ``factor * (grad - grad_mean - (z - mean) * slope)``."""
    pixels, chs = z.shape[1:]
    for p in range(pixels):
        for c in range(chs):
            grad[n, p, c] = factor[c] * (grad[n, p, c] - grad_mean[c] - (z[n, p, c] - mean[c]) * slope[c])


@_fast
def norm_backward_pad(grad, z, n, side, mean, factor, grad_mean, slope, padded):
    """As `norm_backward`, and the result again inside a border of zeros."""
    pixels, chs = z.shape[1:]
    for h in range(pixels // side):
        for w in range(side):
            p = h * side + w
            for c in range(chs):
                g = factor[c] * (grad[n, p, c] - grad_mean[c] - (z[n, p, c] - mean[c]) * slope[c])
                grad[n, p, c] = g
                padded[h + 1, w + 1, c] = g


@_fast
def append(z, scale, shift, maps, first, means):
    """Batch normalisation and ReLU of all pictures into some channels of wider maps, and their means.

    Args:
        z: (N, P, C).
        scale: (C,).
        shift: (C,).
        maps: (N, P, D), D at least ``first + C``; written.
        first: The first of the channels.
        means: (N, C), written.
    """
    pictures, pixels, chs = z.shape
    for n in range(pictures):
        s = np.zeros(chs, np.float32)
        for p in range(pixels):
            for c in range(chs):
                v = max(z[n, p, c] * scale[c] + shift[c], np.float32(0))
                maps[n, p, first + c] = v
                s[c] += v
        for c in range(chs):
            means[n, c] = s[c] / pixels


@_fast
def append_backward(grad_maps, first, grad_means, maps, z, mean, grad_z, total, product):
    """Gradient of `append`, up to the batch normalisation; `total` and `product` as in `relu_backward`."""
    pictures, pixels, chs = z.shape
    share = np.float32(1 / pixels)
    for n in range(pictures):
        s, q = np.zeros(chs, np.float32), np.zeros(chs, np.float32)
        for p in range(pixels):
            for c in range(chs):
                g = grad_maps[n, p, first + c] + grad_means[n, c] * share
                g = g if maps[n, p, first + c] > 0 else np.float32(0)
                grad_z[n, p, c] = g
                s[c] += g
                q[c] += g * (z[n, p, c] - mean[c])
        for c in range(chs):
            total[c] += s[c]
            product[c] += q[c]


@_fast
def halve(maps, side, out):
    """2x2 average pooling: (N, H * W, C) to (N, H / 2 * W / 2, C), W being `side`."""
    pictures, pixels, chs = out.shape
    half = side // 2
    for n in range(pictures):
        for p in range(pixels):
            first = 2 * (p // half) * side + 2 * (p % half)
            for c in range(chs):
                out[n, p, c] = np.float32(0.25) * (
                    maps[n, first, c] + maps[n, first + 1, c] + maps[n, first + side, c] + maps[n, first + side + 1, c]
                )


@_fast
def halve_backward(grad, side, out):
    """Gradient of `halve`, written to `out`."""
    pictures, pixels, chs = grad.shape
    half = side // 2
    for n in range(pictures):
        for p in range(pixels):
            first = 2 * (p // half) * side + 2 * (p % half)
            for c in range(chs):
                g = np.float32(0.25) * grad[n, p, c]
                out[n, first, c] = g
                out[n, first + 1, c] = g
                out[n, first + side, c] = g
                out[n, first + side + 1, c] = g
