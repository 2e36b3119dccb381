// People from picture to picture: they are looked for now and then, and in between each is found again where they were.

import { reduced } from "./copies.js";
import { overlap } from "./found.js";

const LOOK_SECONDS = 0.3; // from one search for faces to the next
const GAP_SECONDS = 1.5; // somebody who is back by then has the same number
const SAME = 0.3; // intersection over union from which on two boxes are one face
const MOST_PEOPLE = 4; // the largest; each takes some milliseconds
const MISSES = 2; // searches in which nobody is found where somebody is followed: then it was a wall, or a hand

export class Follower {
  #people = []; // {id, face, pose, seen, lost, misses}
  #looked = -Infinity;
  #searched = -Infinity; // in all of a picture's pixels
  #next = 1;

  /** `reader` is a Reader. */
  constructor(reader) {
    this.reader = reader;
  }

  /**
   * The people in a picture, the largest first, each with its number. `copy` is the picture reduced by `scale`, `now` in
   * seconds, and what is done is timed in `times`, in milliseconds.
   */
  async step(picture, copy, scale, now, { maps = false, times = {} } = {}) {
    const { detector } = this.reader;
    let start = performance.now();
    const lap = (name) => ([times[name], start] = [performance.now() - start, performance.now()]);
    const there = this.#people.filter((one) => !one.lost);
    const faces = await detector.followed(there, picture, copy, scale);
    there.forEach((one, i) => Object.assign(one, faces[i] ? { ...faces[i], seen: now } : { lost: true }));
    lap("follow");
    if (now - this.#looked >= LOOK_SECONDS || this.#people.every((one) => one.lost)) {
      this.#looked = now;
      await this.#match(await this.#search(picture, copy, scale, now), [picture, copy, scale], now);
    }
    this.#people = this.#people.filter((one) => now - one.seen <= GAP_SECONDS);
    this.#dropDoubles();
    lap("search");
    const shown = this.#people.filter((one) => !one.lost).sort((a, b) => area(b.face) - area(a.face)).slice(0, MOST_PEOPLE);
    const answers = await this.reader.answer(picture, shown.map((one) => one.face), maps);
    lap("answer");
    return answers.map(({ crop, ...answer }, i) => ({ id: shown[i].id, ...answer }));
  }

  /** The faces in the copy; now and then, where nobody is known, those that are too far away to be seen there. */
  async #search(picture, copy, scale, now) {
    const { detector } = this.reader;
    const found = await detector.seen(copy, scale);
    if (found.length || this.#people.some((one) => !one.lost) || now - this.#searched < LOOK_SECONDS) return found;
    this.#searched = now;
    return detector.seen(...reduced(picture, detector.settings));
  }

  /** Brings what a search found together with the people who are known, the best fits first. */
  async #match(found, pictures, now) {
    const fits = this.#people.flatMap((one) => found.map((face) => [overlap(one.face.box, face.box), one, face]));
    const [known, taken, back] = [new Set(), new Set(), []];
    for (const [share, one, face] of fits.sort((a, b) => b[0] - a[0])) {
      if (share < SAME || known.has(one) || taken.has(face)) continue;
      known.add(one);
      taken.add(face);
      one.misses = 0;
      if (one.lost) back.push([one, face]);
    }
    for (const one of this.#people) {
      // Heads that lean are followed well, and are not found by a search for upright ones.
      const sure = one.face.score >= this.reader.detector.settings.scoreThreshold;
      if (!one.lost && !known.has(one) && !sure && ++one.misses >= MISSES) one.lost = true;
    }
    const fresh = found.filter((face) => !taken.has(face)).map((face) => [{ id: this.#next++, misses: 0 }, face]);
    const unsettled = [...back, ...fresh];
    const settled = await this.reader.detector.settled(unsettled.map(([, face]) => face), ...pictures);
    unsettled.forEach(([one], i) => Object.assign(one, { ...settled[i], seen: now, lost: false }));
    this.#people.push(...fresh.map(([one]) => one));
  }

  /** Of two numbers on one face the older one stays. */
  #dropDoubles() {
    const kept = [];
    for (const one of [...this.#people].sort((a, b) => a.lost - b.lost || a.id - b.id)) {
      if (kept.every((other) => overlap(one.face.box, other.face.box) < SAME)) kept.push(one);
    }
    this.#people = kept;
  }
}

const area = ({ box }) => box.width * box.height;
