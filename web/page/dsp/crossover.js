/** Joins one wave below a frequency with another above it: `Crossover` of upsample/stages.py. */

import {powerOfTwo, RealFFT} from "./fft.js";
import {kaiser} from "./kaiser.js";
import {sinc} from "./resample.js";

const ATTENUATION_DB = 80;
const SLOPE = 0.1;

/** Returns the taps of the low-pass filter, an odd number; zeros if it keeps nothing. */
export function crossoverTaps(sampleRate, keepHz, bandHz) {
  const slopeHz = SLOPE * bandHz;
  const half = Math.ceil(
    ((ATTENUATION_DB - 8) * sampleRate) / (2.285 * 4 * Math.PI * slopeHz),
  );
  const cutoffHz = Math.max(0, keepHz - slopeHz / 2);
  if (!cutoffHz) return new Float64Array(2 * half + 1);
  const taps = kaiser(half, 0.1102 * (ATTENUATION_DB - 8.7)).map(
    (weight, k) => weight * sinc((2 * cutoffHz * (k - half)) / sampleRate),
  );
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum);
}

/**
 * Joins two waves of equal length.
 * @param {Float32Array} upper above the frequency.
 * @param {Float32Array} lower below it.
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
