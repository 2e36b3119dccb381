// The picture arithmetic of fer_demo/vision/align.py, rounded where OpenCV rounds, so that both see the same faces. A picture
// is {data, width, height}, RGBA as in ImageData, or grey with `grey: true`. Coordinates count from the outer corner of the top
// left pixel. A matrix is [a, b, c, d, e, f]: x' = a x + b y + c, y' = d x + e y + f.

import { blank, draw, invert, reduce } from "./resample.js";

export { draw, invert, reduce };

const MAX_MULTIPLE = 8;

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

export const apply = (m, [x, y]) => [m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]];

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

/** A picture after quarter turns clockwise, as np.rot90 with as many below zero. */
export function quarterTurned({ data, width, height }, quarters) {
  const [w, h] = quarters % 2 ? [height, width] : [width, height];
  const [from, to] = [new Uint32Array(data.buffer, data.byteOffset, width * height), new Uint32Array(w * h)];
  for (let y = 0, o = 0; y < h; y++) {
    for (let x = 0; x < w; x++, o++) {
      if (quarters === 1) to[o] = from[(height - 1 - x) * width + y];
      else if (quarters === 2) to[o] = from[(height - 1 - y) * width + width - 1 - x];
      else to[o] = from[x * width + width - 1 - y];
    }
  }
  return { data: new Uint8ClampedArray(to.buffer), width: w, height: h };
}

/** From places in `quarterTurned` back to places in the picture: fer_demo/vision/turns.py. */
export function turnedBack(quarters, { width, height }) {
  const [right, below] = [width - 1, height - 1];
  return { 1: [0, 1, 0, -1, 0, below], 2: [-1, 0, right, 0, -1, below], 3: [0, -1, right, 1, 0, 0] }[quarters];
}
