// Pixels between places, as OpenCV's resize and warpAffine draw them: areas that are averaged, and rows between four or sixteen
// neighbours. Pictures and matrices are those of geometry.js.

const f32 = Math.fround; // sums are rounded to single precision, as OpenCV's

const strideOf = (picture) => (picture.grey ? 1 : 4);
const channelsOf = (picture) => (picture.grey ? 1 : 3);

export function blank(width, height, grey) {
  return { data: new Uint8ClampedArray((grey ? 1 : 4) * width * height).fill(255), width, height, grey };
}

export function invert([a, b, c, d, e, f]) {
  const det = a * e - b * d;
  return [e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det];
}

/** The nearest whole number, of two the even one, as Python and OpenCV round; others moves a copy's size by a pixel. */
export function round(value) {
  const up = Math.round(value);
  return up - value === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

/** A part of a picture; what lies outside repeats the border. */
export function part(picture, left, top, width, height) {
  const { data, width: w, height: h, grey } = picture;
  if (left === 0 && top === 0 && width === w && height === h) return picture;
  const [out, stride] = [blank(width, height, grey), strideOf(picture)];
  const whole = grey ? out.data : new Uint32Array(out.data.buffer); // a pixel each
  const [first, last] = [Math.max(0, -left), Math.min(width, w - left)]; // columns that the picture has
  for (let y = 0; y < height; y++) {
    const [source, target] = [clamp(top + y, h) * w + left, y * width];
    out.data.set(data.subarray(stride * (source + first), stride * (source + last)), stride * (target + first));
    if (first > 0) whole.fill(whole[target + first], target, target + first);
    if (last < width) whole.fill(whole[target + last - 1], target + last, target + width);
  }
  return out;
}

/** A copy of another size between two neighbours each way, in the whole numbers of OpenCV's INTER_LINEAR. */
export function linear(picture, width, height) {
  const { data, width: w, height: h } = picture;
  const cover = (count, limit) => Array.from({ length: count }, (_, i) => {
    const place = f32((i + 0.5) * (1 / (count / limit)) - 0.5);
    const first = Math.floor(place);
    const t = first < 0 || first >= limit - 1 ? 0 : f32(place - first);
    return [clamp(first, limit), clamp(first + 1, limit), round(f32(1 - t) * 2048), round(t * 2048)];
  });
  const [columns, rows] = [cover(width, w), cover(height, h)];
  const out = blank(width, height);
  rows.forEach(([top, below, upper, lower], y) => {
    columns.forEach(([left, right, before, behind], x) => {
      const [a, b, c, d] = [top * w + left, top * w + right, below * w + left, below * w + right].map((i) => 4 * i);
      const o = 4 * (y * width + x);
      for (let k = 0; k < 3; k++) {
        const first = (before * data[a + k] + behind * data[b + k]) >> 4;
        const second = (before * data[c + k] + behind * data[d + k]) >> 4;
        out.data[o + k] = (((upper * first) >> 16) + ((lower * second) >> 16) + 2) >> 2;
      }
    });
  });
  return out;
}

/** A smaller copy: each pixel is the mean of the area that it covers, as OpenCV's INTER_AREA. */
export function reduce(picture, width, height) {
  const { data, width: w, height: h, grey } = picture;
  const [stride, channels] = [strideOf(picture), channelsOf(picture)];
  if (w % width === 0 && h % height === 0) return averaged(picture, width, height);
  const cover = (i, scale, limit) => {
    const [from, to] = [i * scale, Math.min((i + 1) * scale, limit)];
    const first = Math.floor(from + 1e-9);
    const count = Math.max(1, Math.ceil(to - 1e-9) - first);
    const share = (n) => {
      const part = Math.min(first + n + 1, to) - Math.max(first + n, from);
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
  const out = blank(width, height, grey);
  for (let y = 0; y < height; y++) {
    const [first, shares] = cover(y, h / height, h);
    for (let x = 0; x < width; x++) {
      for (let k = 0; k < channels; k++) {
        let sum = 0;
        for (let n = 0, i = channels * (first * width + x) + k; n < shares.length; n++, i += channels * width) {
          sum = f32(sum + f32(shares[n] * narrow[i]));
        }
        out.data[stride * (y * width + x) + k] = sum; // a clamped array rounds
      }
    }
  }
  return out;
}

/** `reduce` by whole numbers: OpenCV adds whole numbers then, and divides once. */
function averaged({ data, width: w, height: h, grey }, width, height) {
  const [stride, channels, across, down] = [grey ? 1 : 4, grey ? 1 : 3, w / width, h / height];
  const share = f32(1 / (across * down));
  const half = across === 2 && down === 2 ? 1e-3 : 0; // OpenCV rounds up where it halves, elsewhere to even
  const out = blank(width, height, grey);
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0; x < width; x++, o += stride) {
      const start = stride * (y * down * w + x * across);
      for (let k = 0; k < channels; k++) {
        let sum = 0;
        for (let v = 0, line = start + k; v < down; v++, line += stride * w) {
          for (let u = 0, i = line; u < across; u++, i += stride) sum += data[i];
        }
        out.data[o + k] = f32(sum * share) + half; // a clamped array rounds
      }
    }
  }
  return out;
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
