/**
 * Resampling between any two rates, as `audio.resample` with soxr's very high quality.
 *
 * soxr's filter is a sinc under a Kaiser window. The three numbers were fitted to its impulse
 * response from 8 to 16 kHz, which they match to 5e-8. From other rates, soxr filters in several
 * stages, which reduce the upper fifth of the band by up to 0.01 dB more.
 */

import {besselI0} from "./kaiser.js";

// The cutoff as a fraction of half the lower rate; half the filter's length in samples at the lower
// rate; the window's shape.
const CUTOFF = 0.95566416;
const HALF = 133.25137;
const BETA = 18.43356;
// Filters for more positions between two samples would need too much memory.
const MOST_TAPS = 2 ** 25;

/** Returns how many samples n samples become; half is rounded up. */
export function resampledLength(n, fromHz, toHz) {
  return Math.floor((n * toHz) / fromHz + 0.5);
}

/**
 * Resamples a wave without delay.
 * @param {Float32Array} wave silence surrounds it.
 * @param {number} fromHz its rate, a whole number.
 * @param {number} toHz the new rate; it may be a quotient of a whole number and `divisor`.
 * @param {number} divisor
 * @returns {Float32Array}
 */
export function resample(wave, fromHz, toHz, divisor = 1) {
  const from = fromHz * divisor;
  const to = Math.round(toHz * divisor);
  if (from === to) return wave;
  const common = gcd(from, to);
  const [up, down] = [to / common, from / common];
  // Output k is at k * down / up samples of the input.
  const scale = Math.min(1, up / down);
  const reach = Math.ceil(HALF / scale);
  if (up * 2 * reach > MOST_TAPS) {
    throw new Error(`${fromHz} Hz to ${toHz} Hz: the quotient ${up}/${down} is too fine`);
  }
  const filters = new Array(up);
  const output = new Float32Array(resampledLength(wave.length, from, to));
  for (let k = 0; k < output.length; k++) {
    const position = k * down;
    const phase = position % up;
    const first = (position - phase) / up - reach + 1;
    const taps = (filters[phase] ??= filterAt(phase / up, reach, scale));
    const start = Math.max(0, -first);
    const stop = Math.min(taps.length, wave.length - first);
    let sum = 0;
    for (let tap = start; tap < stop; tap++) sum += taps[tap] * wave[first + tap];
    output[k] = sum;
  }
  return output;
}

/** Returns the weights of the samples around a position, a fraction of a sample after one. */
function filterAt(fraction, reach, scale) {
  const peak = besselI0(BETA);
  return Float64Array.from({length: 2 * reach}, (_, tap) => {
    const t = (tap - reach + 1 - fraction) * scale;
    const inside = 1 - (t / HALF) ** 2;
    if (inside <= 0) return 0;
    return scale * CUTOFF * sinc(CUTOFF * t) * (besselI0(BETA * Math.sqrt(inside)) / peak);
  });
}

/** Returns sin(pi x) / (pi x). */
export function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function gcd(a, b) {
  return b ? gcd(b, a % b) : a;
}
