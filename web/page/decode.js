/** Decodes a recording to its samples, in the browser. */

import {headerRate} from "./rates.js";
import {isWav, readWav} from "./wav.js";

// The limits of upsample/ for rates and samples.
const [LOWEST_RATE, HIGHEST_RATE] = [1000, 768000];
const LOUDEST = 1e6;
// The rate for recordings whose header is unknown; it has every band that can be heard.
const FULL_RATE = 48000;

/**
 * Decodes a recording.
 * @param {Uint8Array} bytes of a wav file, or another that the browser can play.
 * @returns {Promise<{channels: Float32Array[], sampleRate: number, format: string}>} `format` is
 *   the one of `writeWav` that keeps the recording's sample format.
 * @throws {Error} it is not a recording, or cannot be restored.
 */
export async function decode(bytes) {
  if (!bytes.length) throw new Error("the file is empty");
  const recording = isWav(bytes) ? decodeWav(bytes) : await decodeOther(bytes);
  const {channels, sampleRate} = recording;
  if (!channels[0].length) throw new Error("the recording is empty");
  if (!(LOWEST_RATE <= sampleRate && sampleRate <= HIGHEST_RATE)) {
    throw new Error(
      `its header says ${sampleRate} Hz; readable are ${LOWEST_RATE} to ${HIGHEST_RATE} Hz; ` +
        "correct the rate",
    );
  }
  const peak = channels.reduce((highest, wave) => wave.reduce(larger, highest), 0);
  if (!Number.isFinite(peak)) {
    throw new Error("the recording contains NaN or infinity; repair it first");
  }
  if (peak > LOUDEST) {
    throw new Error(`the recording has samples up to ${peak.toPrecision(3)}; scale it to [-1, 1]`);
  }
  return recording;
}

/** Returns the larger magnitude; NaN stays. */
function larger(highest, sample) {
  const magnitude = Math.abs(sample);
  return Number.isNaN(magnitude) || magnitude > highest ? magnitude : highest;
}

function decodeWav(bytes) {
  const {channels, sampleRate, bits, isFloat} = readWav(bytes);
  const format = isFloat || bits === 32 ? "float" : bits === 24 ? "24" : "16";
  return {channels, sampleRate, format};
}

async function decodeOther(bytes) {
  const rate = headerRate(bytes) ?? FULL_RATE;
  let decoded;
  try {
    decoded = await context(rate).decodeAudioData(bytes.slice().buffer);
  } catch {
    throw new Error(
      "not readable as audio in this browser; if it is a recording, convert it to wav first",
    );
  }
  const channels = Array.from({length: decoded.numberOfChannels}, (_, channel) =>
    decoded.getChannelData(channel),
  );
  return {channels, sampleRate: decoded.sampleRate, format: "16"};
}

function context(rate) {
  try {
    return new OfflineAudioContext(1, 1, rate);
  } catch {
    return new OfflineAudioContext(1, 1, FULL_RATE);
  }
}
