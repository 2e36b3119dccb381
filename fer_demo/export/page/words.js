// Which classes an answer may mean, and the words for it: fer_demo/wording.py.

export const percent = (p) => `${Math.round(100 * p)}\u00a0%`;

export const ranked = (probabilities) => [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);

/** The line below bars that are not those of all classes, as `shown_of` in fer_demo/figures.py; empty where they are. */
export function shownOf({ labels, mostBars }) {
  return labels.length > mostBars ? `The ${mostBars} most probable of ${labels.length} classes.` : "";
}

/** The classes (indices) that an answer may mean: a conformal set if the model has a threshold. */
export function candidates(probabilities, model) {
  const order = ranked(probabilities);
  if (model.setThreshold !== null) return order.filter((i, n) => n === 0 || probabilities[i] >= model.setThreshold);
  const [p, q] = order.map((i) => probabilities[i]);
  return order.slice(0, p < model.sureFrom || p - q < model.clearLead ? 2 : 1);
}

/** Whether the best class has enough, and leads the second by enough. */
export function isClear(probabilities, model) {
  const [p, q] = ranked(probabilities).map((i) => probabilities[i]);
  return p >= model.sureFrom && p - q >= model.clearLead;
}

/** Words for one face; `flags` and `readable` are those of its crop. */
export function describe(probabilities, names, { flags, readable }, model) {
  if (!readable) return `can't tell: ${model.quality.words[flags[0]]}`;
  const few = names.slice(0, 3);
  const adjectives = few.map((i) => model.looks[i].replace("looks ", ""));
  if (few.length === 1 || isClear(probabilities, model)) {
    const maybe = few.length > 1 ? `, maybe ${adjectives.slice(1).join(" or ")}` : "";
    return `${model.looks[few[0]]} (${percent(probabilities[few[0]])})${maybe}`;
  }
  if (few.length === 2) {
    return `unsure: ${adjectives.map((word, n) => `${word} (${percent(probabilities[few[n]])})`).join(" or ")}`;
  }
  return `can't tell: could be ${adjectives[0]}, ${adjectives[1]} or ${adjectives[2]}`;
}
