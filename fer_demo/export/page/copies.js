// The reduced copies of a picture that the detector glances at, as fer_demo/vision/copies.py: pairs of a picture and what its
// sides were multiplied by.

import { draw, linear, part, reduce, round } from "./resample.js";

/** The reduced copy alone. */
export function reduced(picture, { longestSide }) {
  const scale = Math.min(1, longestSide / Math.max(picture.width, picture.height));
  return [scaled(picture, scale), scale];
}

/** The reduced copy, and the one for close-ups. */
export function copies(picture, settings) {
  const closeUp = settings.closeUpSide / Math.max(picture.width, picture.height);
  const [copy, scale] = reduced(picture, settings);
  const [source, done] = closeUp < scale ? [copy, scale] : [picture, 1];
  return [[copy, scale], [scaled(source, closeUp / done), closeUp]];
}

const area = ({ width, height }) => width * height;

/** Without the first where the second is larger: it is a thumbnail enlarged. */
export function useful(made) {
  return area(made[0][0]) > area(made[1][0]) ? made : made.slice(1);
}

/** About as many pixels as the copies have that are turned by 35 degrees one way. */
export function turnedPixels(made) {
  return useful(made).reduce((sum, [copy]) => sum + 2 * area(copy), 0);
}

/** The matrix that multiplies places. */
export const zoom = (scale) => [scale, 0, 0, 0, scale, 0];

/** A picture whose sides are multiplied, at least one pixel each. */
function scaled(picture, scale) {
  if (scale === 1) return picture;
  const [width, height] = [picture.width, picture.height].map((side) => Math.max(1, round(side * scale)));
  while (picture.width >= 2 * width && picture.height >= 2 * height) picture = halved(picture);
  if (picture.width === width && picture.height === height) return picture;
  if (scale < 1) return linear(picture, width, height);
  return draw(picture, [width / picture.width, 0, 0, 0, height / picture.height, 0], width, height, { cubic: true });
}

/** Half as large, without a last row or column that has no partner. */
function halved(picture) {
  const [width, height] = [picture.width >> 1, picture.height >> 1];
  return reduce(part(picture, 0, 0, 2 * width, 2 * height), width, height);
}
