// The measures of a face's crop, and what they are called: fer_demo/vision/quality.py.

import { apply, invert, reduce, similarity } from "./geometry.js";

const SIDE = 48;

/**
 * What a crop is worth. `pixels` are its grey levels, `matrix` leads from the picture to it, `landmarks` and `frame` (the
 * picture; null for one that is a face as a whole) may be missing. Limits stand in `model.quality`.
 */
export function cropQuality(pixels, size, matrix, landmarks, frame, model) {
  const gray = size === SIDE ? pixels : resized(pixels, size);
  const light = gray.reduce((a, b) => a + b) / gray.length;
  const contrast = Math.sqrt(gray.reduce((sum, value) => sum + (value - light) ** 2, 0) / gray.length);
  const measures = {
    inside: frame ? inside(matrix, size, frame) : 1,
    face_size: size / Math.hypot(matrix[0], matrix[3]),
    sharpness: Math.min(sharpness(gray, 1), sharpness(gray, SIDE)),
    noise: noise(gray) / Math.max(contrast, 0.1),
    light,
    contrast,
    ...(landmarks ? pose(landmarks, model.detection.template) : { yaw: 0, landmark_error: 0 }),
  };
  const { below, above, words, blank } = model.quality;
  const over = (key, limit) => limit !== null && measures[key] > limit; // JSON has no infinity
  let found = [["blank", true]];
  if (contrast >= blank) {
    found = Object.entries(below).map(([name, [key, flag, fatal]]) => [name, measures[key] < fatal, measures[key] < flag]);
    for (const [name, [key, flag, fatal]] of Object.entries(above)) {
      found.push([name, over(key, fatal), over(key, flag)]);
    }
    found = found.filter(([, , is]) => is);
  }
  const order = Object.keys(words);
  found.sort(([a, fatal], [b, other]) => other - fatal || order.indexOf(a) - order.indexOf(b));
  return { ...measures, flags: found.map(([name]) => name), readable: !found.some(([, fatal]) => fatal) };
}

function resized(pixels, size) {
  const data = Uint8ClampedArray.from({ length: 4 * size * size }, (_, i) => pixels[i >> 2]);
  const small = reduce({ data, width: size, height: size }, SIDE, SIDE).data;
  return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => small[4 * i]);
}

/** How much of the differences between neighbours goes when the crop is blurred along columns (1) or rows (SIDE). */
function sharpness(gray, step) {
  const other = step === 1 ? SIDE : 1;
  const at = (line, i) => gray[line * other + (i < 0 ? -i - 1 : i >= SIDE ? 2 * SIDE - 1 - i : i) * step];
  let [kept, total] = [0, 0];
  for (let line = 0; line < SIDE; line++) {
    for (let i = 0; i + 1 < SIDE; i++) {
      const before = Math.abs(at(line, i + 1) - at(line, i));
      const after = Math.abs(at(line, i + 5) - at(line, i - 4)) / 9; // two boxes of nine, of which eight are shared
      kept += Math.max(0, before - after);
      total += before;
    }
  }
  return total > 0 ? kept / total : 0;
}

function noise(gray) {
  let sum = 0;
  for (let y = 1; y + 1 < SIDE; y++) {
    for (let x = 1; x + 1 < SIDE; x++) {
      const row = (at) => gray[at - 1] - 2 * gray[at] + gray[at + 1];
      const at = y * SIDE + x;
      sum += Math.abs(row(at - SIDE) - 2 * row(at) + row(at + SIDE));
    }
  }
  return (Math.sqrt(Math.PI / 2) / 6) * (sum / (SIDE - 2) ** 2);
}

/** The share of a crop that lies inside the picture: its square cut by the four sides, one after the other. */
function inside(matrix, size, { width, height }) {
  const back = invert(matrix);
  let shape = [[0, 0], [size, 0], [size, size], [0, size]].map((corner) => apply(back, corner));
  const whole = area(shape);
  for (const [axis, sign, limit] of [[0, 1, 0], [0, -1, -width], [1, 1, 0], [1, -1, -height]]) {
    const depth = (p) => sign * p[axis] - limit;
    shape = shape.flatMap((p, i) => {
      const q = shape[(i + 1) % shape.length];
      const share = depth(p) / (depth(p) - depth(q));
      const crossing = depth(p) >= 0 !== depth(q) >= 0 ? [[0, 1].map((k) => p[k] + share * (q[k] - p[k]))] : [];
      return depth(p) >= 0 ? [p, ...crossing] : crossing;
    });
  }
  return area(shape) / whole;
}

const area = (shape) =>
  Math.abs(shape.reduce((sum, [x, y], i) => {
    const [u, v] = shape[(i + 1) % shape.length];
    return sum + x * v - y * u;
  }, 0)) / 2;

function pose(landmarks, template) {
  const level = similarity(landmarks, template);
  const [right, left, nose, ...mouth] = landmarks.map((p) => apply(level, p));
  const middle = ([a, b], [c, d]) => [(a + c) / 2, (b + d) / 2];
  const [eyes, lips] = [middle(right, left), middle(...mouth)];
  const down = [lips[0] - eyes[0], lips[1] - eyes[1]];
  const length = Math.max(down[0] ** 2 + down[1] ** 2, 1e-9);
  const along = ((nose[0] - eyes[0]) * down[0] + (nose[1] - eyes[1]) * down[1]) / length;
  const offset = nose[0] - eyes[0] - Math.min(1, Math.max(0, along)) * down[0];
  const yaw = (Math.atan(offset / Math.max(left[0] - right[0], 1e-3) / 0.45) * 180) / Math.PI;
  const squares = [right, left, nose, ...mouth].map((p, i) => (p[0] - template[i][0]) ** 2 + (p[1] - template[i][1]) ** 2);
  const error = Math.sqrt(squares.reduce((a, b) => a + b) / squares.length) / (template[1][0] - template[0][0]);
  return { yaw: Math.abs(yaw), landmark_error: error };
}
