// Finds faces with YuNet as fer_demo/vision/detector.py does: in two copies of the picture, turned copies included, and then
// each face again, turned upright, because YuNet's landmarks do not follow a tilt. Where no face is clear, in quarter turns too.

import { apply, draw, invert, quarterTurned, reduce, round, similarity, turnedBack, warp } from "./geometry.js";

const STRIDES = [8, 16, 32];

/** Lets the browser draw and answer the visitor in between; the network computes on the page's own thread. */
function breathe() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => resolve(port1.close());
    port2.postMessage(null);
  });
}

/** One detection: centre, size across and along the face, five landmarks, score. */
class Found {
  constructor(centre, size, landmarks, score, template) {
    Object.assign(this, { centre, size, landmarks, score, template });
    const m = similarity(landmarks, template);
    this.angle = Math.atan2(-m[3], m[0]);
  }

  get box() {
    const [c, s] = [Math.cos(this.angle), Math.sin(this.angle)];
    const width = Math.hypot(this.size[0] * c, this.size[1] * s);
    const height = Math.hypot(this.size[0] * s, this.size[1] * c);
    return { x: this.centre[0] - width / 2, y: this.centre[1] - height / 2, width, height };
  }

  moved(m) {
    const scale = Math.hypot(m[0], m[3]);
    const size = this.size.map((side) => side * scale);
    return new Found(apply(m, this.centre), size, this.landmarks.map((p) => apply(m, p)), this.score, this.template);
  }
}

/** Detector of fer_demo/vision/detector.py; its methods have the same names here, so that changes can be carried over. */
export class Detector {
  /** `ort` is ONNX Runtime, `session` YuNet, `settings` the constants of detector.py. */
  constructor(ort, session, settings) {
    Object.assign(this, { ort, session, settings });
  }

  /** The faces of a picture, the largest first; without `turned` only upright heads, for video. */
  async detect(picture, turned = true) {
    const { turns } = this.settings;
    let found = await this.#find(picture, turned ? turns : turns.slice(0, 1));
    if (turned && !this.#clear(found)) {
      const quarters = await this.#findInQuarters(picture);
      if (quarters.length) found = quarters;
    }
    return found.sort((a, b) => b.box.width * b.box.height - a.box.width * a.box.height);
  }

  /** For video: the faces in a reduced copy of a picture, as they are seen first; `scale` made the copy. */
  async seen(copy, scale) {
    const found = await this.#run(copy, this.settings.scoreThreshold);
    return this.#suppress(found).map((face) => face.moved([1 / scale, 0, 0, 0, 1 / scale, 0]));
  }

  /** For video: a face that was just seen for the first time, its landmarks found again upright, as in `detect`. */
  settled(face, picture, copy, scale) {
    return this.#lookAgain(face, picture, copy, scale);
  }

  /** For video: where a face of the picture before is in this one, whose copy was made by `scale`; null if it is lost. */
  followed(face, picture, copy, scale) {
    return this.#look(face, face.angle, ...this.#source(face, picture, copy, scale));
  }

  async #find(picture, angles) {
    const copies = this.#copies(picture);
    const found = this.#suppress(await this.#glance(copies, angles));
    const again = [];
    for (const face of found) again.push(await this.#lookAgain(face, picture, ...copies[0]));
    return this.#suppress(again);
  }

  /** The faces in the copies turned by these angles, as they were found first. */
  async #glance(copies, angles) {
    const found = [];
    const area = ([{ width, height }]) => width * height;
    for (const [copy, scale] of area(copies[0]) > area(copies[1]) ? copies : copies.slice(1)) {
      for (const degrees of angles) {
        for (const face of await this.#lookTurned(copy, degrees)) {
          found.push(face.moved([1 / scale, 0, 0, 0, 1 / scale, 0]));
        }
      }
    }
    return found;
  }

  /** The faces of that quarter turn in which most are clear; none if there is no such turn. */
  async #findInQuarters(picture) {
    const { turns, promisingScore } = this.settings;
    let [best, back] = [[], null];
    for (const quarters of [1, 2, 3]) {
      const turned = quarterTurned(picture, quarters);
      const seen = await this.#glance(this.#copies(turned), turns.slice(0, 1));
      if (!seen.some(({ score }) => score >= promisingScore)) continue;
      const found = await this.#find(turned, turns);
      if (this.#clear(found) > this.#clear(best)) [best, back] = [found, turnedBack(quarters, picture)];
    }
    return best.map((face) => face.moved(back));
  }

  /** The sum of the scores of the faces that are clear. */
  #clear(found) {
    const { clearScore, clearRoll } = this.settings;
    const clear = found.filter(({ score, angle }) => score >= clearScore && Math.abs(angle) <= (clearRoll * Math.PI) / 180);
    return clear.reduce((sum, { score }) => sum + score, 0);
  }

  #copies(picture) {
    const { longestSide, closeUpSide } = this.settings;
    const longest = Math.max(picture.width, picture.height);
    return [Math.min(1, longestSide / longest), closeUpSide / longest].map((scale) => [this.#scaled(picture, scale), scale]);
  }

  #scaled(picture, scale) {
    if (scale === 1) return picture;
    const [w, h] = [picture.width, picture.height].map((side) => Math.max(1, round(side * scale)));
    if (scale < 1) return reduce(picture, w, h);
    return draw(picture, [w / picture.width, 0, 0, 0, h / picture.height, 0], w, h, { cubic: true });
  }

  async #lookTurned(picture, degrees) {
    const threshold = this.settings.scoreThreshold;
    if (degrees === 0) return this.#run(picture, threshold);
    const a = (degrees * Math.PI) / 180;
    const [c, s, w, h] = [Math.cos(a), Math.sin(a), picture.width, picture.height];
    const width = Math.ceil(w * Math.abs(c) + h * Math.abs(s));
    const height = Math.ceil(w * Math.abs(s) + h * Math.abs(c));
    const m = [c, s, width / 2 - (c * w) / 2 - (s * h) / 2, -s, c, height / 2 + (s * w) / 2 - (c * h) / 2];
    // The detector in Python counts from the centre of the top left pixel here, half a pixel from its corner.
    const centred = [c, s, m[2] + 0.5 - (c + s) / 2, -s, c, m[5] + 0.5 - (c - s) / 2];
    const faces = await this.#run(draw(picture, centred, width, height, { outside: 110 }), threshold);
    return faces.map((face) => face.moved(invert(m)));
  }

  async #lookAgain(face, picture, copy, scale) {
    const source = this.#source(face, picture, copy, scale);
    let best = null;
    for (const degrees of this.settings.lookAngles) {
      const seen = await this.#look(face, face.angle + (degrees * Math.PI) / 180, ...source);
      if (seen && !(best && best.score >= seen.score)) best = seen;
    }
    if (!best) return face;
    best = (await this.#look(best, best.angle, ...source)) ?? best;
    best.score = Math.max(best.score, face.score);
    return best;
  }

  #source(face, picture, copy, scale) {
    // Large faces have all the detail that is needed in the reduced copy, where cutting them out costs less.
    const { lookSize, lookFill } = this.settings;
    return Math.max(...face.size) * scale >= lookSize * lookFill ? [copy, scale] : [picture, 1];
  }

  async #look(face, angle, source, scale) {
    const { lookSize, lookFill, lookScore } = this.settings;
    const [extent, middle] = [lookSize * lookFill, lookSize / 2];
    const zoom = extent / Math.max(...face.size);
    const [c, s] = [zoom * Math.cos(-angle), zoom * Math.sin(-angle)];
    const [x, y] = face.centre;
    const m = [c, -s, middle - c * x + s * y, s, c, middle - s * x - c * y];
    const fromSource = [m[0] / scale, m[1] / scale, m[2], m[3] / scale, m[4] / scale, m[5]];
    const seen = await this.#run(warp(source, fromSource, lookSize), lookScore);
    const near = seen.filter(({ centre }) => Math.hypot(centre[0] - middle, centre[1] - middle) < 0.3 * extent);
    const best = near.reduce((a, b) => (a && a.score >= b.score ? a : b), null);
    return best && best.moved(invert(m));
  }

  async #run(picture, threshold) {
    await breathe();
    // YuNet halves its input five times.
    const [w, h] = [picture.width, picture.height].map((side) => 32 * Math.ceil(side / 32));
    const input = new Float32Array(3 * w * h);
    for (let y = 0; y < picture.height; y++) {
      for (let x = 0; x < picture.width; x++) {
        const [from, to] = [4 * (y * picture.width + x), y * w + x];
        for (let k = 0; k < 3; k++) input[k * w * h + to] = picture.data[from + 2 - k]; // blue first
      }
    }
    const out = await this.session.run({ input: new this.ort.Tensor("float32", input, [1, 3, h, w]) });
    const faces = [];
    for (const stride of STRIDES) {
      const [cls, obj, box, points] = ["cls", "obj", "bbox", "kps"].map((name) => out[`${name}_${stride}`].data);
      const columns = w / stride;
      for (let i = 0; i < cls.length; i++) {
        const clamped = [cls[i], obj[i]].map((value) => Math.min(1, Math.max(0, value)));
        const score = Math.fround(Math.sqrt(Math.fround(clamped[0] * clamped[1]))); // equal ones are equal in Python too
        if (score < threshold) continue;
        const [column, row] = [i % columns, Math.floor(i / columns)];
        const centre = [(column + box[4 * i]) * stride, (row + box[4 * i + 1]) * stride];
        const size = [Math.exp(box[4 * i + 2]) * stride, Math.exp(box[4 * i + 3]) * stride];
        const landmarks = Array.from({ length: 5 }, (_, n) => [
          (column + points[10 * i + 2 * n]) * stride,
          (row + points[10 * i + 2 * n + 1]) * stride,
        ]);
        faces.push(new Found(centre, size, landmarks, score, this.settings.template));
      }
    }
    // OpenCV suppresses by the plain boxes here, not by the turned ones.
    return this.#suppress(faces, ({ centre: [x, y], size: [width, height] }) => ({
      x: x - width / 2, y: y - height / 2, width, height,
    }));
  }

  #suppress(faces, boxOf = (face) => face.box) {
    const kept = [];
    for (const face of [...faces].sort((a, b) => b.score - a.score)) {
      const box = boxOf(face);
      if (kept.every((other) => overlap(box, boxOf(other)) <= this.settings.nmsThreshold)) kept.push(face);
    }
    return kept;
  }
}

/** Intersection over union. */
export function overlap(a, b) {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / (a.width * a.height + b.width * b.height - width * height);
}
