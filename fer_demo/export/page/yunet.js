// YuNet, the face detector's network, as fer_demo/vision/yunet.py.

import { suppress } from "./found.js";

const STRIDES = [8, 16, 32];

export class YuNet {
  /** `ort` is ONNX Runtime, `session` the network; of two boxes that overlap more than `most` the better one is kept. */
  constructor(ort, session, most) {
    Object.assign(this, { ort, session, most });
  }

  /** The upright faces of pictures of one size: for each picture [{box, landmarks, score}], the best first. */
  async detect(pictures, threshold) {
    const [{ width, height }] = pictures;
    // The network halves the picture five times; what is added is black.
    const [w, h] = [width, height].map((side) => STRIDES[2] * Math.ceil(side / STRIDES[2]));
    const input = new Float32Array(3 * pictures.length * w * h);
    pictures.forEach(({ data }, n) => {
      for (let y = 0; y < height; y++) {
        let [from, to] = [4 * y * width, 3 * n * w * h + y * w];
        for (let x = 0; x < width; x++, from += 4, to++) {
          input[to] = data[from + 2]; // blue first
          input[to + w * h] = data[from + 1];
          input[to + 2 * w * h] = data[from];
        }
      }
    });
    const out = await this.session.run({ input: new this.ort.Tensor("float32", input, [pictures.length, 3, h, w]) });
    const faces = pictures.map(() => []);
    for (const stride of STRIDES) this.#read(out, stride, w / stride, Math.fround(threshold), faces);
    return faces.map((found) => suppress(found, this.most));
  }

  /** Adds the guesses of one grid of cells. */
  #read(out, stride, columns, threshold, faces) {
    const [cls, obj, box, points] = ["cls", "obj", "bbox", "kps"].map((name) => out[`${name}_${stride}`].data);
    const cells = cls.length / faces.length;
    for (let i = 0; i < cls.length; i++) {
      const clamped = [cls[i], obj[i]].map((value) => Math.min(1, Math.max(0, value)));
      const score = Math.fround(Math.sqrt(Math.fround(clamped[0] * clamped[1]))); // equal ones are equal in Python too
      if (score < threshold) continue;
      const cell = i % cells;
      const [column, row] = [cell % columns, Math.floor(cell / columns)];
      const [width, height] = [Math.exp(box[4 * i + 2]) * stride, Math.exp(box[4 * i + 3]) * stride];
      const [x, y] = [(column + box[4 * i]) * stride - width / 2, (row + box[4 * i + 1]) * stride - height / 2];
      const landmarks = Array.from({ length: 5 }, (_, n) => [
        (column + points[10 * i + 2 * n]) * stride,
        (row + points[10 * i + 2 * n + 1]) * stride,
      ]);
      faces[Math.floor(i / cells)].push({ box: { x, y, width, height }, landmarks, score });
    }
  }
}
