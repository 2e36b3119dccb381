// The live page: camera, worker, and what is shown. Nothing is sent anywhere.

import { Device } from "./live-device.js";
import { settle } from "./live-inside.js";
import { Panel } from "./live-panel.js";
import { People, state } from "./live-people.js";
import { Recording, save } from "./live-record.js";
import { drawPeople, snapshot } from "./live-stage.js";

const STATE_SECONDS = 0.4; // how long a state has to last before it is said
const ids = ["status", "video", "overlay", "start", "stop", "snapshot", "record", "mirror", "map", "camera", "model", "frame"];
const on = Object.fromEntries(ids.map((id) => [id, document.getElementById(id)]));
const about = document.getElementById("about");

const device = new Device(on.video);
const people = new People();
const panel = new Panel(document.getElementById("people"));
let models = []; // somebody's own first, then the fastest
let model = null;
let worker = null;
let inFlight = false; // a picture is with the worker
let held = null; // the newest picture, {frame, time}
let taking = false;
let asked = 0; // counts what was asked of the camera: only the last wish goes on
let recording = null;
let rate = { since: 0, count: 0 };
let pending = { sentence: "", since: 0 };

const inside = window.parent !== window; // on the app's own page, which has a heading
if (inside) settle(new URLSearchParams(location.search).get("theme"));
document.documentElement.classList.toggle("inside", inside);
document.getElementById("back").hidden = inside || !/\/browser\/live\.html$/.test(location.pathname);

function say(text, error = false) {
  if (on.status.textContent !== text) on.status.textContent = text;
  on.status.classList.toggle("error", error);
}

async function load() {
  try {
    const answer = await fetch("model.json");
    if (!answer.ok) throw new Error(`model.json: ${answer.status}`);
    const { models: several, ...shared } = await answer.json();
    models = several.map((one) => ({ ...shared, ...one }));
    document.getElementById("disclaimer").textContent = models[0].disclaimer;
    on.model.replaceChildren(...models.map(({ name, fastest }, n) => new Option(name === fastest ? `${name} (fastest)` : name, n)));
    worker = new Worker(new URL("live-worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => heard(data));
    worker.addEventListener("error", () => say("The network could not be loaded; reload the page, or ask whoever serves it.", true));
    const wanted = models.findIndex(({ name }) => name === new URLSearchParams(location.search).get("model"));
    on.model.value = Math.max(0, wanted);
    use(on.model.value);
  } catch (error) {
    say(`The network could not be loaded (${error.message}); reload the page, or ask whoever serves it.`, true);
  }
}

/** Has the worker take a model. */
function use(number) {
  model = null;
  drop();
  finish();
  people.clear();
  panel.show([], 0, model); // the cards have bars for the classes of the model before
  say("Loading the network …");
  worker.postMessage({ model: models[number] });
}

function heard({ loaded, on: runs, error, ...answer }) {
  if (error) {
    inFlight = false;
    return say(`The picture could not be read (${error}); reload the page.`, true);
  }
  if (loaded) {
    model = models.find(({ name }) => name === loaded);
    about.dataset.model = `Model: ${loaded}, on ${runs}.`;
    about.textContent = about.dataset.model;
    on.start.disabled = false;
    if (!device.running) say("Start the camera.");
    return watch();
  }
  inFlight = false;
  pass(); // so that the worker has something to do while this is drawn
  if (active()) shown(answer);
}

function shown({ people: found, light, time, times, width, height }) {
  people.add(found, time);
  const all = people.all();
  const present = all.filter((one) => one.seen === time);
  on.frame.style.aspectRatio = `${width} / ${height}`;
  drawPeople(on.overlay, present, { width, height, mirrored: on.mirror.checked, maps: on.map.checked }, model);
  panel.show(all, time, model);
  const sentence = state(present, light);
  if (sentence !== pending.sentence) pending = { sentence, since: time };
  if (time - pending.since >= STATE_SECONDS) say(sentence);
  if (recording) {
    recording.add(present, time);
    on.record.textContent = `Stop and save (${recording.rows})`;
    if (recording.full) finish();
  }
  rate.count++;
  if (time - rate.since >= 1) {
    const speed = rate.count / (time - rate.since);
    const stats = Object.fromEntries(Object.entries(times).map(([name, value]) => [name, Number(value.toFixed(1))]));
    document.body.dataset.stats = JSON.stringify({ answered: (Number(document.body.dataset.answered) || 0), speed, times: stats });
    about.textContent = `${about.dataset.model} ${speed.toFixed(0)} pictures a second.`;
    rate = { since: time, count: 0 };
  }
  document.body.dataset.answered = (Number(document.body.dataset.answered) || 0) + 1;
}

const active = () => model !== null && device.running && !document.hidden;

/** Takes the camera's pictures from now on. One is with the worker, and the newest waits for it; others are dropped. */
function watch() {
  const mine = ++asked;
  const again = on.video.requestVideoFrameCallback?.bind(on.video) ?? requestAnimationFrame;
  const take = async () => {
    if (mine !== asked || !active()) return;
    again(take);
    if (taking || !on.video.videoWidth) return;
    taking = true;
    try {
      const frame = await createImageBitmap(on.video);
      held?.frame.close();
      held = { frame, time: performance.now() / 1000 };
    } catch {
      // the camera has just gone
    }
    taking = false;
    pass();
  };
  if (active()) again(take);
}

/** Gives the worker the newest picture, if it has none. */
function pass() {
  if (inFlight || !held || !active()) return;
  inFlight = true;
  worker.postMessage({ ...held, maps: on.map.checked }, [held.frame]);
  held = null;
}

/** Forgets the picture that waits. */
function drop() {
  held?.frame.close();
  held = null;
}

async function start(id = "") {
  say("Waiting for the camera …");
  on.start.hidden = true;
  on.stop.disabled = false;
  try {
    if (!(await device.start(id, () => stop("The camera is gone; plug it in, and start again.")))) return;
  } catch (error) {
    return stop(error.message, true);
  }
  on.mirror.checked = !device.outward;
  mirror();
  const cameras = await device.all();
  on.camera.replaceChildren(...cameras.map(({ id: value, name, current }) => new Option(name, value, current, current)));
  on.snapshot.disabled = on.record.disabled = false;
  people.clear();
  rate = { since: performance.now() / 1000, count: 0 };
  watch();
}

function stop(sentence = "The camera is off.", error = false) {
  device.stop();
  drop();
  finish();
  people.clear();
  panel.show([], 0, model);
  on.overlay.getContext("2d").clearRect(0, 0, on.overlay.width, on.overlay.height);
  on.start.hidden = false;
  on.stop.disabled = on.snapshot.disabled = on.record.disabled = true;
  say(sentence, error);
}

/** Ends a recording, and has the browser save it. */
function finish() {
  on.record.setAttribute("aria-pressed", "false");
  on.record.textContent = "Record";
  if (recording?.rows) save(new Blob([recording.csv()], { type: "text/csv" }), recording.name);
  recording = null;
}

function mirror() {
  on.video.classList.toggle("mirrored", on.mirror.checked);
}

on.start.addEventListener("click", () => start(on.camera.value));
on.stop.addEventListener("click", () => stop());
on.camera.addEventListener("change", () => start(on.camera.value));
on.model.addEventListener("change", () => use(Number(on.model.value)));
on.mirror.addEventListener("change", mirror);
on.record.addEventListener("click", () => {
  if (recording) return finish();
  recording = new Recording(model);
  on.record.setAttribute("aria-pressed", "true");
  on.record.textContent = "Stop and save (0)";
});
on.snapshot.addEventListener("click", async () => {
  const name = `expressions-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.png`;
  save(await snapshot(on.video, on.overlay, on.mirror.checked), name);
});
document.addEventListener("visibilitychange", () => {
  device.pause(document.hidden);
  if (document.hidden) return say(device.running ? "Paused: this tab is hidden." : on.status.textContent);
  if (device.running) say("Looking …");
  rate = { since: performance.now() / 1000, count: 0 };
  drop();
  watch();
});
addEventListener("pagehide", () => device.running && stop());

load();
