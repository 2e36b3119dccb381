// The picture arithmetic of fer_demo/vision/align.py, rounded where OpenCV rounds, so that both see the same faces. A picture
// is {data, width, height}, RGBA as in ImageData, or grey with `grey: true`. Coordinates count from the outer corner of the top
// left pixel. A matrix is [a, b, c, d, e, f]: x' = a x + b y + c, y' = d x + e y + f.

import { blank, draw, invert, part, reduce } from "./resample.js";

export { draw, invert, reduce };

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

export const apply = (m, [x, y]) => [m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]];

/** The part of a picture that a warp reads, with a margin in pixels of the result, and the warp from there. */
function neededPart(picture, [a, b, c, d, e, f], size, margin) {
  const [low, high, { width: w, height: h }] = [-margin, size + margin, picture];
  const back = invert([a, b, c, d, e, f]);
  const reached = [[low, low], [high, low], [low, high], [high, high]].map((corner) => apply(back, corner));
  const limit = (value, most) => Math.min(Math.max(value, 0), most);
  const [left, top] = [w, h].map((side, k) => limit(Math.floor(Math.min(...reached.map((p) => p[k]))) - 2, side - 1));
  const [right, bottom] = [w, h].map((side, k) => limit(Math.ceil(Math.max(...reached.map((p) => p[k]))) + 2, side));
  const [width, height] = [Math.max(1, right - left), Math.max(1, bottom - top)];
  const matrix = [a, b, c + a * left + b * top, d, e, f + d * left + e * top];
  return [part(picture, left, top, width, height), matrix];
}

/**
 * A turned and resized part of a picture as a square, without aliasing; what lies outside repeats the border. A strong
 * reduction is drawn at `fineness` times its size and averaged down; 1 is enough to find a face.
 */
export function warp(picture, matrix, size, { fineness, maxFrame }, grey = false) {
  const back = invert(matrix);
  const reduction = Math.hypot(back[0], back[3]);
  const factor = Math.max(1, Math.floor(reduction / fineness + 1e-6));
  const margin = factor > 1 ? (2 * factor) / reduction : 0;
  [picture, matrix] = neededPart(picture, matrix, size, margin);
  // First grey, then turned: the other order gives other grey levels, since each colour is rounded and clipped alone.
  if (grey) picture = gray(picture);
  if (factor > 1) [picture, matrix] = averaged(picture, matrix, factor, Math.min(factor, maxFrame));
  const multiple = fineness <= 1 ? 1 : Math.max(1, Math.ceil(reduction / factor - 1e-6));
  const side = size * multiple;
  const full = draw(picture, matrix.map((value) => value * multiple), side, side, { cubic: grey });
  return multiple === 1 ? full : reduce(full, size, size);
}

/** A picture reduced by a whole factor, its border repeated around it, and the warp from there. */
function averaged(picture, [a, b, c, d, e, f], factor, frame) {
  const [columns, rows] = [picture.width, picture.height].map((side) => Math.ceil((side + 2 * frame) / factor));
  const framed = part(picture, -frame, -frame, columns * factor, rows * factor);
  const matrix = [a * factor, b * factor, c - (a + b) * frame, d * factor, e * factor, f - (d + e) * frame];
  return [reduce(framed, columns, rows), matrix];
}

/** A face's crop as the network sees it: grey levels, Uint8Array (size * size); `detection` is what model.json has there. */
export function crop(picture, matrix, size, detection) {
  return Uint8Array.from(warp(picture, matrix, size, detection, true).data);
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
