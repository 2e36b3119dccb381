// What is known of each person over time: smoothed probabilities, the last twenty seconds, and what keeps them from being read.

import { candidates, describe, ranked } from "./words.js";

export const HISTORY_SECONDS = 20;
const HALF_LIFE = 0.4; // seconds after which an answer counts half
const GONE_SECONDS = 3; // until a card goes
const DARK = 25; // mean grey level of a picture in which there is nothing to be found

const ADVICE = {
  too_dark: "Too dark: turn to the light.",
  too_bright: "Too bright: turn away from the light.",
  too_small: "Too far away: come closer.",
  turned_away: "Turned away: look at the camera.",
  cut_off: "Partly out of the picture: move to the middle.",
  blurred: "Blurred: hold still.",
  low_contrast: "Too little contrast: more light from the front.",
  noisy: "Noisy picture: more light.",
  blank: "Nothing to be seen: is the camera covered?",
  odd_landmarks: "Eyes and mouth are hard to find: look at the camera.",
};

export class People {
  #known = new Map();

  /** Forgets everybody. */
  clear() {
    this.#known.clear();
  }

  /** Takes the worker's answer about a picture of `now` seconds. */
  add(people, now) {
    for (const one of people) {
      const before = this.#known.get(one.id);
      const weight = before ? 1 - 0.5 ** ((now - before.seen) / HALF_LIFE) : 1;
      const old = before?.smooth ?? one.probabilities;
      const smooth = one.probabilities.map((p, i) => old[i] + weight * (p - old[i]));
      const history = before?.history ?? [];
      const best = ranked(smooth)[0];
      history.push({ time: now, label: best, confidence: smooth[best], readable: one.quality.readable });
      while (history[0].time < now - HISTORY_SECONDS) history.shift();
      this.#known.set(one.id, { ...one, smooth, history, seen: now });
    }
    for (const [id, one] of this.#known) if (now - one.seen > GONE_SECONDS) this.#known.delete(id);
  }

  /** Everybody who was there lately, by number. */
  all() {
    return [...this.#known.values()].sort((a, b) => a.id - b.id);
  }
}

/** The sentence about a person, after smoothing. */
export function said(one, model) {
  return describe(one.smooth, candidates(one.smooth, model), one.quality, model);
}

/** What keeps a person from being read well, and what to do; empty if nothing does. */
export function advice({ quality }) {
  return quality.flags.length ? ADVICE[quality.flags[0]] : "";
}

/** The state of the whole picture, in a sentence. */
export function state(people, light) {
  if (!people.length) return light < DARK ? "Too dark: turn on a light." : "No face in view: look at the camera.";
  const held = people.map(advice).filter(Boolean);
  if (people.length === 1) return held[0] ?? "1 face, read well.";
  return held.length ? `${people.length} faces. ${held[0]}` : `${people.length} faces, read well.`;
}
