// What lies over the camera's picture: boxes with an answer, and where the network looks. Mirrored with the picture, words not.

import { drawBox } from "./draw.js";
import { invert } from "./geometry.js";
import { candidates, isClear, ranked } from "./words.js";

/** Draws the people over a picture of the given size. */
export function drawPeople(canvas, people, { width, height, mirrored, maps }, model) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  for (const one of people) {
    if (maps && one.map && one.quality.readable) drawMap(context, one, width, mirrored, model);
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
  for (const one of people) {
    const x = mirrored ? width - one.box.x - one.box.width : one.box.x;
    drawBox(context, { ...one.box, x }, ...tag(one, model));
  }
}

/** The word beside a box, and its colours. */
export function tag({ id, smooth, quality }, model) {
  const best = ranked(smooth)[0];
  const sure = isClear(smooth, model);
  if (!quality.readable || (!sure && candidates(smooth, model).length > 2)) {
    return [`${id} ?`, { color: model.untoldColor, textColor: "#000000" }];
  }
  return [`${id} ${model.labels[best]}${sure ? "" : "?"}`, { color: model.colors[best], textColor: model.textColors[best] }];
}

/** What speaks for the answer, brighter the more; what speaks against it stays clear. */
function drawMap(context, { map, matrix }, width, mirrored, model) {
  const most = Math.max(...map.values, 1e-6);
  const small = new OffscreenCanvas(map.width, map.height);
  const image = new ImageData(map.width, map.height);
  map.values.forEach((value, i) => image.data.set([255, 200, 0, Math.max(0, (170 * value) / most)], 4 * i));
  small.getContext("2d").putImageData(image, 0, 0);
  const [a, b, c, d, e, f] = invert(matrix);
  context.setTransform(1, 0, 0, 1, 0, 0);
  if (mirrored) context.transform(-1, 0, 0, 1, width, 0);
  context.transform(a, d, b, e, c, f);
  context.drawImage(small, 0, 0, model.size[0], model.size[1]);
}

/** The picture with its boxes as a PNG file. */
export function snapshot(video, overlay, mirrored) {
  const canvas = new OffscreenCanvas(overlay.width, overlay.height);
  const context = canvas.getContext("2d");
  if (mirrored) context.setTransform(-1, 0, 0, 1, canvas.width, 0);
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(overlay, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}
