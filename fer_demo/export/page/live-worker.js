// Off the page's own thread: one picture of the camera in, its people out. Asked for the next picture only after the answer.

import { Follower } from "./live-follow.js";
import { faster } from "./live-gpu.js";
import { Reader } from "./reader.js";

// Threads cost more than they save for networks of a few milliseconds, and the page and the camera want the cores too.
const THREADS = 1;
const COPY_SIDE = 320; // of the copy in which faces are looked for; see live-follow.js for those that are too small there

let reader = null;
let follower = null;
let [full, small] = [null, null];

let last = Promise.resolve(); // one message after the other: a network is not changed in the middle of a picture
self.addEventListener("message", ({ data }) => {
  last = last.then(() => handle(data));
});

async function handle(data) {
  try {
    if (data.model) await load(data.model);
    if (data.frame) await answer(data);
  } catch (error) {
    data.frame?.close();
    self.postMessage({ error: error.message });
  }
}

async function load(model) {
  if (reader) await reader.change(model);
  else reader = await Reader.load(model, THREADS);
  const on = await faster(reader);
  follower = new Follower(reader);
  self.postMessage({ loaded: model.name, on });
}

async function answer({ frame, time, maps }) {
  const start = performance.now();
  const { width, height } = frame;
  const scale = Math.min(1, COPY_SIDE / Math.max(width, height));
  full = canvas(full, width, height);
  small = canvas(small, Math.round(width * scale), Math.round(height * scale));
  const [picture, copy] = [pixels(full, frame), pixels(small, frame)];
  frame.close();
  const times = { read: performance.now() - start };
  const people = await follower.step(picture, copy, scale, time, { maps, times });
  self.postMessage({ people, light: light(copy), time, times: { ...times, all: performance.now() - start }, width, height });
}

function canvas(before, width, height) {
  if (before?.width === width && before.height === height) return before;
  return new OffscreenCanvas(width, height);
}

function pixels(on, frame) {
  const context = on.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "medium";
  context.drawImage(frame, 0, 0, on.width, on.height);
  return context.getImageData(0, 0, on.width, on.height);
}

/** The mean grey level of every seventh pixel. */
function light({ data }) {
  let [sum, count] = [0, 0];
  for (let i = 0; i < data.length; i += 28, count++) sum += 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
  return sum / count;
}
