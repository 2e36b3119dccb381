// The picture arithmetic of fer_demo/vision/align.py, rounded where OpenCV rounds, so that both see the same faces. A picture
// is {data, width, height}, RGBA as in ImageData, or grey with `grey: true`. Coordinates count from the outer corner of the top
// left pixel. A matrix is [a, b, c, d, e, f]: x' = a x + b y + c, y' = d x + e y + f.

const MAX_MULTIPLE = 8;
const f32 = Math.fround; // sums are rounded to single precision, as OpenCV's

/** The rotation, scaling and shift that takes points nearest to others (Umeyama without reflection). */
export function similarity(source, target) {
  const mean = (points) => points.reduce(([x, y], p) => [x + p[0] / points.length, y + p[1] / points.length], [0, 0]);
  const [p, q] = [mean(source), mean(target)];
  let [real, imaginary, spread] = [0, 0, 0];
  source.forEach(([x, y], i) => {
    const [u, v, s, t] = [x - p[0], y - p[1], target[i][0] - q[0], target[i][1] - q[1]];
    real += u * s + v * t;
    imaginary += u * t - v * s;
    spread += u * u + v * v;
  });
  const [a, b] = [real / spread, imaginary / spread];
  return [a, -b, q[0] - a * p[0] + b * p[1], b, a, q[1] - b * p[0] - a * p[1]];
}

/** The nearest whole number, of two the even one, as Python and OpenCV round; others moves a copy's size by a pixel. */
export function round(value) {
  const up = Math.round(value);
  return up - value === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

const strideOf = (picture) => (picture.grey ? 1 : 4);
const channelsOf = (picture) => (picture.grey ? 1 : 3);

function blank(width, height, grey) {
  return { data: new Uint8ClampedArray((grey ? 1 : 4) * width * height).fill(255), width, height, grey };
}

export const apply = (m, [x, y]) => [m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]];

export function invert([a, b, c, d, e, f]) {
  const det = a * e - b * d;
  return [e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det];
}

/** A smaller copy: each pixel is the mean of the area that it covers, as OpenCV's INTER_AREA. */
export function reduce(picture, width, height) {
  const { data, width: w, height: h, grey } = picture;
  const [stride, channels] = [strideOf(picture), channelsOf(picture)];
  const whole = w % width === 0 && h % height === 0; // then OpenCV adds whole numbers, and divides once
  const cover = (i, scale, limit) => {
    const [from, to] = [i * scale, Math.min((i + 1) * scale, limit)];
    const first = Math.floor(from + 1e-9);
    const count = Math.max(1, Math.ceil(to - 1e-9) - first);
    const share = (n) => {
      const part = Math.min(first + n + 1, to) - Math.max(first + n, from);
      if (whole) return 1;
      return part > 1e-3 ? part / (to - from) : 0; // OpenCV leaves out what is covered by less
    };
    return [first, Float32Array.from({ length: count }, (_, n) => share(n))];
  };
  const columns = Array.from({ length: width }, (_, i) => cover(i, w / width, w));
  const narrow = new Float32Array(channels * width * h);
  for (let y = 0, o = 0; y < h; y++) {
    for (const [first, shares] of columns) {
      for (let k = 0; k < channels; k++) {
        let sum = 0;
        for (let n = 0, i = stride * (y * w + first) + k; n < shares.length; n++, i += stride) {
          sum = f32(sum + f32(shares[n] * data[i]));
        }
        narrow[o++] = sum;
      }
    }
  }
  const area = whole ? (w / width) * (h / height) : 1;
  const half = area === 4 && w === 2 * width ? 1e-3 : 0; // OpenCV rounds up where it halves, elsewhere to even
  const out = blank(width, height, grey);
  for (let y = 0; y < height; y++) {
    const [first, shares] = cover(y, h / height, h);
    for (let x = 0; x < width; x++) {
      for (let k = 0; k < channels; k++) {
        let sum = 0;
        for (let n = 0, i = channels * (first * width + x) + k; n < shares.length; n++, i += channels * width) {
          sum = f32(sum + f32(shares[n] * narrow[i]));
        }
        out.data[stride * (y * width + x) + k] = f32(sum * f32(1 / area)) + half; // a clamped array rounds
      }
    }
  }
  return out;
}

/** The part of a picture that a warp reads, and the warp from there. */
function neededPart({ data, width: w, height: h }, [a, b, c, d, e, f], width, height) {
  const back = invert([a, b, c, d, e, f]);
  const reached = [[0, 0], [width, 0], [0, height], [width, height]].map((corner) => apply(back, corner));
  const limit = (value, most) => Math.min(Math.max(value, 0), most);
  const [left, top] = [w, h].map((side, k) => limit(Math.floor(Math.min(...reached.map((p) => p[k]))) - 2, side - 1));
  const [right, bottom] = [w, h].map((side, k) => Math.ceil(Math.max(...reached.map((p) => p[k]))) + 2);
  const [partWidth, partHeight] = [limit(right, w) - left, limit(bottom, h) - top].map((side) => Math.max(1, side));
  const part = new Uint8ClampedArray(4 * partWidth * partHeight);
  for (let y = 0; y < partHeight; y++) {
    const start = 4 * ((top + y) * w + left);
    part.set(data.subarray(start, start + 4 * partWidth), 4 * y * partWidth);
  }
  const matrix = [a, b, c + a * left + b * top, d, e, f + d * left + e * top];
  return [{ data: part, width: partWidth, height: partHeight }, matrix];
}

/** A turned and resized part of a picture as a square, without aliasing; what lies outside repeats the border. */
export function warp(picture, matrix, size) {
  return drawn(...neededPart(picture, matrix, size, size), size);
}

function drawn(picture, matrix, size, cubic = false) {
  const back = invert(matrix);
  const reduction = Math.hypot(back[0], back[3]);
  if (reduction > MAX_MULTIPLE) {
    // In two steps, since drawing at so large a multiple would take long.
    const [a, b, c, d, e, f] = matrix;
    const sides = [picture.width, picture.height].map((side) => Math.max(1, round((side * MAX_MULTIPLE) / reduction)));
    const [u, v] = [picture.width / sides[0], picture.height / sides[1]];
    picture = reduce(picture, ...sides);
    matrix = [a * u, b * v, c, d * u, e * v, f];
  }
  const multiple = Math.max(1, Math.min(MAX_MULTIPLE, Math.ceil(reduction - 1e-6)));
  const side = size * multiple;
  const full = draw(picture, matrix.map((value) => value * multiple), side, side, { cubic });
  return multiple === 1 ? full : reduce(full, size, size);
}

/** The weights of four neighbouring pixels for a place that is a fraction `t` behind the second, as OpenCV has them. */
function cubicWeights(t, out) {
  const a = -0.75;
  out[0] = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
  out[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
  out[2] = ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1;
  out[3] = 1 - out[0] - out[1] - out[2];
}

/**
 * A turned or resized copy as OpenCV's warpAffine draws it: bilinear or, for `cubic`, bicubic as INTER_CUBIC. `outside` is the
 * grey level around the picture, or null to repeat the border.
 */
export function draw(picture, matrix, width, height, { outside = null, cubic = false } = {}) {
  const back = invert(matrix);
  // In single precision, and from the centre of the top left pixel, as OpenCV counts: YuNet takes notice of a grey level.
  const [a, b, c] = [back[0], back[1], back[2] + (back[0] + back[1]) / 2 - 0.5].map(f32);
  const [d, e, f] = [back[3], back[4], back[5] + (back[3] + back[4]) / 2 - 0.5].map(f32);
  const out = blank(width, height, picture.grey);
  const fill = cubic ? cubicRow : linearRow;
  for (let row = 0; row < height; row++) {
    fill(picture, out, row, a, f32(f32(b * row) + c), d, f32(f32(e * row) + f), outside);
  }
  return out;
}

// The rows are written out in plain loops: nine tenths of what a face takes in JavaScript is spent here.
/** One row, bilinear: column i shows the place (a i + startX, d i + startY). */
function linearRow({ data, width: w, height: h, grey }, out, row, a, startX, d, startY, outside) {
  const [stride, channels, around] = [grey ? 1 : 4, grey ? 1 : 3, outside !== null];
  const [line, end, target] = [stride * w, out.width, out.data];
  for (let column = 0, o = stride * row * end; column < end; column++, o += stride) {
    const x = f32(a * column + startX);
    const y = f32(d * column + startY);
    const left = Math.floor(x);
    const top = Math.floor(y);
    const [across, down] = [x - left, y - top];
    const inside = left >= 0 && top >= 0 && left + 1 < w && top + 1 < h;
    if (!inside && around) {
      const at = (u, v, k) => (u < 0 || v < 0 || u >= w || v >= h ? outside : data[v * line + u * stride + k]);
      for (let k = 0; k < channels; k++) {
        const upper = mix(at(left, top, k), at(left + 1, top, k), across);
        target[o + k] = mix(upper, mix(at(left, top + 1, k), at(left + 1, top + 1, k), across), down);
      }
      continue;
    }
    let [u, u1, v, v1] = [left, left + 1, top, top + 1];
    if (!inside) [u, u1, v, v1] = [clamp(u, w), clamp(u1, w), clamp(v, h), clamp(v1, h)];
    const [upperLeft, upperRight] = [v * line + u * stride, v * line + u1 * stride];
    const [lowerLeft, lowerRight] = [v1 * line + u * stride, v1 * line + u1 * stride];
    for (let k = 0; k < channels; k++) {
      const upper = mix(data[upperLeft + k], data[upperRight + k], across);
      const lower = mix(data[lowerLeft + k], data[lowerRight + k], across);
      target[o + k] = mix(upper, lower, down); // a clamped array rounds
    }
  }
}

const clamp = (i, limit) => (i < 0 ? 0 : i >= limit ? limit - 1 : i);
const mix = (first, second, share) => f32(share * f32(second - first) + first);

const weightsAcross = new Float64Array(4);
const weightsDown = new Float64Array(4);
const places = new Int32Array(4);

/** One row, bicubic, the border repeated. */
function cubicRow({ data, width: w, height: h, grey }, out, row, a, startX, d, startY) {
  const [stride, channels] = [grey ? 1 : 4, grey ? 1 : 3];
  const [line, end, target] = [stride * w, out.width, out.data];
  for (let column = 0, o = stride * row * end; column < end; column++, o += stride) {
    const x = f32(a * column + startX);
    const y = f32(d * column + startY);
    const left = Math.floor(x);
    const top = Math.floor(y);
    cubicWeights(x - left, weightsAcross);
    cubicWeights(y - top, weightsDown);
    for (let n = 0; n < 4; n++) places[n] = stride * clamp(left - 1 + n, w);
    for (let k = 0; k < channels; k++) {
      let sum = 0;
      for (let m = 0; m < 4; m++) {
        const start = line * clamp(top - 1 + m, h) + k;
        for (let n = 0; n < 4; n++) sum += weightsDown[m] * weightsAcross[n] * data[start + places[n]];
      }
      target[o + k] = sum;
    }
  }
}

/** A face's crop as the network sees it: grey levels, Uint8Array (size * size). */
export function crop(picture, matrix, size) {
  // First grey, then turned: the other order gives other grey levels, since each colour is rounded and clipped alone.
  const [part, inner] = neededPart(picture, matrix, size, size);
  return Uint8Array.from(drawn(gray(part), inner, size, true).data);
}

/** A picture's grey levels, by the whole-number weights of OpenCV's cvtColor. */
export function gray({ data, width, height }) {
  const out = blank(width, height, true);
  for (let i = 0, o = 0; o < out.data.length; i += 4, o++) {
    out.data[o] = (9798 * data[i] + 19235 * data[i + 1] + 3735 * data[i + 2] + 16384) >> 15;
  }
  return out;
}

/** From the picture to the crop around a box {x, y, width, height}: the square of the same centre. */
export function squareMatrix({ x, y, width, height }, size) {
  const side = Math.max(width, height);
  const scale = size / side;
  return [scale, 0, -scale * (x + (width - side) / 2), 0, scale, -scale * (y + (height - side) / 2)];
}
