import { PNG } from "pngjs";
import { defineTasks } from "simurgh";

const CHANNELS = 4;
const MOST_PIXELS = 16_000_000;
/** Offset of the width in a PNG; the height follows it. */
const SIZE_OFFSET = 16;

/** The input of the task. */
export interface Thumbnail {
  readonly png: Uint8Array;
  /** Maximum number of pixels of the longer side. */
  readonly side: number;
}

export default defineTasks({
  thumbnail({ png, side }: Thumbnail, { transfer }): Uint8Array {
    const file = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
    // Checked before decoding, because a few bytes may expand to a gigabyte.
    if (pixelsOf(file) > MOST_PIXELS) {
      throw new RangeError(`an image must have at most ${MOST_PIXELS} pixels`);
    }
    const image = PNG.sync.read(file);
    const scale = Math.min(1, side / Math.max(image.width, image.height));
    const bytes = new Uint8Array(PNG.sync.write(shrunk(image, scale)));
    return transfer(bytes, [bytes.buffer]);
  },
});

function pixelsOf(file: Buffer): number {
  if (file.length < SIZE_OFFSET + 8) throw new RangeError("an image must be a PNG");
  return file.readUInt32BE(SIZE_OFFSET) * file.readUInt32BE(SIZE_OFFSET + 4);
}

/** Shrinks an image; each pixel is the mean of those that it covers. */
function shrunk(image: PNG, scale: number): PNG {
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  const small = new PNG({ width, height });
  for (let y = 0; y < height; y += 1) {
    const rows = range(y, height, image.height);
    for (let x = 0; x < width; x += 1) {
      const columns = range(x, width, image.width);
      for (let channel = 0; channel < CHANNELS; channel += 1) {
        small.data[(y * width + x) * CHANNELS + channel] = mean(image, rows, columns, channel);
      }
    }
  }
  return small;
}

type Range = readonly [from: number, to: number];

/** Returns the range of `whole` pixels that pixel `at` of `of` covers. */
function range(at: number, of: number, whole: number): Range {
  const from = Math.floor((at * whole) / of);
  return [from, Math.max(from + 1, Math.floor(((at + 1) * whole) / of))];
}

function mean({ data, width }: PNG, rows: Range, columns: Range, channel: number): number {
  let sum = 0;
  for (let y = rows[0]; y < rows[1]; y += 1) {
    for (let x = columns[0]; x < columns[1]; x += 1) {
      sum += data[(y * width + x) * CHANNELS + channel] as number;
    }
  }
  return Math.round(sum / ((rows[1] - rows[0]) * (columns[1] - columns[0])));
}
