// Runs models/emotion of npm's @vladmandic/human with TensorFlow.js on WebAssembly.

import fs from 'node:fs';
import path from 'node:path';
import * as timing from './timing.mjs';

const NAME = '@vladmandic/human';

const { faces, folder, require } = timing.setUp();
const tf = await timing.startWasm(require);
const { loadGraphModel } = require('@tensorflow/tfjs-converter');
const models = path.join(folder, 'node_modules', NAME, 'models');
const { modelTopology, weightsManifest, format } = JSON.parse(fs.readFileSync(path.join(models, 'emotion.json'), 'utf8'));
const bytes = Buffer.concat(weightsManifest.flatMap((group) => group.paths).map((file) => fs.readFileSync(path.join(models, file))));
const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
const weightSpecs = weightsManifest.flatMap((group) => group.weights);
const network = await loadGraphModel({ load: async () => ({ modelTopology, weightSpecs, weightData, format }) });

// The package does not export its emotion step, so src/gear/emotion.ts is followed here line by line; the division by
// 255 is src/face/faceboxes.ts's. Its constants:
const rgb = tf.tensor1d([0.2989, 0.5870, 0.1140]);
const labels = ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral'];
const size = network.inputs[0].shape[2];

function classify(pictures) {
  const scores = tf.tidy(() => {
    const images = tf.div(tf.stack(pictures.map((p) => tf.tensor3d(p, [timing.SIDE, timing.SIDE, 3]))), 255);
    const resized = tf.image.resizeBilinear(images, [size, size], false);
    const grey = tf.sum(tf.mul(resized, rgb), 3, true);
    return network.execute(tf.mul(tf.sub(grey, 0.5), 2));
  });
  const rows = scores.arraySync();
  scores.dispose();
  return rows;
}

console.log(JSON.stringify({
  ...timing.facts(folder, NAME),
  runtime: `TensorFlow.js ${tf.version_core} wasm, Node.js ${process.versions.node}`,
  ...timing.sizes(weightsManifest, models),
  labels,
  ...await timing.measure(classify, faces, [1, 8, 32]),
}));
