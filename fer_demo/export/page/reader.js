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

async function load(file) {
  const answer = await fetch(file);
  if (!answer.ok) throw new Error(`${file}: ${answer.status}`);
  return ort.InferenceSession.create(await answer.arrayBuffer(), { executionProviders: ["wasm"] });
}

export class Reader {
  #last = Promise.resolve();

  /** `model` is what model.json says. */
  static async load(model) {
    const reader = new Reader();
    reader.model = model;
    reader.classifier = await load("model.onnx");
    reader.detector = new Detector(ort, await load("yunet.onnx"), model.detection);
    return reader;
  }

  /**
   * Faces and answers of one picture as `pixels` of files.js returns it: `whole` takes it as one face, without `turned` only
   * upright heads are looked for. Runs after whatever was asked for before.
   */
  read(picture, { whole = false, turned = true } = {}) {
    const mine = this.#last.then(() => this.#read(picture, whole, turned));
    this.#last = mine.catch(() => {});
    return mine;
  }

  async #read(picture, whole, turned) {
    const { model } = this;
    const size = model.size[0];
    const target = model.detection.template.map(([x, y]) => [x * size, y * size]);
    const all = { x: 0, y: 0, width: picture.width, height: picture.height };
    const [across, along] = picture.scale ?? [1, 1];
    const cutOut = (box, matrix, landmarks = null) => {
      const pixels = crop(picture, matrix, size);
      const quality = cropQuality(pixels, size, matrix, landmarks, whole ? null : picture, model);
      // The box in pixels of the photo itself, of which a large one is read at a fraction.
      const place = { x: box.x * across, y: box.y * along, width: box.width * across, height: box.height * along };
      return { box: place, crop: pixels, quality };
    };
    const found = whole ? [] : await this.detector.detect(picture, turned);
    const faces = whole
      ? [cutOut(all, squareMatrix(all, size))]
      : found.map(({ box, landmarks }) => {
          const points = landmarks.map((point) => point.map(Math.fround)); // as Python keeps them
          return cutOut(box, similarity(points, target), points);
        });
    if (faces.length) (await this.classify(faces.map((f) => f.crop))).forEach((p, i) => (faces[i].probabilities = p));
    return faces;
  }

  /** Probabilities for grey crops, all in one batch; behind them their mirror images, if the model looks at both. */
  async classify(crops) {
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
    const { logits } = await this.classifier.run({ input: new ort.Tensor("float32", input, shape) });
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
}
