// The network and the detector, and one picture at a time through both: fer_demo/predictor.py and classifier.py.

import * as ort from "./ort/ort.wasm.min.mjs";
import { Detector } from "./detect.js";
import { crop, similarity, squareMatrix } from "./geometry.js";
import { cropQuality } from "./quality.js";

const MOST_THREADS = 4; // more mostly wait for each other: the networks are small

// Browsers lend threads to pages that are cut off from all others, which headers say: the app sends them.
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
ort.env.logLevel = "error";

/** A file of the page as bytes. */
export async function fetched(file) {
  const answer = await fetch(new URL(file, import.meta.url));
  if (!answer.ok) throw new Error(`${file}: ${answer.status}`);
  return answer.arrayBuffer();
}

async function load(file) {
  return ort.InferenceSession.create(await fetched(file), { executionProviders: ["wasm"] });
}

export class Reader {
  #last = Promise.resolve();

  /** `model` is what model.json says, or one of its `models` with the rest of it; `threads` is a most for small networks. */
  static async load(model, threads = MOST_THREADS) {
    ort.env.wasm.numThreads = Math.min(threads, ort.env.wasm.numThreads);
    const reader = new Reader();
    reader.detector = new Detector(ort, await load("yunet.onnx"), model.detection);
    await reader.change(model);
    return reader;
  }

  /** Takes another network; the detector stays. */
  async change(model) {
    const before = this.classifier;
    [this.classifier, this.ort, this.model] = [await load(model.file ?? "model.onnx"), ort, model];
    await before?.release();
  }

  /**
   * Faces and answers of one picture as `pixels` of files.js returns it: `whole` takes it as one face, without `turned` only
   * upright heads are looked for. Runs after whatever was asked for before.
   */
  read(picture, { whole = false, turned = true } = {}) {
    const mine = this.#last.then(async () => {
      if (!whole) return this.answer(picture, await this.detector.detect(picture, turned));
      const all = { x: 0, y: 0, width: picture.width, height: picture.height };
      return this.#answered([this.#cutOut(picture, all, squareMatrix(all, this.model.size[0]))]);
    });
    this.#last = mine.catch(() => {});
    return mine;
  }

  /** The answers for faces that the detector found in a picture; with `maps` also where each answer comes from. */
  answer(picture, found, maps = false) {
    const size = this.model.size[0];
    const target = this.model.detection.template.map(([x, y]) => [x * size, y * size]);
    const cut = ({ box, landmarks }) => {
      const points = landmarks.map((point) => point.map(Math.fround)); // as Python keeps them
      return this.#cutOut(picture, box, similarity(points, target), points);
    };
    return this.#answered(found.map(cut), maps);
  }

  #cutOut(picture, box, matrix, landmarks = null) {
    const size = this.model.size[0];
    const pixels = crop(picture, matrix, size, this.model.detection);
    const quality = cropQuality(pixels, size, matrix, landmarks, landmarks && picture, this.model);
    // The box in pixels of the photo itself, of which a large one is read at a fraction.
    const [across, along] = picture.scale ?? [1, 1];
    const place = { x: box.x * across, y: box.y * along, width: box.width * across, height: box.height * along };
    return { box: place, crop: pixels, quality, matrix };
  }

  async #answered(faces, maps = false) {
    if (!faces.length) return faces;
    const answers = await this.classify(faces.map((face) => face.crop), maps);
    return faces.map((face, i) => ({ ...face, ...answers[i] }));
  }

  /** Probabilities for grey crops, all in one batch; behind them their mirror images, if the model looks at both. */
  async classify(crops, maps = false) {
    const { model } = this;
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
    const classes = model.labels.length;
    const out = await this.classifier.run({ input: new this.ort.Tensor("float32", input, shape) });
    return crops.map((_, n) => {
      const answers = Array.from({ length: views }, (_, v) => out.logits.data.subarray(classes * (n + v * crops.length)));
      const scores = Array.from({ length: classes }, (_, c) => {
        return answers.reduce((sum, answer) => sum + answer[c], 0) / views / model.temperature;
      });
      const powers = scores.map((value) => Math.exp(value - Math.max(...scores)));
      const sum = powers.reduce((a, b) => a + b);
      const probabilities = powers.map((value) => value / sum);
      if (!maps || !out.maps) return { probabilities };
      const best = probabilities.indexOf(Math.max(...probabilities));
      return { probabilities, map: activation(out.maps, best, views === 2 ? [n, n + crops.length] : [n]) };
    });
  }
}

/** A class's activation map {values, width, height} in logits, the mean of the two views of a face. */
function activation({ data, dims }, label, [plain, mirrored]) {
  const [, classes, height, width] = dims;
  const at = (view, i) => data[(view * classes + label) * height * width + i];
  const values = Array.from({ length: height * width }, (_, i) => {
    if (mirrored === undefined) return at(plain, i);
    return (at(plain, i) + at(mirrored, i - (i % width) + (width - 1 - (i % width)))) / 2;
  });
  return { values, width, height };
}
