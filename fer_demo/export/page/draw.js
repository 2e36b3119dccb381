// Boxes on the photo, as fer_demo.figures.draw_faces paints them.

/** A box in its colour with a dark edge, and a word on a tag that stays inside the picture. */
export function drawBox(context, box, text, { color, textColor }) {
  const { width: columns, height: rows } = context.canvas;
  const unit = Math.max(columns, rows) / 400; // one pixel of a picture shown 400 pixels wide, a phone's width
  const x = Math.max(0, box.x);
  const y = Math.max(0, box.y);
  const right = Math.max(x + 1, Math.min(columns - 1, box.x + box.width));
  const bottom = Math.max(y + 1, Math.min(rows - 1, box.y + box.height));
  for (const [strokeStyle, lineWidth] of [["#00000099", 3.5 * unit], [color, 2 * unit]]) {
    Object.assign(context, { strokeStyle, lineWidth });
    context.strokeRect(x, y, right - x, bottom - y);
  }
  const letters = Math.max(9, Math.round(11 * unit));
  context.font = `bold ${letters}px system-ui, sans-serif`;
  const width = context.measureText(text).width + 6 * unit;
  const height = letters + 4 * unit;
  const left = Math.max(0, Math.min(x, columns - width));
  let top = y; // inside the box, if there is room neither above nor below
  if (y >= height) top = y - height;
  else if (bottom + height <= rows) top = bottom;
  context.fillStyle = color;
  context.fillRect(left, top, width, height);
  Object.assign(context, { fillStyle: textColor, textBaseline: "middle" });
  context.fillText(text, left + 3 * unit, top + height / 2);
}
