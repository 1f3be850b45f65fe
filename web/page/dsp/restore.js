/** Restores a recording with a network, as `Upsampler.upsample` with the low band kept. */

import {quotient} from "../metadata.js";
import {crossover, crossoverTaps} from "./crossover.js";
import {METHODS} from "./interpolate.js";
import {resample, resampledLength} from "./resample.js";
import {runWindows} from "./windows.js";

// The wave is mirrored past its end by this many low-rate samples.
const END_SAMPLES = 32;

/**
 * Restores a recording.
 * @param {Float32Array[]} channels waves of equal length, not empty.
 * @param {number} sampleRate their rate in Hz.
 * @param {object} network a `Network` of network.js.
 * @param {number[]} band the band of the recording, from `bandHz`: with `band_hz`, its pass band is
 *   kept, otherwise everything up to its end.
 * @param {(share: number) => void} progress called with the share that is done, from 0 to 1.
 * @returns {Promise<Float32Array[]>} the channels at the network's rate.
 */
export async function restore(channels, sampleRate, network, band, progress = () => {}) {
  const restored = [];
  for (const wave of channels) {
    restored.push(
      await restoreChannel(wave, sampleRate, network, band, (share) =>
        progress((restored.length + share) / channels.length),
      ),
    );
  }
  return restored;
}

async function restoreChannel(wave, sampleRate, network, [lowestHz, highestHz, endHz], progress) {
  const {metadata} = network;
  const {sample_rate: highRate} = metadata;
  const [up, down] = quotient(metadata.ratio);
  const lowRate = (highRate * down) / up;
  const n = resampledLength(wave.length, sampleRate, highRate);
  let low = resample(wave, sampleRate, lowRate, up);
  if (!low.length) low = wave.slice(0, 1);
  low = mirrorEnd(low, Math.max(low.length, Math.ceil((n * down) / up)) + END_SAMPLES);
  let upper;
  if (metadata.wants === "low") {
    upper = await runWindows(low, network, progress);
  } else {
    const high = up === down ? low : METHODS[metadata.interpolation](low, up, down);
    upper = await runWindows(high.subarray(0, n), network, progress);
  }
  upper = upper.subarray(0, n);
  if (!upper.every(Number.isFinite)) {
    throw new Error(`the output of ${metadata.network} contains NaN or infinity; use another network`);
  }
  // A vocoder makes the whole wave.
  if (metadata.wants === "high") return upper;
  const direct = resample(wave, sampleRate, highRate);
  // Both paths to the high rate roll off just below half the lower rate.
  const keptHz = metadata.band_hz ? highestHz : endHz;
  const keepHz = Math.min(keptHz || Infinity, (0.95 * Math.min(sampleRate, lowRate)) / 2);
  // Networks for one low rate were not trained to restore what other filters weaken.
  const [widthHz, keepFromHz] = metadata.band_hz
    ? [Math.max(keepHz, metadata.band_hz[0]), lowestHz]
    : [lowRate / 2, 0];
  return crossover(upper, direct, crossoverTaps(highRate, keepHz, widthHz, keepFromHz));
}

/** Extends a wave by reflection to `length` samples; the last sample is repeated first. */
export function mirrorEnd(wave, length) {
  const period = 2 * wave.length;
  return Float32Array.from({length}, (_, k) => {
    const at = k % period;
    return wave[at < wave.length ? at : period - 1 - at];
  });
}
