// What is recorded, as a CSV file that the visitor keeps: numbers, never pictures.

const MOST_ROWS = 200_000; // some two hours of one person
const digits = (value, n) => String(Number(value.toFixed(n)));

export class Recording {
  #rows = [];

  /** `model` has the classes. */
  constructor(model) {
    this.model = model;
    this.started = new Date();
    this.first = null;
  }

  get rows() {
    return this.#rows.length;
  }

  get full() {
    return this.rows >= MOST_ROWS;
  }

  /** Notes the people of a picture of `now` seconds: the network's own answers, and the smoothed class that was shown. */
  add(people, now) {
    this.first ??= now;
    for (const { id, box, probabilities, smooth, quality } of people) {
      const shown = smooth.indexOf(Math.max(...smooth));
      this.#rows.push([
        digits(now - this.first, 3),
        id,
        this.model.labels[shown],
        digits(smooth[shown], 4),
        ...probabilities.map((p) => digits(p, 4)),
        ...[box.x, box.y, box.width, box.height].map((v) => digits(v, 1)),
        quality.readable ? "yes" : "no",
        quality.flags.join(" "),
      ]);
    }
  }

  csv() {
    const columns = ["seconds", "person", "shown", "shown_confidence", ...this.model.labels];
    const head = [...columns, "x", "y", "width", "height", "readable", "flags"];
    return `${[head, ...this.#rows].map((row) => row.join(",")).join("\r\n")}\r\n`;
  }

  get name() {
    return `expressions-${this.started.toISOString().slice(0, 19).replaceAll(":", "-")}.csv`;
  }
}

/** Has the browser save something. */
export function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
