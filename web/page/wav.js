/** Reading and writing wav files without a change of their samples. */

const [PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE] = [1, 3, 6, 7, 0xfffe];
const BITS = {[PCM]: [8, 16, 24, 32], [FLOAT]: [32, 64], [A_LAW]: [8], [MU_LAW]: [8]};

/** Says whether a file begins as a wav file does. */
export function isWav(bytes) {
  return tag(view(bytes), 0) === "RIFF" && tag(view(bytes), 8) === "WAVE";
}

/**
 * Reads a wav file of 8, 16, 24 or 32 bits, of floats, or of a telephone's A-law or µ-law.
 * @param {Uint8Array} bytes
 * @returns {{channels: Float32Array[], sampleRate: number, bits: number, isFloat: boolean}}
 * @throws {Error} it is damaged or has another sample format.
 */
export function readWav(bytes) {
  const data = view(bytes);
  let format = null;
  for (let start = 12; start + 8 <= bytes.length; ) {
    const size = data.getUint32(start + 4, true);
    if (tag(data, start) === "fmt " && start + 24 <= bytes.length) {
      format = readFormat(data, start + 8, size);
    } else if (tag(data, start) === "data") {
      if (!format) throw new Error("damaged: it has no format before its samples");
      // A program that could not go back to the header left no length in it.
      const unknown = size === 0 || size >= 0xffffff00;
      if (!unknown && start + 8 + size > bytes.length) {
        const [found, promised] = [bytes.length - start - 8, size].map(
          (length) => length / format.frame / format.sampleRate,
        );
        throw new Error(
          `breaks off after ${found.toFixed(1)} of ${promised.toFixed(1)} s; get a complete copy`,
        );
      }
      return readSamples(bytes.subarray(start + 8, unknown ? bytes.length : start + 8 + size), format);
    }
    start += 8 + size + (size % 2);
  }
  throw new Error("damaged: it has no samples; get a complete copy");
}

function readFormat(data, start, size) {
  let code = data.getUint16(start, true);
  if (code === EXTENSIBLE && size >= 26) code = data.getUint16(start + 24, true);
  const bits = data.getUint16(start + 14, true);
  if (!BITS[code]?.includes(bits)) {
    throw new Error(
      `has samples of another format (code ${code}, ${bits} bits); convert it to a wav file of 16 bits`,
    );
  }
  const count = data.getUint16(start + 2, true);
  const sampleRate = data.getUint32(start + 4, true);
  if (!count || !sampleRate) throw new Error("damaged: its header has no channels or no rate");
  return {code, bits, isFloat: code === FLOAT, count, sampleRate, frame: (count * bits) / 8};
}

function readSamples(bytes, format) {
  const {bits, isFloat, count, sampleRate, frame} = format;
  const sample = reader(view(bytes), format);
  const length = Math.floor(bytes.length / frame);
  const channels = Array.from({length: count}, (_, channel) =>
    Float32Array.from({length}, (_, k) => sample(k * frame + (channel * bits) / 8)),
  );
  return {channels, sampleRate, bits, isFloat};
}

/** Returns a function that reads the sample at an offset. */
function reader(data, {code, bits, isFloat}) {
  if (code === A_LAW) return (at) => expandALaw(data.getUint8(at)) / 32768;
  if (code === MU_LAW) return (at) => expandMuLaw(data.getUint8(at)) / 32768;
  return {
    8: (at) => (data.getUint8(at) - 128) / 128,
    16: (at) => data.getInt16(at, true) / 32768,
    24: (at) => (data.getInt16(at + 1, true) * 256 + data.getUint8(at)) / 8388608,
    32: (at) => (isFloat ? data.getFloat32(at, true) : data.getInt32(at, true) / 2147483648),
    64: (at) => data.getFloat64(at, true),
  }[bits];
}

/** Expands a byte of A-law (ITU-T G.711) to 16 bits. */
function expandALaw(byte) {
  const [segment, step] = [((byte ^ 0x55) >> 4) & 7, (byte ^ 0x55) & 15];
  const magnitude = segment ? (16 * step + 264) << (segment - 1) : 16 * step + 8;
  return byte & 0x80 ? magnitude : -magnitude;
}

/** Expands a byte of µ-law (ITU-T G.711) to 16 bits. */
function expandMuLaw(byte) {
  const [segment, step] = [(~byte >> 4) & 7, ~byte & 15];
  const magnitude = ((8 * step + 132) << segment) - 132;
  return byte & 0x80 ? magnitude : -magnitude;
}

/**
 * Writes a wav file; samples beyond [-1, 1] are clipped unless they are floats.
 * @param {Float32Array[]} channels waves of equal length.
 * @param {number} sampleRate in Hz.
 * @param {"16" | "24" | "float"} format
 * @returns {Uint8Array}
 */
export function writeWav(channels, sampleRate, format = "16") {
  const width = {16: 2, 24: 3, float: 4}[format];
  const frame = width * channels.length;
  const size = frame * channels[0].length;
  const bytes = new Uint8Array(44 + size + (size % 2));
  const data = view(bytes);
  const words = [["RIFF", bytes.length - 8], ["WAVE"], ["fmt ", 16]];
  let at = 0;
  for (const [name, length] of words) {
    for (const letter of name) bytes[at++] = letter.charCodeAt(0);
    if (length !== undefined) data.setUint32((at += 4) - 4, length, true);
  }
  data.setUint16(20, format === "float" ? FLOAT : PCM, true);
  data.setUint16(22, channels.length, true);
  data.setUint32(24, sampleRate, true);
  data.setUint32(28, sampleRate * frame, true);
  data.setUint16(32, frame, true);
  data.setUint16(34, 8 * width, true);
  bytes.set(new TextEncoder().encode("data"), 36);
  data.setUint32(40, size, true);
  const steps = 2 ** (8 * width - 1);
  const round = (x) => Math.max(-steps, Math.min(steps - 1, Math.round(x * steps)));
  const write = {
    16: (offset, x) => data.setInt16(offset, round(x), true),
    24: (offset, x) => {
      const value = round(x);
      data.setUint8(offset, value & 255);
      data.setInt16(offset + 1, value >> 8, true);
    },
    float: (offset, x) => data.setFloat32(offset, x, true),
  }[format];
  channels.forEach((wave, channel) => {
    for (let k = 0; k < wave.length; k++) write(44 + k * frame + channel * width, wave[k]);
  });
  return bytes;
}

function view(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function tag(data, start) {
  if (start + 4 > data.byteLength) return "";
  return String.fromCharCode(...[0, 1, 2, 3].map((k) => data.getUint8(start + k)));
}
