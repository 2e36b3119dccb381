// Runs face_expression_model of npm's @vladmandic/face-api through the package's own functions, on WebAssembly.

import fs from 'node:fs';
import path from 'node:path';
import * as timing from './timing.mjs';

const NAME = '@vladmandic/face-api';

const { faces, folder, require } = timing.setUp();
const tf = await timing.startWasm(require);
const faceapi = require(`${NAME}/dist/face-api.node-wasm.js`);
const models = path.join(folder, 'node_modules', NAME, 'model');
const network = faceapi.nets.faceExpressionNet;
await network.loadFromDisk(models);
const manifest = JSON.parse(fs.readFileSync(path.join(models, 'face_expression_model-weights_manifest.json'), 'utf8'));
const labels = faceapi.FACE_EXPRESSION_LABELS;

async function classify(pictures) {
  const images = pictures.map((p) => tf.tensor3d(p, [timing.SIDE, timing.SIDE, 3]));
  const answers = await network.predictExpressions(images);
  tf.dispose(images);
  return answers.map((answer) => labels.map((label) => answer[label]));
}

console.log(JSON.stringify({
  ...timing.facts(folder, NAME),
  runtime: `TensorFlow.js ${tf.version_core} wasm, Node.js ${process.versions.node}`,
  ...timing.sizes(manifest, models),
  labels,
  ...await timing.measure(classify, faces, [1, 8, 32]),
}));
