// The files of a ZIP archive, taken out in the browser one after the other, so that one of any size can be sent in parts.
window.ferZip = (() => {
  "use strict";
  const END = 0x06054b50;
  const ENTRY = 0x02014b50;

  const view = async (blob) => new DataView(await blob.arrayBuffer());

  // What is inside, or an exception for what this cannot read: it is then sent as it is, and the server says what it is.
  async function list(file) {
    const from = Math.max(0, file.size - 65557);
    const tail = await view(file.slice(from));
    let end = tail.byteLength - 22;
    while (end >= 0 && tail.getUint32(end, true) !== END) end -= 1;
    if (end < 0) throw new Error("no end of the list");
    const [count, size, start] = [tail.getUint16(end + 10, true), tail.getUint32(end + 12, true), tail.getUint32(end + 16, true)];
    if (count === 0xffff || start === 0xffffffff) throw new Error("ZIP64");
    if (start + size > file.size) throw new Error("cut off");
    const table = await view(file.slice(start, start + size));
    const found = [];
    for (let at = 0, number = 0; number < count; number += 1) {
      if (table.getUint32(at, true) !== ENTRY) throw new Error("damaged list");
      const lengths = [28, 30, 32].map((offset) => table.getUint16(at + offset, true));
      const name = new TextDecoder().decode(new Uint8Array(table.buffer, at + 46, lengths[0])).replaceAll("\\", "/");
      found.push({
        name,
        locked: (table.getUint16(at + 8, true) & 1) === 1,
        method: table.getUint16(at + 10, true),
        packed: table.getUint32(at + 20, true),
        size: table.getUint32(at + 24, true),
        place: table.getUint32(at + 42, true),
      });
      at += 46 + lengths[0] + lengths[1] + lengths[2];
    }
    return found.filter((entry) => !entry.name.endsWith("/"));
  }

  // One file. No more than `most` bytes are unpacked, whatever the archive says about its size.
  async function take(file, entry, most) {
    const head = await view(file.slice(entry.place, entry.place + 30));
    const start = entry.place + 30 + head.getUint16(26, true) + head.getUint16(28, true);
    const packed = file.slice(start, start + entry.packed);
    if (entry.method === 0) return packed;
    if (entry.method !== 8) throw new Error("a method that browsers lack");
    const reader = packed.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    const parts = [];
    for (let total = 0; ; ) {
      const { done, value } = await reader.read();
      if (done) return new Blob(parts);
      parts.push(value);
      if ((total += value.byteLength) > most) {
        reader.cancel();
        throw new Error("larger than it says");
      }
    }
  }

  return { list, take };
})();
