// The page: photos or the camera in, a guess about each face out. Nothing is sent anywhere.

import { Camera } from "./camera.js";
import { PhotoError, openPhoto } from "./files.js";
import { clear, listPhotos, offerSamples, say, sentence, show } from "./view.js";

const [chooser, cameraButton, wholeButton, back] = ["file", "camera", "whole", "back"].map((id) =>
  document.getElementById(id),
);

/** All photos that came, in order: `{file, name, state, faces, sentence, whole}`; their pixels are not kept. */
const photos = [];
let wanted = null; // the photo that the visitor looks at, or waits for
let working = false;
let loaded = false;
let model = null;

// Listeners come before all that takes time: what the visitor does while the network loads is done after it.
chooser.addEventListener("change", () => {
  add(chooser.files);
  chooser.value = ""; // so that the same file can be chosen again
});
cameraButton.addEventListener("click", () => {
  if (camera.running) {
    camera.stop();
    say("The camera is off. Add a photo.");
  } else {
    wanted = null;
    wholeButton.hidden = true;
    update();
    camera.start();
  }
});
wholeButton.addEventListener("click", () => {
  Object.assign(wanted, { whole: true, state: "waiting" });
  look(wanted);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragged");
});
document.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dragged"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragged");
  add(event.dataTransfer.files, "What was dropped is no file; save the photo, and drop the file.");
});
document.addEventListener("paste", ({ clipboardData }) =>
  add(clipboardData.files, "The clipboard holds no photo; copy the photo itself, not its address or a text."),
);

const ready = load();
const camera = new Camera(ready, (picture, faces) => show(picture, faces, false, model));
// The app serves the page under this path, and itself one level above.
back.hidden = !/\/browser\/(index\.html)?$/.test(location.pathname);
if (chooser.files.length) add(chooser.files); // chosen before this script ran

async function load() {
  try {
    const answer = await fetch("model.json");
    if (!answer.ok) throw new Error(`model.json: ${answer.status}`);
    model = await answer.json();
    document.getElementById("disclaimer").textContent = model.disclaimer;
    document.getElementById("about").textContent = `Model: ${model.name}. Runtime: ONNX Runtime Web (MIT).`;
    offerSamples(model.samples, addSample);
    const { Reader } = await import("./reader.js");
    const reader = await Reader.load(model);
    loaded = true;
    if (!wanted && !camera.running) say("Add a photo.");
    return reader;
  } catch (error) {
    say(`The network could not be loaded (${error.message}); reload the page, or ask whoever serves it.`, true);
    throw error;
  }
}

/** Takes files in; the first of them is looked at next, and the others after it. */
function add(files, otherwise = "No photo was chosen.") {
  const added = [...files].map((file) => ({ file, name: file.name || "The photo", state: "waiting" }));
  if (!added.length) return say(otherwise, true);
  photos.push(...added);
  look(added[0]);
}

async function addSample({ file, title }) {
  try {
    const answer = await fetch(file);
    if (!answer.ok) throw new Error(answer.status);
    add([new File([await answer.blob()], title)]);
  } catch (error) {
    say(`The sample could not be loaded (${error.message}); choose a photo of your own.`, true);
  }
}

/** Turns to a photo: shows its answer, or has it read before the others. */
async function look(photo) {
  camera.stop();
  wanted = photo;
  wholeButton.hidden = true;
  clear();
  update();
  if (photo.state === "failed") return say(photo.sentence, true);
  const several = photos.length > 1 ? `${photo.name}: ` : "";
  if (!loaded) say("Loading the network …, your photo is next.");
  else say(photo.state === "done" ? `${several}opening …` : `${several}looking for faces …`);
  if (photo.state === "waiting") return work();
  const picture = await openPhoto(photo.file, photo.name, model);
  if (wanted === photo) present(photo, picture);
}

/** Reads what waits, one photo after the other: the one that is looked at, then in the order in which they came. */
async function work() {
  if (working) return;
  working = true;
  try {
    const reader = await ready;
    for (let photo; (photo = wanted?.state === "waiting" ? wanted : photos.find((one) => one.state === "waiting")); ) {
      await read(photo, reader);
    }
  } catch {
    // the network could not be loaded, and the page has said so
  } finally {
    working = false;
  }
}

async function read(photo, reader) {
  if (wanted === photo) say(`${photos.length > 1 ? `${photo.name}: l` : "L"}ooking for faces …`);
  await new Promise((resolve) => setTimeout(resolve, 30)); // so that the sentence above is seen
  const whole = photo.whole ?? false;
  let picture = null;
  try {
    picture = await openPhoto(photo.file, photo.name, model);
    photo.faces = await reader.read(picture, { whole });
    photo.state = "done";
  } catch (error) {
    photo.state = "failed";
    const unknown = `${photo.name} could not be read (${error.message}); try a smaller one.`;
    photo.sentence = error instanceof PhotoError ? error.message : unknown;
  }
  update();
  if (wanted !== photo) return;
  if (photo.state === "done") present(photo, picture);
  else say(photo.sentence, true);
}

/** Shows a photo's answer, and has it read out. */
function present(photo, picture) {
  const { faces, whole = false } = photo;
  show(picture, faces, whole, model);
  wholeButton.hidden = whole || faces.length > 0;
  const name = photos.length > 1 ? `${photo.name}: ` : "";
  const count = faces.length === 1 ? "1 face found." : `${faces.length} faces found.`;
  const said = whole ? "The whole picture was taken as one face." : faces.length ? count : "No face was found.";
  const words = faces.map((face, n) => `${faces.length > 1 ? `Face ${n + 1} ` : "It "}${sentence(face, model)}.`);
  say(name + said, false, words.join(" "));
}

function update() {
  listPhotos(photos, wanted, model, look);
}
