// The page: a photo or the camera in, a guess about each face out. Nothing is sent anywhere.

import * as ort from "./ort/ort.wasm.min.mjs";
import { Detector } from "./detect.js";
import { drawBox } from "./draw.js";
import { crop, similarity, squareMatrix } from "./geometry.js";
import { cropQuality } from "./quality.js";
import { candidates, describe, isClear, percent, ranked } from "./words.js";

const MOST_PIXELS = 4096 * 4096; // what a canvas holds on every phone; larger photos are reduced once
const byId = (id) => document.getElementById(id);
const [status, canvas, answers, video, wholeButton] = ["status", "picture", "answers", "video", "whole"].map(byId);

ort.env.wasm.numThreads = 1; // threads need headers that a plain file server does not send
ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
ort.env.logLevel = "error";

const say = (text, error = false) => {
  status.textContent = text;
  status.classList.toggle("error", error);
};

const model = await (await fetch("model.json")).json();
byId("disclaimer").textContent = model.disclaimer;
byId("about").textContent = `Model: ${model.name}. Runtime: ONNX Runtime Web (MIT).`;
const load = (file) => ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
const classifier = await load("model.onnx");
const detector = new Detector(ort, await load("yunet.onnx"), model.detection);

/** Probabilities for grey crops, all in one batch; behind them their mirror images, if the model looks at both. */
async function classify(crops) {
  const size = model.size[0];
  const views = model.mirror ? 2 : 1;
  const input = new Float32Array(views * crops.length * size * size);
  crops.forEach((pixels, n) => {
    for (let i = 0; i < pixels.length; i++) {
      const value = (pixels[i] / 255 - model.mean) / model.std;
      input[n * pixels.length + i] = value;
      const mirrored = i - (i % size) + (size - 1 - (i % size));
      if (views === 2) input[(crops.length + n) * pixels.length + mirrored] = value;
    }
  });
  const shape = [views * crops.length, 1, size, size];
  const { logits } = await classifier.run({ input: new ort.Tensor("float32", input, shape) });
  return crops.map((_, n) => {
    const answers = Array.from({ length: views }, (_, v) => logits.data.subarray(7 * (n + v * crops.length)));
    const scores = Array.from({ length: 7 }, (_, c) => {
      return answers.reduce((sum, answer) => sum + answer[c], 0) / views / model.temperature;
    });
    const powers = scores.map((value) => Math.exp(value - Math.max(...scores)));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((value) => value / sum);
  });
}

/** Faces and answers of one picture (ImageData). */
async function read(picture, { whole = false, turned = true } = {}) {
  const size = model.size[0];
  const target = model.detection.template.map(([x, y]) => [x * size, y * size]);
  const all = { x: 0, y: 0, width: picture.width, height: picture.height };
  const cutOut = (box, matrix, landmarks = null) => {
    const pixels = crop(picture, matrix, size);
    return { box, crop: pixels, quality: cropQuality(pixels, size, matrix, landmarks, whole ? null : picture, model) };
  };
  const faces = whole
    ? [cutOut(all, squareMatrix(all, size))]
    : (await detector.detect(picture, turned)).map((face) =>
        cutOut(face.box, similarity(face.landmarks, target), face.landmarks),
      );
  if (faces.length) (await classify(faces.map((f) => f.crop))).forEach((p, i) => (faces[i].probabilities = p));
  return faces;
}

function element(name, text = "", properties = {}) {
  return Object.assign(document.createElement(name), { textContent: text }, properties);
}

function thumbnail(pixels) {
  const size = model.size[0];
  const small = element("canvas", "", { width: size, height: size });
  const image = new ImageData(size, size);
  pixels.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  small.getContext("2d").putImageData(image, 0, 0);
  small.setAttribute("role", "img");
  small.setAttribute("aria-label", "What the network saw");
  return small;
}

function show(picture, faces, whole) {
  const context = canvas.getContext("2d");
  Object.assign(canvas, { width: picture.width, height: picture.height, hidden: false });
  context.putImageData(picture, 0, 0);
  answers.replaceChildren();
  faces.forEach(({ box, crop: pixels, probabilities, quality }, n) => {
    const names = candidates(probabilities, model);
    const best = names[0];
    const { flags, readable } = quality;
    if (!whole) {
      const sure = names.length === 1 || isClear(probabilities, model);
      const told = readable && (sure || names.length <= 2);
      const word = told ? `${model.labels[best]}${sure ? "" : "?"}` : "?";
      const colors = { color: model.colors[best], textColor: model.textColors[best] };
      drawBox(context, box, `${n + 1} ${word}`, told ? colors : { color: model.untoldColor, textColor: "#000000" });
    }
    const item = element("li");
    item.dataset.label = model.labels[best];
    item.dataset.probabilities = JSON.stringify(probabilities);
    item.dataset.box = JSON.stringify(box);
    item.dataset.candidates = JSON.stringify(names.map((i) => model.labels[i]));
    item.dataset.quality = JSON.stringify(quality);
    const list = element("dl");
    for (const i of ranked(probabilities)) {
      const bar = element("dd");
      const meter = element("meter", "", { value: probabilities[i], max: 1 });
      meter.style.setProperty("--color", model.colors[i]);
      bar.append(meter);
      const row = [element("dt", `${model.symbols[i]} ${model.labels[i]}`), bar, element("dd", percent(probabilities[i]))];
      if (!readable || !names.includes(i)) row.forEach((cell) => cell.classList.add("pale"));
      list.append(...row);
    }
    const remarks = flags.slice(readable ? 0 : 1).map((flag) => model.quality.words[flag]).join(", ");
    const said = element("strong", describe(probabilities, names, quality, model));
    if (remarks) said.append(element("small", `The picture: ${remarks}`));
    item.append(thumbnail(pixels), said, list);
    answers.append(item);
  });
}

let current = null; // the photo that is shown
let turn = 0; // counts what the visitor asked for: an answer to something earlier is dropped

async function answer(picture, whole = false) {
  const mine = ++turn;
  say("Looking for faces …");
  await new Promise((resolve) => setTimeout(resolve, 30)); // so that the sentence above is seen
  let faces;
  try {
    faces = await inOrder(() => read(picture, { whole }));
  } catch (error) {
    if (mine === turn) say(`This photo could not be read (${error.message}); try a smaller one.`, true);
    return;
  }
  if (mine !== turn) return;
  current = picture;
  show(picture, faces, whole);
  wholeButton.hidden = whole || faces.length > 0;
  const count = faces.length === 1 ? "1 face" : `${faces.length} faces`;
  say(whole ? "The whole picture was taken as one face." : faces.length ? `${count} found.` : "No face was found.");
}

let last = Promise.resolve();

/** Runs one piece of work after the other: a session of ONNX Runtime takes one input at a time. */
function inOrder(work) {
  const mine = last.then(work);
  last = mine.catch(() => {});
  return mine;
}

function pixels(source, width, height) {
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
  const [w, h] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = new OffscreenCanvas(w, h).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white";
  context.fillRect(0, 0, w, h);
  context.drawImage(source, 0, 0, w, h);
  return context.getImageData(0, 0, w, h);
}

async function openFile(file) {
  stopCamera();
  const mine = turn;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file); // applies the EXIF orientation
  } catch {
    return say(`${file.name || "The file"} is no picture that this browser can open; save it as JPEG or PNG.`, true);
  }
  if (mine === turn) await answer(pixels(bitmap, bitmap.width, bitmap.height));
}

let stream = null;

const stop = (some) => some?.getTracks().forEach((track) => track.stop());

function stopCamera() {
  turn++;
  stop(stream);
  stream = null;
  status.ariaLive = "polite";
  byId("camera").textContent = "Use the camera";
}

async function startCamera() {
  if (!navigator.mediaDevices) {
    return say("The camera needs a page that is served over HTTPS or from localhost; choose a photo.", true);
  }
  const mine = ++turn;
  let given;
  try {
    given = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  } catch (error) {
    if (mine === turn) say(`The camera cannot be used (${error.message}); allow it, or choose a photo.`, true);
    return;
  }
  if (mine !== turn) return stop(given); // the visitor asked for something else while the browser was asking
  stream = given;
  status.ariaLive = "off"; // nobody wants every picture announced
  byId("camera").textContent = "Stop the camera";
  wholeButton.hidden = true;
  video.srcObject = stream;
  await video.play();
  while (mine === turn) {
    const start = performance.now();
    const picture = pixels(video, video.videoWidth, video.videoHeight);
    const faces = await inOrder(() => read(picture, { turned: false }));
    if (mine !== turn) break;
    show(picture, faces, false);
    const rate = Math.round(1000 / (performance.now() - start));
    say(`${faces.length ? "" : "No face in view. "}${rate} pictures a second`);
    await new Promise((resolve) => setTimeout(resolve));
  }
}

byId("file").addEventListener("change", ({ target }) => target.files[0] && openFile(target.files[0]));
byId("camera").addEventListener("click", () => (stream ? stopCamera() : startCamera()));
wholeButton.addEventListener("click", () => current && answer(current, true));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
});
document.addEventListener("paste", ({ clipboardData }) => clipboardData.files[0] && openFile(clipboardData.files[0]));
say("Add a photo.");
