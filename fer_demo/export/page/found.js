// A face while the detector works on it, as fer_demo/vision/found.py: where it was seen, and how it is tilted.

import { apply, similarity } from "./geometry.js";

const radians = (degrees) => (degrees * Math.PI) / 180;
const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** How far a face is turned clockwise as the viewer sees it, in degrees from -180 to 180. */
function roll(landmarks, template) {
  const m = similarity(landmarks, template);
  return (Math.atan2(-m[3], m[0]) * 180) / Math.PI;
}

/** One detection: centre, size across and along the face, five landmarks, score; `settings` are the detector's. */
export class Found {
  #angle = null;

  constructor(centre, size, landmarks, score, settings) {
    Object.assign(this, { centre, size, landmarks, score, settings });
  }

  /** The face of one of YuNet's guesses, {box, landmarks, score}. */
  static of({ box: { x, y, width, height }, landmarks, score }, settings) {
    return new Found([x + width / 2, y + height / 2], [width, height], tilted(landmarks, settings), score, settings);
  }

  /** Roll in degrees. */
  get angle() {
    return (this.#angle ??= roll(this.landmarks, this.settings.template));
  }

  /** The upright box around the turned ellipse, to which a face is nearer than to a rectangle. */
  get box() {
    const [c, s] = [Math.cos(radians(this.angle)), Math.sin(radians(this.angle))];
    const width = Math.hypot(this.size[0] * c, this.size[1] * s);
    const height = Math.hypot(this.size[0] * s, this.size[1] * c);
    return { x: this.centre[0] - width / 2, y: this.centre[1] - height / 2, width, height };
  }

  moved(m) {
    const scale = Math.hypot(m[0], m[3]);
    const size = this.size.map((side) => side * scale);
    return new Found(apply(m, this.centre), size, this.landmarks.map((p) => apply(m, p)), this.score, this.settings);
  }

  /** Whether a crop that is made for one shows the other in about the same way. */
  samePose(other) {
    const { sameRoll, sameSize, samePlace } = this.settings;
    const most = Math.max(...this.size);
    const ratio = most / Math.max(...other.size);
    const turn = (((this.angle - other.angle + 180) % 360) + 360) % 360;
    return (
      Math.abs(turn - 180) <= sameRoll &&
      1 / sameSize <= ratio &&
      ratio <= sameSize &&
      distance(this.centre, other.centre) <= samePlace * most
    );
  }
}

/** The sum of the scores of the faces that are clear, and tilted by at most so many degrees. */
export function clear(found, { clearScore, clearRoll }, most = clearRoll) {
  return found.reduce((sum, { score, angle }) => sum + (score >= clearScore && Math.abs(angle) <= most ? score : 0), 0);
}

/** Those that are seen outside all faces that are certain, which are no part of them. */
export function apart(seen, certain) {
  return seen.filter((f) => certain.every((c) => distance(f.centre, c.centre) > 0.5 * Math.max(...c.size)));
}

/** Landmarks that follow a tilt, from those that YuNet gives: turned about their middle by what is missing. */
function tilted(landmarks, { template, follow }) {
  const a = radians(roll(landmarks, template)) * (1 / follow - 1);
  const [c, s] = [Math.cos(a), Math.sin(a)];
  const [x, y] = [0, 1].map((k) => landmarks.reduce((sum, point) => sum + point[k], 0) / landmarks.length);
  return landmarks.map(([u, v]) => [(u - x) * c - (v - y) * s + x, (u - x) * s + (v - y) * c + y]);
}

/** Of faces whose boxes overlap by more than `most` the better ones, best first, as OpenCV's NMSBoxes. */
export function suppress(faces, most) {
  const kept = [];
  for (const face of [...faces].sort((a, b) => b.score - a.score)) {
    if (kept.every((other) => overlap(face.box, other.box) <= most)) kept.push(face);
  }
  return kept;
}

/** Intersection over union. */
export function overlap(a, b) {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / (a.width * a.height + b.width * b.height - width * height);
}
