/** Keeps the band of one wave, and takes the rest from another: `Crossover` of upsample/stages.py. */

import {powerOfTwo, RealFFT} from "./fft.js";
import {kaiser} from "./kaiser.js";
import {sinc} from "./resample.js";

const ATTENUATION_DB = 80;
const SLOPE = 0.1;
const LOWER_SLOPE_HZ = 100;

/**
 * Returns the taps of the filter that passes the band that is kept, an odd number.
 * @param {number} sampleRate in Hz.
 * @param {number} keepHz where the band ends.
 * @param {number} bandHz the width of the low band.
 * @param {number} keepFromHz where the band begins.
 */
export function crossoverTaps(sampleRate, keepHz, bandHz, keepFromHz = 0) {
  const slopeHz = SLOPE * bandHz;
  const taps = lowPass(keepHz - slopeHz / 2, slopeHz, sampleRate);
  if (!keepFromHz) return taps;
  const middleHz = Math.min(keepFromHz + LOWER_SLOPE_HZ / 2, keepHz - slopeHz / 2);
  return subtract(taps, lowPass(middleHz, LOWER_SLOPE_HZ, sampleRate));
}

/** Returns the taps of a low-pass filter; zeros if it passes nothing. */
function lowPass(middleHz, slopeHz, sampleRate) {
  const half = Math.ceil(
    ((ATTENUATION_DB - 8) * sampleRate) / (2.285 * 4 * Math.PI * slopeHz),
  );
  if (middleHz <= 0) return new Float64Array(2 * half + 1);
  const taps = kaiser(half, 0.1102 * (ATTENUATION_DB - 8.7)).map(
    (weight, k) => weight * sinc((2 * middleHz * (k - half)) / sampleRate),
  );
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum);
}

/** Subtracts taps that are centred on the same sample, and may be more or fewer. */
function subtract(taps, others) {
  const length = Math.max(taps.length, others.length);
  const tap = (all, k) => all[k - (length - all.length) / 2] ?? 0;
  return Float64Array.from({length}, (_, k) => tap(taps, k) - tap(others, k));
}

/**
 * Joins two waves of equal length.
 * @param {Float32Array} upper what is outside of the band.
 * @param {Float32Array} lower what is in the band.
 * @param {Float64Array} taps of `crossoverTaps`.
 * @returns {Float32Array}
 */
export function crossover(upper, lower, taps) {
  const half = (taps.length - 1) / 2;
  const fft = new RealFFT(powerOfTwo(8 * taps.length));
  const step = fft.size - 2 * half;
  const filter = fft.forward(taps);
  const [filterRe, filterIm] = [filter.re.slice(), filter.im.slice()];
  const [re, im] = [new Float64Array(fft.bins), new Float64Array(fft.bins)];
  const difference = new Float64Array(fft.size);
  const joined = new Float32Array(upper.length);
  for (let start = 0; start < joined.length; start += step) {
    for (let k = 0; k < fft.size; k++) {
      const at = start - half + k;
      difference[k] = at >= 0 && at < joined.length ? lower[at] - upper[at] : 0;
    }
    const spectrum = fft.forward(difference);
    for (let k = 0; k < fft.bins; k++) {
      re[k] = spectrum.re[k] * filterRe[k] - spectrum.im[k] * filterIm[k];
      im[k] = spectrum.re[k] * filterIm[k] + spectrum.im[k] * filterRe[k];
    }
    // The first 2 * half samples of the circular convolution wrap around.
    const change = fft.inverse(re, im);
    const stop = Math.min(step, joined.length - start);
    for (let k = 0; k < stop; k++) joined[start + k] = upper[start + k] + change[2 * half + k];
  }
  return joined;
}
