// Finds faces with YuNet as fer_demo/vision/detector.py does: one glance at the upright picture, and each face again, turned
// upright, because YuNet's landmarks follow a tilt in part. Where that leaves doubt, turned copies or crops are looked at too,
// and where no face is clear, quarter turns.

import { copies, turnedPixels, useful, zoom } from "./copies.js";
import { apart, clear, Found, suppress } from "./found.js";
import { draw, invert, quarterTurned, turnedBack, warp } from "./geometry.js";
import { YuNet } from "./yunet.js";

/** Lets the browser draw and answer the visitor in between; the network computes on the page's own thread. */
function breathe() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => resolve(port1.close());
    port2.postMessage(null);
  });
}

/** Detector of fer_demo/vision/detector.py; its methods have the same names here, so that changes can be carried over. */
export class Detector {
  /** `ort` is ONNX Runtime, `session` YuNet, `settings` the constants of detector.py. */
  constructor(ort, session, settings) {
    Object.assign(this, { settings, yunet: new YuNet(ort, session, settings.nmsThreshold) });
  }

  /** The faces of a picture, the largest first; without `turned` only upright heads, for video. */
  async detect(picture, turned = true) {
    let found = await this.#find(picture, turned);
    if (turned && !clear(found, this.settings)) {
      const quarters = await this.#findInQuarters(picture);
      if (quarters.length) found = quarters;
    }
    return found.sort((a, b) => b.box.width * b.box.height - a.box.width * a.box.height);
  }

  /** For video: the faces in a reduced copy of a picture, as they are seen first; `scale` made the copy. */
  async seen(copy, scale) {
    const [found] = await this.#run([copy], this.settings.scoreThreshold);
    return this.#suppress(found).map((face) => face.moved(zoom(1 / scale)));
  }

  /** For video: faces that were just seen for the first time, found again upright, as in `detect`. */
  async settled(faces, picture, copy, scale) {
    const found = await this.#lookAgain(faces, picture, [[copy, scale]]);
    return found.map((face, i) => ({ face, pose: face.samePose(faces[i]) ? faces[i] : face }));
  }

  /**
   * For video: where people [{pose}] of the picture before are in this one, whose copy was made by `scale`; null for one that
   * is lost. Crops are made for a person's `pose`, which stays while it shows the face in about the same way: faces that are
   * found in crops that were made for themselves, again and again, grow and shrink.
   */
  async followed(people, picture, copy, scale) {
    const made = [[copy, scale]];
    const found = await this.#look(people.map(({ pose }) => [pose, pose.angle]), picture, made);
    const poses = people.map(({ pose }, i) => (!found[i] || found[i].samePose(pose) ? pose : found[i]));
    const moved = [...poses.keys()].filter((i) => poses[i] !== people[i].pose);
    const again = await this.#look(moved.map((i) => [poses[i], poses[i].angle]), picture, made);
    moved.forEach((i, n) => (found[i] = again[n] ?? found[i]));
    return found.map((face, i) => face && { face, pose: poses[i] });
  }

  async #find(picture, turned) {
    const { turns, weakScore, scoreThreshold, tiltedRoll, levelRoll, lookSize } = this.settings;
    const made = copies(picture, this.settings);
    const weakest = turned ? Math.min(weakScore, scoreThreshold) : scoreThreshold;
    let seen = this.#suppress(await this.#glance(made, turns.slice(0, 1), weakest));
    const certain = seen.filter(({ score }) => score >= scoreThreshold);
    const again = await this.#lookAgain(certain, picture, made);
    if (!turned) return this.#suppress(again);
    const places = apart(seen.filter(({ score }) => score < scoreThreshold), certain);
    const tilted = again.some(({ angle }) => Math.abs(angle) > tiltedRoll);
    const many = places.length * turns.length * lookSize ** 2 > 2 * turnedPixels(made);
    if (clear(again, this.settings, levelRoll) && !tilted && !many) {
      const more = await this.#lookAgain(await this.#lookFor(places, picture, made), picture, made);
      return this.#suppress([...again, ...more]);
    }
    const known = new Map(certain.map((first, i) => [first, again[i]]));
    seen = this.#suppress([...certain, ...(await this.#glance(made, turns.slice(1), scoreThreshold))]);
    const fresh = await this.#lookAgain(seen.filter((f) => !known.has(f)), picture, made);
    return this.#suppress([...seen.filter((f) => known.has(f)).map((f) => known.get(f)), ...fresh]);
  }

  /** The faces in the copies turned by these angles, as they were found first. */
  async #glance(made, angles, threshold) {
    const found = [];
    for (const [copy, scale] of useful(made)) {
      for (const angle of angles) {
        for (const face of await this.#lookTurned(copy, angle, threshold)) found.push(face.moved(zoom(1 / scale)));
      }
    }
    return found;
  }

  /** The faces of that quarter turn in which most are clear; none if there is no such turn. */
  async #findInQuarters(picture) {
    const { turns, scoreThreshold, promisingScore } = this.settings;
    let [best, back] = [[], null];
    for (const quarters of [1, 2, 3]) {
      const turned = quarterTurned(picture, quarters);
      const seen = await this.#glance(copies(turned, this.settings), turns.slice(0, 1), scoreThreshold);
      if (!seen.some(({ score }) => score >= promisingScore)) continue;
      const found = await this.#find(turned, true);
      if (clear(found, this.settings) > clear(best, this.settings)) [best, back] = [found, turnedBack(quarters, picture)];
    }
    return best.map((face) => face.moved(back));
  }

  async #run(pictures, threshold) {
    await breathe();
    const found = await this.yunet.detect(pictures, threshold);
    return found.map((faces) => faces.map((face) => Found.of(face, this.settings)));
  }

  async #lookTurned(picture, degrees, threshold) {
    if (degrees === 0) return (await this.#run([picture], threshold))[0];
    const a = (degrees * Math.PI) / 180;
    const [c, s, w, h] = [Math.cos(a), Math.sin(a), picture.width, picture.height];
    const width = Math.ceil(w * Math.abs(c) + h * Math.abs(s));
    const height = Math.ceil(w * Math.abs(s) + h * Math.abs(c));
    const m = [c, s, width / 2 - (c * w) / 2 - (s * h) / 2, -s, c, height / 2 + (s * w) / 2 - (c * h) / 2];
    // The detector in Python counts from the centre of the top left pixel here, half a pixel from its corner.
    const centred = [c, s, m[2] + 0.5 - (c + s) / 2, -s, c, m[5] + 0.5 - (c - s) / 2];
    const [faces] = await this.#run([draw(picture, centred, width, height, { outside: 110 })], threshold);
    return faces.map((face) => face.moved(invert(m)));
  }

  /** The faces at places where a glance left doubt, in crops that are turned as `turns` says. */
  async #lookFor(places, picture, made) {
    const { turns, placeScore, scoreThreshold } = this.settings;
    const looks = await this.#look(places.flatMap((place) => turns.map((angle) => [place, angle])), picture, made);
    const least = Math.max(placeScore, scoreThreshold);
    return this.#suppress(looks.filter((f) => f && f.score >= least));
  }

  /** Finds faces again in crops around them that are turned upright: each once, and those in doubt more often. */
  async #lookAgain(faces, picture, made) {
    const { sureScore, lookAngles } = this.settings;
    const best = await this.#look(faces.map((face) => [face, face.angle]), picture, made);
    const unsure = [...best.keys()].filter((i) => !best[i] || best[i].score < sureScore);
    const angles = lookAngles.filter((angle) => angle !== 0);
    const fan = unsure.flatMap((i) => angles.map((angle) => [i, [faces[i], faces[i].angle + angle]]));
    const looks = await this.#look(fan.map(([, pose]) => pose), picture, made);
    fan.forEach(([i], n) => (best[i] = better(best[i], looks[n])));
    // Landmarks are best where the crop was made for the pose that it shows.
    const moved = [...best.keys()].filter((i) => best[i] && (unsure.includes(i) || !best[i].samePose(faces[i])));
    const last = await this.#look(moved.map((i) => [best[i], best[i].angle]), picture, made);
    moved.forEach((i, n) => (best[i] = last[n] ?? best[i]));
    // They have passed the threshold already.
    return best.map((found, i) => {
      if (found) found.score = Math.max(found.score, faces[i].score);
      return found ?? faces[i];
    });
  }

  /** The faces in crops around them that are turned by these angles, [[face, angle]]; null where a face is not found. */
  async #look(poses, picture, made) {
    const { lookSize, lookFill, lookScore, looksAtOnce } = this.settings;
    const [extent, middle] = [lookSize * lookFill, lookSize / 2];
    const [crops, matrices] = [[], []];
    for (const [face, angle] of poses) {
      // Large faces have all the detail that is needed in the reduced copy, where cutting them out costs less.
      const [source, scale] = Math.max(...face.size) * made[0][1] >= extent ? made[0] : [picture, 1];
      const [size, a] = [extent / Math.max(...face.size), (angle * Math.PI) / 180];
      const [c, s, [x, y]] = [size * Math.cos(a), size * Math.sin(a), face.centre];
      const m = [c, s, middle - c * x - s * y, -s, c, middle + s * x - c * y];
      const fromSource = [c / scale, s / scale, m[2], -s / scale, c / scale, m[5]];
      matrices.push(m);
      crops.push(warp(source, fromSource, lookSize, { ...this.settings, fineness: 1 }));
    }
    const found = [];
    for (let start = 0; start < crops.length; start += looksAtOnce) {
      for (const faces of await this.#run(crops.slice(start, start + looksAtOnce), lookScore)) {
        // A neighbour's face may be in the crop too.
        const near = faces.filter(({ centre: [x, y] }) => Math.hypot(x - middle, y - middle) < 0.3 * extent);
        const best = near.reduce(better, null);
        found.push(best && best.moved(invert(matrices[found.length])));
      }
    }
    return found;
  }

  #suppress(found) {
    return suppress(found, this.settings.nmsThreshold);
  }
}

/** The face with the higher score, the first of equal ones; null is none. */
function better(first, second) {
  return first && !(second && second.score > first.score) ? first : second;
}
