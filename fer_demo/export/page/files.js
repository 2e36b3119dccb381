// Opens photos as fer_demo/vision/decoding.py does, and says of other files what they are and what to do about it.

const STRIP_PIXELS = 1 << 22; // a canvas of this size is held by every phone

/** What cannot be used; the message is one sentence that the visitor can act on. */
export class PhotoError extends Error {}

/** A photo's pixels as the detector takes them, `{data, width, height, scale}`; `model` has the limits. */
export async function openPhoto(file, name, model) {
  let bitmap;
  try {
    // Applies the EXIF orientation. A colour profile is ignored, as in Python: with it the same file has other pixels.
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  } catch {
    throw new PhotoError(await whyNot(file, name));
  }
  try {
    const { width, height } = bitmap;
    if (width * height > model.maxPixels) {
      const [own, most] = [width * height, model.maxPixels].map((value) => Math.round(value / 1e6));
      throw new PhotoError(`${name} has ${own} megapixels, more than the ${most} that are accepted; make it smaller first.`);
    }
    return pixels(bitmap, width, height, model.readPixels);
  } finally {
    bitmap.close();
  }
}

/** The pixels of a bitmap or a video; of more than `most`, a whole-number fraction of them, as in Python. */
export function pixels(source, width, height, most = Infinity) {
  let factor = most === Infinity ? 1 : Math.max(1, Math.floor(Math.sqrt(width * height / most)));
  const sides = () => [Math.ceil(width / factor), Math.ceil(height / factor)];
  while (sides()[0] * sides()[1] > most) factor++;
  const [w, h] = sides();
  const data = new Uint8ClampedArray(4 * w * h);
  const rows = Math.max(1, Math.floor(STRIP_PIXELS / (width * factor))) * factor;
  const context = new OffscreenCanvas(width, Math.min(rows, height)).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white"; // what is transparent becomes white
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    context.fillRect(0, 0, width, count);
    context.drawImage(source, 0, top, width, count, 0, 0, width, count);
    const strip = context.getImageData(0, 0, width, count);
    data.set(factor === 1 ? strip.data : averaged(strip, factor), 4 * w * (top / factor));
  }
  return { data, width: w, height: h, scale: [width / w, height / h] };
}

/** The means of squares of `factor` pixels, and of what is left of them at the border. */
function averaged({ data, width, height }, factor) {
  const [w, h] = [width, height].map((side) => Math.ceil(side / factor));
  const out = new Uint8ClampedArray(4 * w * h).fill(255);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const [right, bottom] = [Math.min(width, (x + 1) * factor), Math.min(height, (y + 1) * factor)];
      const count = (right - x * factor) * (bottom - y * factor);
      for (let k = 0; k < 3; k++) {
        let sum = 0;
        for (let v = y * factor; v < bottom; v++) {
          for (let u = x * factor; u < right; u++) sum += data[4 * (v * width + u) + k];
        }
        out[4 * (y * w + x) + k] = Math.floor(sum / count + 0.5);
      }
    }
  }
  return out;
}

const AS_JPEG = "save it as JPEG or PNG first";

// Kind of a file to what it is and what to do. The name of the file comes before.
const KINDS = {
  heic: "is a HEIC photo, which this browser cannot open; export it as JPEG, on an iPhone by Settings > Camera > Formats > Most Compatible.",
  tiff: `is a TIFF picture, which browsers cannot open; ${AS_JPEG}.`,
  raw: "is a camera's raw file; develop it, or take the JPEG that the camera saved beside it.",
  pdf: "is a PDF document; take a screenshot of the photo in it, or export the page as JPEG.",
  video: "is a video; pause it where the face is seen well, and add a screenshot.",
  sound: "is a sound recording; add a photo.",
  svg: `is an SVG drawing; ${AS_JPEG}.`,
  psd: `is a Photoshop file; ${AS_JPEG}.`,
  jpeg2000: `is a JPEG 2000 picture, which this browser cannot open; ${AS_JPEG}.`,
  jpegxl: `is a JPEG XL picture, which this browser cannot open; ${AS_JPEG}.`,
  avif: `is an AVIF picture that this browser cannot open; ${AS_JPEG}.`,
  archive: "is an archive or an office document; unpack it, and add the photos that are in it.",
  empty: "is empty (0 bytes); choose another photo.",
  folder: "is a folder, or may not be read; add the photos that are in it.",
  damaged: "is damaged or cut off; get the file again, or save it anew as JPEG or PNG.",
  other: "is no picture that this browser can open; save it as JPEG or PNG.",
};

const ENDINGS = [
  [/\.(hei[cf]|hif)$/i, "heic"],
  [/\.(cr2|cr3|nef|arw|dng|raf|orf|rw2|pef|srw)$/i, "raw"],
  [/\.tiff?$/i, "tiff"],
  [/\.pdf$/i, "pdf"],
  [/\.(mp4|m4v|mov|avi|mkv|webm|wmv|mpe?g|3gp)$/i, "video"],
  [/\.(mp3|wav|m4a|ogg|flac|aac)$/i, "sound"],
  [/\.svgz?$/i, "svg"],
  [/\.ps[db]$/i, "psd"],
  [/\.(jp2|j2k|jpx)$/i, "jpeg2000"],
  [/\.jxl$/i, "jpegxl"],
  [/\.(zip|7z|rar|tar|gz|docx?|xlsx?|pptx?|odt)$/i, "archive"],
];

// How files of a kind begin, as Latin-1.
const STARTS = [
  [/^....ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)/s, "heic"],
  [/^....ftypavi[fs]/s, "avif"],
  [/^....ftypcrx /s, "raw"],
  [/^....ftypM4A/s, "sound"],
  [/^....(ftyp|moov|mdat)|^\x1aE\xdf\xa3|^RIFF....AVI |^\0\0\x01\xb[a3]/s, "video"],
  [/^(II\*\0|MM\0\*|II\+\0|MM\0\+)/s, "tiff"],
  [/^%PDF/, "pdf"],
  [/^(ID3|fLaC|OggS|RIFF....WAVE)/s, "sound"],
  [/^8BPS/, "psd"],
  [/^(\0\0\0\x0cjP {2}|\xff\x4f\xff\x51)/s, "jpeg2000"],
  [/^(\xff\x0a|\0\0\0\x0cJXL )/s, "jpegxl"],
  [/^(PK\x03\x04|7z\xbc\xaf|Rar!|\x1f\x8b|\xd0\xcf\x11\xe0)/s, "archive"],
  [/^(\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|BM)/s, "damaged"], // every browser opens these
  [/^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*<svg/s, "svg"],
];

/** One sentence about a file that the browser did not open as a picture. */
export async function whyNot(file, name) {
  let kind = "folder";
  try {
    const start = String.fromCharCode(...new Uint8Array(await file.slice(0, 512).arrayBuffer()));
    const ending = ENDINGS.find(([pattern]) => pattern.test(file.name))?.[1];
    const begins = STARTS.find(([pattern]) => pattern.test(start))?.[1];
    // Raw files begin as TIFF does, and their names tell them apart.
    kind = file.size === 0 ? "empty" : (begins === "tiff" && ending === "raw" ? ending : begins ?? ending ?? "other");
  } catch {
    // a folder that was dropped, or a file that is gone
  }
  return `${name} ${KINDS[kind]}`;
}
