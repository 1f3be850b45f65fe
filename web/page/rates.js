/**
 * The sample rate in the header of a compressed recording.
 *
 * Browsers decode a recording to the rate that the page asks for. Decoded at its own rate, it keeps
 * its samples.
 */

const MPEG_RATES = {3: [44100, 48000, 32000], 2: [22050, 24000, 16000], 0: [11025, 12000, 8000]};
const OPUS_RATE = 48000;

/**
 * Finds the rate of a recording.
 * @param {Uint8Array} bytes
 * @returns {number | null} in Hz; null if the header is unknown.
 */
export function headerRate(bytes) {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return flac(data) ?? ogg(data) ?? mp4(data) ?? mpeg(data);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function tag(data, start) {
  return String.fromCharCode(...[0, 1, 2, 3].map((k) => data.getUint8(start + k)));
}

function flac(data) {
  return tag(data, 0) === "fLaC" ? data.getUint32(18) >>> 12 : null;
}

function ogg(data) {
  if (tag(data, 0) !== "OggS") return null;
  const start = 27 + data.getUint8(26);
  if (tag(data, start) === "Opus") return OPUS_RATE;
  if (tag(data, start + 1) === "vorb") return data.getUint32(start + 12, true);
  return tag(data, start + 1) === "FLAC" ? data.getUint32(start + 27) >>> 12 : null;
}

/** The time scale of the track with the sound: its `mdhd` box precedes a handler named `soun`. */
function mp4(data) {
  if (tag(data, 4) !== "ftyp") return null;
  let rate = null;
  for (let at = 0; at + 8 < data.byteLength; at++) {
    if (data.getUint8(at) === 0x6d && tag(data, at) === "mdhd") {
      rate = data.getUint32(at + (data.getUint8(at + 4) ? 24 : 16));
    } else if (data.getUint8(at) === 0x68 && tag(data, at) === "hdlr") {
      if (tag(data, at + 12) === "soun") return rate;
    }
  }
  return null;
}

/** MP3: tags come first; the first frame header that another one follows is a real one. */
function mpeg(data) {
  let start = 0;
  while (tag(data, start).startsWith("ID3")) {
    const size = [6, 7, 8, 9].reduce((sum, k) => (sum << 7) | data.getUint8(start + k), 0);
    start += 10 + size;
  }
  for (; start + 4 < data.byteLength; start++) {
    const frame = mpegFrame(data, start);
    if (frame && (start + frame.size + 4 > data.byteLength || mpegFrame(data, start + frame.size))) {
      return frame.rate;
    }
  }
  return null;
}

function mpegFrame(data, start) {
  const bits = data.getUint32(start);
  const version = (bits >>> 19) & 3;
  const layer = (bits >>> 17) & 3;
  const rate = MPEG_RATES[version]?.[(bits >>> 10) & 3];
  const index = (bits >>> 12) & 15;
  if (bits >>> 21 !== 0x7ff || layer !== 1 || !rate || index === 0 || index === 15) return null;
  const kilobits =
    version === 3
      ? [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320][index]
      : [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160][index];
  const samples = version === 3 ? 1152 : 576;
  return {rate, size: Math.floor((samples / 8) * 1000 * kilobits / rate) + ((bits >>> 9) & 1)};
}
