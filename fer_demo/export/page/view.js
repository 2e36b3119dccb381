// What the page shows: the photo with its faces, the answers beside it, the list of photos, and the samples.

import { drawBox } from "./draw.js";
import { reduce } from "./geometry.js";
import { candidates, describe, isClear, percent, ranked, shownOf } from "./words.js";

const MOST_PIXELS = 4096 * 4096; // what a canvas holds on every phone
const byId = (id) => document.getElementById(id);
const [status, canvas, answers, list, progress] = ["status", "picture", "answers", "photos", "progress"].map(byId);

/** A sentence for the visitor; `more` is read out behind it and not shown, since it stands on the page already. */
export function say(text, error = false, more = "") {
  status.replaceChildren(text);
  if (more) status.append(element("span", ` ${more}`, { className: "unseen" }));
  status.classList.toggle("error", error);
}

function element(name, text = "", properties = {}) {
  return Object.assign(document.createElement(name), { textContent: text }, properties);
}

function thumbnail(pixels, size) {
  const small = element("canvas", "", { width: size, height: size });
  const image = new ImageData(size, size);
  pixels.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  small.getContext("2d").putImageData(image, 0, 0);
  small.setAttribute("role", "img");
  small.setAttribute("aria-label", "What the network saw");
  return small;
}

/** The sentence about one face. */
export function sentence({ probabilities, quality }, model) {
  return describe(probabilities, candidates(probabilities, model), quality, model);
}

/** Takes the last answer away. */
export function clear() {
  canvas.hidden = true;
  answers.replaceChildren();
}

/** Shows a photo and the answers for its faces. */
export function show(picture, faces, whole, model) {
  const context = canvas.getContext("2d");
  const fits = picture.width * picture.height <= MOST_PIXELS;
  const shown = fits ? picture : reduce(picture, Math.ceil(picture.width / 2), Math.ceil(picture.height / 2));
  Object.assign(canvas, { width: shown.width, height: shown.height, hidden: false });
  context.putImageData(new ImageData(shown.data, shown.width, shown.height), 0, 0);
  const scale = shown.width / (picture.width * (picture.scale?.[0] ?? 1));
  answers.replaceChildren();
  faces.forEach((face, n) => {
    if (!whole) {
      const place = Object.fromEntries(Object.entries(face.box).map(([key, value]) => [key, value * scale]));
      drawBox(context, place, ...tag(face, n, model));
    }
    answers.append(answer(face, model));
  });
}

/** The word beside a box, and its colours. */
function tag({ probabilities, quality }, n, model) {
  const names = candidates(probabilities, model);
  const sure = names.length === 1 || isClear(probabilities, model);
  if (!quality.readable || (!sure && names.length > 2)) {
    return [`${n + 1} ?`, { color: model.untoldColor, textColor: "#000000" }];
  }
  const colors = { color: model.colors[names[0]], textColor: model.textColors[names[0]] };
  return [`${n + 1} ${model.labels[names[0]]}${sure ? "" : "?"}`, colors];
}

function answer(face, model) {
  const { box, crop: pixels, probabilities, quality } = face;
  const names = candidates(probabilities, model);
  const { flags, readable } = quality;
  const item = element("li");
  item.dataset.label = model.labels[names[0]];
  item.dataset.probabilities = JSON.stringify(probabilities);
  item.dataset.box = JSON.stringify(box);
  item.dataset.candidates = JSON.stringify(names.map((i) => model.labels[i]));
  item.dataset.quality = JSON.stringify(quality);
  const rows = element("dl");
  for (const i of ranked(probabilities).slice(0, model.mostBars)) {
    const bar = element("dd");
    const meter = element("meter", "", { value: probabilities[i], max: 1 });
    meter.style.setProperty("--color", model.colors[i]);
    meter.setAttribute("aria-hidden", "true"); // the number beside it says the same
    bar.append(meter);
    const symbol = element("span", `${model.symbols[i]} `);
    symbol.setAttribute("aria-hidden", "true");
    const name = element("dt");
    name.append(symbol, model.labels[i]);
    const row = [name, bar, element("dd", percent(probabilities[i]))];
    if (!readable || !names.includes(i)) row.forEach((cell) => cell.classList.add("pale"));
    rows.append(...row);
  }
  const remarks = flags.slice(readable ? 0 : 1).map((flag) => model.quality.words[flag]).join(", ");
  const said = element("strong", sentence(face, model));
  if (remarks) said.append(element("small", `The picture: ${remarks}`));
  const left = shownOf(model);
  if (left) said.append(element("small", left));
  item.append(thumbnail(pixels, model.size[0]), said, rows);
  return item;
}

/** A photo's answer in a few words, for the list. */
function brief(photo, model) {
  if (photo.state === "waiting") return "waiting";
  if (!photo.faces.length) return "no face found";
  return photo.faces.length > 1 ? `${photo.faces.length} faces` : sentence(photo.faces[0], model);
}

/** The photos that came, of which `current` is shown; `choose` is called with the one that the visitor picks. */
export function listPhotos(photos, current, model, choose) {
  const several = photos.length > 1;
  for (const part of [list, progress]) part.hidden = !several;
  if (!several) return;
  while (list.children.length < photos.length) {
    const photo = photos[list.children.length];
    const button = element("button", "", { type: "button" });
    button.addEventListener("click", () => choose(photo));
    list.append(element("li"));
    list.lastChild.append(button);
  }
  photos.forEach((photo, i) => {
    const button = list.children[i].firstChild;
    button.setAttribute("aria-current", String(photo === current));
    const failed = photo.state === "failed"; // the sentence begins with the name
    button.replaceChildren(failed ? "" : element("b", photo.name), failed ? photo.sentence : brief(photo, model));
    button.classList.toggle("error", failed);
  });
  const count = (state) => photos.filter((photo) => photo.state === state).length;
  const [done, failed, waiting] = ["done", "failed", "waiting"].map(count);
  const parts = [`${photos.length} photos: ${done} read`];
  if (failed) parts.push(`${failed} could not be opened`);
  if (waiting) parts.push(`${waiting} waiting`);
  progress.textContent = `${parts.join(", ")}.`;
}

/** Buttons for the photos that lie beside the page; `choose` is called with the one that the visitor picks. */
export function offerSamples(samples, choose) {
  if (!samples.length) return;
  const place = byId("samples");
  for (const sample of samples) {
    const button = element("button", sample.title, { type: "button", title: sample.credit });
    button.prepend(element("img", "", { src: sample.file, alt: "" }));
    button.addEventListener("click", () => choose(sample));
    place.append(button);
  }
  place.hidden = false;
}
