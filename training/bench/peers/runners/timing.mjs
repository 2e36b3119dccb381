// The procedure of measuring, for runners in JavaScript; see timing.py, which it copies step by step.

import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

export const SIDE = 48;
const PIXELS = SIDE * SIDE;
const WARM_UP = 256;
const REPEATS = 3;

/** The file of the faces, the peer's folder, and a `require` that finds the packages installed there. */
export function setUp() {
  const [faces, folder] = process.argv.slice(2);
  if (!folder) throw new Error('use: RUNNER FACES FOLDER');
  return { faces: readFaces(faces), folder, require: createRequire(path.join(path.resolve(folder), 'package.json')) };
}

/** Faces as RGB pictures, which both packages take: a Float32Array of 48 * 48 * 3 values from 0 to 255 for each. */
function readFaces(file) {
  const grey = fs.readFileSync(file);
  const faces = [];
  for (let first = 0; first < grey.length; first += PIXELS) {
    const face = new Float32Array(PIXELS * 3);
    for (let i = 0; i < PIXELS; i++) face.fill(grey[first + i], 3 * i, 3 * i + 3);
    faces.push(face);
  }
  return faces;
}

/** TensorFlow.js on WebAssembly with one thread; nothing is fetched. */
export async function startWasm(require) {
  const tf = require('@tensorflow/tfjs-core');
  const wasm = require('@tensorflow/tfjs-backend-wasm');
  wasm.setThreadsCount(1);
  wasm.setWasmPaths(path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm')) + path.sep);
  if (!await tf.setBackend('wasm')) throw new Error('the wasm backend of TensorFlow.js did not start');
  await tf.ready();
  return tf;
}

/** A package's version and licence, as its package.json states them. */
export function facts(folder, name) {
  const { version, license } = JSON.parse(fs.readFileSync(path.join(folder, 'node_modules', name, 'package.json'), 'utf8'));
  return { version, licence: license };
}

/** Parameters in a weights manifest of TensorFlow.js, and the bytes of its files. */
export function sizes(manifest, folder) {
  const weights = manifest.flatMap((group) => group.weights);
  const files = manifest.flatMap((group) => group.paths);
  return {
    parameters: weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    weight_bytes: files.reduce((sum, file) => sum + fs.statSync(path.join(folder, file)).size, 0),
  };
}

/** Finds the fastest batch size, then runs all faces REPEATS times. `classify` gives an array of 7 scores a face. */
export async function measure(classify, faces, batchSizes) {
  const warmUp = faces.slice(0, WARM_UP);
  let best = null;
  for (const size of batchSizes) {
    await run(classify, warmUp, size);
    const { seconds } = await run(classify, warmUp, size);
    if (!best || seconds < best.seconds) best = { size, seconds };
  }
  const runs = [];
  for (let i = 0; i < REPEATS; i++) runs.push(await run(classify, faces, best.size));
  return { predicted: runs[0].predicted, batch_size: best.size, cpu_seconds: runs.map((r) => r.seconds) };
}

async function run(classify, faces, size) {
  const predicted = [];
  const start = process.cpuUsage();
  for (let first = 0; first < faces.length; first += size) {
    for (const scores of await classify(faces.slice(first, first + size))) {
      predicted.push(scores.reduce((top, score, i) => (score > scores[top] ? i : top), 0));
    }
  }
  const { user, system } = process.cpuUsage(start);
  return { predicted, seconds: (user + system) / 1e6 };
}
