/** TFLite files of wideband-export: the model and, in a zip archive behind it, its metadata. */

import {METHODS} from "./dsp/interpolate.js";

const MEMBER = "wideband.json";
const MAGIC = "TFL3";

/**
 * Reads a file of wideband-export.
 * @param {Uint8Array} bytes
 * @returns {{model: Uint8Array, metadata: object}}
 * @throws {Error} it is not such a file.
 */
export function readExport(bytes) {
  if (text(bytes.subarray(4, 8)) !== MAGIC) throw new Error("not a TFLite file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    // The end record of an archive without a comment, its first entry, and that member's header.
    const end = bytes.length - 22;
    if (view.getUint32(end, true) !== 0x06054b50) throw new RangeError();
    const size = view.getUint32(end + 12, true);
    const entry = end - size;
    const shift = entry - view.getUint32(end + 16, true);
    const header = shift + view.getUint32(entry + 42, true);
    const stored = view.getUint16(header + 8, true) === 0;
    const nameLength = view.getUint16(header + 26, true);
    const start = header + 30 + nameLength + view.getUint16(header + 28, true);
    const name = text(bytes.subarray(header + 30, header + 30 + nameLength));
    if (!stored || name !== MEMBER) throw new RangeError();
    const content = text(bytes.subarray(start, start + view.getUint32(header + 22, true)));
    return {model: bytes.subarray(0, header), metadata: check(JSON.parse(content))};
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
    throw new Error("truncated, or not written by wideband-export; export it again");
  }
}

function text(bytes) {
  return new TextDecoder().decode(bytes);
}

/** Returns a ratio as two numbers: 4 is [4, 1], and "441/160" is [441, 160]. */
export function quotient(ratio) {
  const [up, down = 1] = String(ratio).split("/").map(Number);
  return [up, down];
}

/** Checks the fields on which this page relies; older files lack the last two. */
function check(metadata) {
  const {sample_rate, window, hop, wants, ratio, interpolation} = metadata;
  const {band_hz = null, shorter_windows = []} = metadata;
  const [up, down] = quotient(ratio);
  if (!Array.isArray(shorter_windows)) throw new RangeError();
  const whole = [sample_rate, window, hop, up, down, ...shorter_windows];
  const isWhole = whole.every((value) => Number.isInteger(value) && value > 0);
  const least = 2 * (metadata.context ?? 0);
  if (shorter_windows.some((each) => each <= least || each >= window)) throw new RangeError();
  const takesRatio = down === 1 || wants === "interpolated";
  if (!isWhole || !takesRatio || !["low", "interpolated", "high"].includes(wants)) throw new RangeError();
  if (wants === "interpolated" && ratio !== 1 && !Object.hasOwn(METHODS, interpolation)) {
    throw new Error(
      `needs the interpolation ${interpolation}, which this page does not have; use wideband-upsample`,
    );
  }
  return {...metadata, band_hz, shorter_windows};
}
