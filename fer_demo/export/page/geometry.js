// The picture arithmetic of fer_demo/vision/align.py. A picture is {data, width, height}, RGBA as in ImageData. Coordinates
// count from the outer corner of the top left pixel. A matrix is [a, b, c, d, e, f]: x' = a x + b y + c, y' = d x + e y + f.

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

export const apply = (m, [x, y]) => [m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]];

export function invert([a, b, c, d, e, f]) {
  const det = a * e - b * d;
  return [e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det];
}

/** A smaller copy: each pixel is the mean of the area that it covers, as OpenCV's INTER_AREA. */
export function reduce({ data, width: w, height: h }, width, height) {
  const cover = (i, scale, limit) => {
    const [from, to] = [i * scale, Math.min((i + 1) * scale, limit)];
    const first = Math.floor(from);
    const count = Math.max(1, Math.ceil(to - 1e-9) - first);
    const share = (n) => (Math.min(first + n + 1, to) - Math.max(first + n, from)) / (to - from);
    return [first, Float32Array.from({ length: count }, (_, n) => share(n))];
  };
  const columns = Array.from({ length: width }, (_, i) => cover(i, w / width, w));
  const narrow = new Float32Array(3 * width * h);
  for (let y = 0, o = 0; y < h; y++) {
    for (const [first, shares] of columns) {
      for (let n = 0, i = 4 * (y * w + first); n < shares.length; n++, i += 4) {
        for (let k = 0; k < 3; k++) narrow[o + k] += shares[n] * data[i + k];
      }
      o += 3;
    }
  }
  const out = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let y = 0; y < height; y++) {
    const [first, shares] = cover(y, h / height, h);
    for (let x = 0; x < width; x++) {
      for (let k = 0; k < 3; k++) {
        let sum = 0;
        for (let n = 0; n < shares.length; n++) sum += shares[n] * narrow[3 * ((first + n) * width + x) + k];
        out[4 * (y * width + x) + k] = sum; // a clamped array rounds
      }
    }
  }
  return { data: out, width, height };
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

/**
 * A copy of other size, turned, or a part: without aliasing; `outside` is a grey level, or null to repeat the border.
 * Interpolation is bilinear or, for `cubic`, bicubic as OpenCV's INTER_CUBIC, which takes no `outside`.
 */
export function warp(picture, matrix, width, height, outside = null, cubic = false) {
  const back = invert(matrix);
  const reduction = Math.hypot(back[0], back[3]);
  if (reduction > MAX_MULTIPLE * 1.001) {
    // In two steps, since drawing at so large a multiple would take long.
    const [part, [a, b, c, d, e, f]] = neededPart(picture, matrix, width, height);
    const sides = [part.width, part.height].map((side) => Math.max(1, Math.round((side * MAX_MULTIPLE) / reduction)));
    const [u, v] = [part.width / sides[0], part.height / sides[1]];
    const inner = [a * u, b * v, c, d * u, e * v, f];
    return draw(reduce(part, ...sides), inner, width, height, outside, cubic);
  }
  return draw(picture, matrix, width, height, outside, cubic);
}

/** The weights of four neighbouring pixels for a place that is a fraction `t` behind the second, as OpenCV has them. */
function cubicWeights(t) {
  const a = -0.75;
  const inner = (x) => ((a + 2) * x - (a + 3)) * x * x + 1;
  const outer = (x) => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return [outer(t + 1), inner(t), inner(1 - t), outer(2 - t)];
}

function draw({ data, width: w, height: h }, matrix, width, height, outside, cubic) {
  const back = invert(matrix);
  const reduction = Math.hypot(back[0], back[3]);
  const multiple = Math.max(1, Math.min(MAX_MULTIPLE, Math.ceil(reduction - 1e-6)));
  const out = new Uint8ClampedArray(4 * width * height).fill(255);
  const clamp = (value, limit) => (value < 0 ? 0 : value > limit ? limit : value);
  const sum = [0, 0, 0];
  for (let row = 0, o = 0; row < height; row++) {
    for (let column = 0; column < width; column++, o += 4) {
      sum.fill(0);
      for (let i = 0; i < multiple; i++) {
        for (let j = 0; j < multiple; j++) {
          const u = column + (j + 0.5) / multiple;
          const v = row + (i + 0.5) / multiple;
          const x = back[0] * u + back[1] * v + back[2];
          const y = back[3] * u + back[4] * v + back[5];
          if (outside !== null && (x < 0 || y < 0 || x > w || y > h)) {
            for (let k = 0; k < 3; k++) sum[k] += outside;
            continue;
          }
          const left = Math.floor(x - 0.5);
          const top = Math.floor(y - 0.5);
          const fx = x - 0.5 - left;
          const fy = y - 0.5 - top;
          if (cubic) {
            const [across, down] = [cubicWeights(fx), cubicWeights(fy)];
            const value = [0, 0, 0];
            for (let m = 0; m < 4; m++) {
              const line = 4 * w * clamp(top - 1 + m, h - 1);
              for (let n = 0; n < 4; n++) {
                const from = line + 4 * clamp(left - 1 + n, w - 1);
                for (let k = 0; k < 3; k++) value[k] += down[m] * across[n] * data[from + k];
              }
            }
            for (let k = 0; k < 3; k++) sum[k] += clamp(value[k], 255); // OpenCV draws whole grey levels
            continue;
          }
          const x0 = 4 * clamp(left, w - 1);
          const x1 = 4 * clamp(left + 1, w - 1);
          const y0 = 4 * w * clamp(top, h - 1);
          const y1 = 4 * w * clamp(top + 1, h - 1);
          for (let k = 0; k < 3; k++) {
            const upper = data[y0 + x0 + k] * (1 - fx) + data[y0 + x1 + k] * fx;
            const lower = data[y1 + x0 + k] * (1 - fx) + data[y1 + x1 + k] * fx;
            sum[k] += upper * (1 - fy) + lower * fy;
          }
        }
      }
      for (let k = 0; k < 3; k++) out[o + k] = sum[k] / (multiple * multiple); // a clamped array rounds
    }
  }
  return { data: out, width, height };
}

/** A face's crop as the network sees it: grey levels, Uint8Array (size * size). */
export function crop(picture, matrix, size) {
  const [part, inner] = neededPart(picture, matrix, size, size);
  const { data } = warp(part, inner, size, size, null, true);
  return Uint8Array.from({ length: size * size }, (_, i) =>
    Math.round(0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]),
  );
}

/** From the picture to the crop around a box {x, y, width, height}: the square of the same centre. */
export function squareMatrix({ x, y, width, height }, size) {
  const side = Math.max(width, height);
  const scale = size / side;
  return [scale, 0, -scale * (x + (width - side) / 2), 0, scale, -scale * (y + (height - side) / 2)];
}
