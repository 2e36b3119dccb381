// A card for each person: the answer, bars that move, and the confidence of the last twenty seconds.

import { HISTORY_SECONDS, advice, said } from "./live-people.js";
import { tag } from "./live-stage.js";
import { candidates, percent, ranked, shownOf } from "./words.js";

const element = (name, properties = {}) => Object.assign(document.createElement(name), properties);

export class Panel {
  #cards = new Map(); // number to the parts of a card

  constructor(list) {
    this.list = list;
  }

  /** Shows everybody who was there lately; `now` in seconds. */
  show(people, now, model) {
    for (const [id, { item }] of this.#cards) {
      if (people.some((one) => one.id === id)) continue;
      item.remove();
      this.#cards.delete(id);
    }
    for (const one of people) {
      if (!this.#cards.has(one.id)) this.#cards.set(one.id, this.#card(one.id, model));
      fill(this.#cards.get(one.id), one, now, model);
    }
  }

  #card(id, model) {
    const item = element("li");
    const [chip, words] = [element("span", { className: "chip", textContent: id }), element("span")];
    const line = element("div", { className: "said" });
    line.append(chip, words);
    const hint = element("p", { className: "advice" });
    const rows = element("dl");
    const bars = model.labels.map((label, i) => {
      const [name, bar, number] = [element("dt"), element("dd"), element("dd", { className: "number" })];
      const symbol = element("span", { textContent: `${model.symbols[i]} ` });
      symbol.setAttribute("aria-hidden", "true");
      name.append(symbol, label);
      const [back, front] = [element("div", { className: "bar" }), element("i")];
      front.style.setProperty("--color", model.colors[i]);
      back.append(front);
      bar.append(back);
      rows.append(name, bar, number);
      return { cells: [name, bar, number], front, number };
    });
    const chart = element("canvas");
    chart.setAttribute("role", "img");
    const left = shownOf(model);
    item.append(line, hint, rows, element("small", { textContent: left, hidden: !left }));
    item.append(chart, element("small", { textContent: `Confidence, last ${HISTORY_SECONDS} seconds` }));
    this.list.append(item);
    return { item, chip, words, hint, bars, chart };
  }
}

function fill({ item, chip, words, hint, bars, chart }, one, now, model) {
  const [, { color, textColor }] = tag(one, model);
  chip.style.background = color;
  chip.style.color = textColor;
  write(words, said(one, model));
  write(hint, advice(one));
  item.classList.toggle("gone", one.seen < now);
  const named = one.quality.readable ? candidates(one.smooth, model) : [];
  const most = new Set(ranked(one.smooth).slice(0, model.mostBars));
  bars.forEach(({ cells, front, number }, i) => {
    cells.forEach((cell) => (cell.hidden = !most.has(i)));
    front.style.transform = `scaleX(${one.smooth[i].toFixed(3)})`;
    write(number, percent(one.smooth[i]));
    cells.forEach((cell) => cell.classList.toggle("pale", !named.includes(i)));
  });
  item.dataset.smooth = JSON.stringify(one.smooth.map((p) => Number(p.toFixed(4))));
  item.dataset.probabilities = JSON.stringify(one.probabilities);
  draw(chart, one, now, model);
}

function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** The confidence over time, in the colour of the class that it is for; gaps where nothing could be read. */
function draw(canvas, { history, id }, now, model) {
  const scale = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * scale));
  if (!width) return;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  context.lineWidth = 1;
  context.strokeStyle = "#8888";
  for (const level of [0, 0.5, 1]) {
    const y = Math.round((height - scale - 1) * (1 - level)) + 0.5;
    context.strokeRect(0, y, width, 0);
  }
  const place = ({ time, confidence }) => [
    width * (1 - (now - time) / HISTORY_SECONDS),
    (height - 2 * scale) * (1 - confidence) + scale,
  ];
  context.lineWidth = 2 * scale;
  let drawn = null; // the class whose line is being drawn
  for (let i = 1; i < history.length; i++) {
    if (!history[i].readable || history[i].time - history[i - 1].time > 1) {
      if (drawn !== null) context.stroke();
      drawn = null;
      continue;
    }
    if (drawn !== history[i].label) {
      if (drawn !== null) context.stroke();
      drawn = history[i].label;
      context.strokeStyle = model.colors[drawn];
      context.beginPath();
      context.moveTo(...place(history[i - 1]));
    }
    context.lineTo(...place(history[i]));
  }
  if (drawn !== null) context.stroke();
  const last = history.at(-1);
  canvas.setAttribute("aria-label", `Person ${id}: ${model.labels[last.label]}, ${percent(last.confidence)} now`);
}
