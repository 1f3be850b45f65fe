/** Interpolations to the high rate: those of audio/interpolate.py, which explains them. */

import {resample, resampledLength, sinc} from "./resample.js";

const POLE = Math.sqrt(3) - 2;
const SETTLED = 32;
const NO_JUMP = [1, -4, 6, -4, 1];
// Zero crossings of the sinc of torchaudio on either side, and its cutoff.
const [CROSSINGS, ROLLOFF] = [6, 0.99];

/**
 * Methods by the name in the metadata. Each is a function of a wave, the numerator and the
 * denominator of the ratio. For the spline, the denominator is 1.
 */
export const METHODS = {
  spline,
  sinc: (low, up, down) => resample(low, down, up),
  hann_sinc: hannSinc,
};

/**
 * Interpolates a wave as `resample_hann` of audio/hann_sinc.py.
 * @param {Float32Array} low silence surrounds it.
 * @param {number} up
 * @param {number} down the high rate is up / down times the low rate, at least 1.
 * @returns {Float32Array}
 */
export function hannSinc(low, up, down) {
  const reach = Math.ceil(CROSSINGS / ROLLOFF);
  // The weights of the samples from `reach` - 1 before to `reach` after the one below a position.
  const weights = Array.from({length: up}, (_, phase) =>
    Float64Array.from({length: 2 * reach}, (_, tap) => {
      const t = ROLLOFF * (tap - reach + 1 - phase / up);
      const inside = Math.abs(t) < CROSSINGS;
      return inside ? ROLLOFF * sinc(t) * Math.cos((Math.PI * t) / (2 * CROSSINGS)) ** 2 : 0;
    }),
  );
  return Float32Array.from({length: resampledLength(low.length, down, up)}, (_, k) => {
    const phase = (k * down) % up;
    const first = (k * down - phase) / up - reach + 1;
    return weights[phase].reduce((sum, weight, tap) => sum + weight * (low[first + tap] ?? 0), 0);
  });
}

/**
 * Interpolates a wave with a not-a-knot cubic spline, continued past the last sample.
 * @param {Float32Array} low
 * @param {number} ratio a whole number.
 * @returns {Float32Array} ratio times as many samples.
 */
export function spline(low, ratio) {
  const n = low.length;
  if (n < 4) return linear(low, ratio);
  const c = n <= 2 * SETTLED ? shortCoefficients(low) : longCoefficients(low);
  const end = [-1, 4, -6, 4].reduce((sum, weight, k) => sum + weight * c[n - 2 + k], 0);
  const all = new Float64Array(n + 3);
  all.set(c);
  all[n + 2] = end;
  const high = new Float32Array(n * ratio);
  for (let phase = 0; phase < ratio; phase++) {
    const t = phase / ratio;
    const [a, b, d, e] = [
      (1 - t) ** 3 / 6,
      (3 * t ** 3 - 6 * t ** 2 + 4) / 6,
      (-3 * t ** 3 + 3 * t ** 2 + 3 * t + 1) / 6,
      t ** 3 / 6,
    ];
    for (let k = 0; k < n; k++) {
      high[k * ratio + phase] = a * all[k] + b * all[k + 1] + d * all[k + 2] + e * all[k + 3];
    }
  }
  return high;
}

function linear(low, ratio) {
  return Float32Array.from({length: low.length * ratio}, (_, k) => {
    const left = Math.floor(k / ratio);
    const right = Math.min(left + 1, low.length - 1);
    return low[left] + (low[right] - low[left]) * (k / ratio - left);
  });
}

/** Solves the equations for the weights of the B-splines around the samples -1 to n. */
function shortCoefficients(y) {
  const n = y.length;
  const rows = Array.from({length: n + 2}, () => new Float64Array(n + 3));
  for (let k = 0; k < n; k++) rows[k].set([1 / 6, 4 / 6, 1 / 6], k);
  for (let k = 0; k < n; k++) rows[k][n + 2] = y[k];
  rows[n].set(NO_JUMP, 0);
  rows[n + 1].set(NO_JUMP, n - 3);
  return solve(rows);
}

/** Solves linear equations by elimination; the last column is the right side. */
function solve(rows) {
  const n = rows.length;
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let row = k; row < n; row++) {
      if (Math.abs(rows[row][k]) > Math.abs(rows[best][k])) best = row;
    }
    [rows[k], rows[best]] = [rows[best], rows[k]];
    for (let row = 0; row < n; row++) {
      const factor = row === k ? 0 : rows[row][k] / rows[k][k];
      if (factor) for (let j = k; j <= n; j++) rows[row][j] -= factor * rows[k][j];
    }
  }
  return Float64Array.from(rows, (row, k) => row[n] / row[k]);
}

/** Filters with the inverse of the equations, which decays on both sides, and corrects the ends. */
function longCoefficients(y) {
  const n = y.length;
  const decay = Float64Array.from({length: SETTLED}, (_, k) => POLE ** k);
  const gain = (-6 * POLE) / (1 - POLE ** 2);
  const mirrored = (k) => y[k < 0 ? -k : k >= n ? 2 * (n - 1) - k : k];
  const c = Float64Array.from({length: n + 2}, (_, k) => {
    let sum = mirrored(k - 1);
    for (let lag = 1; lag < SETTLED; lag++) {
      sum += decay[lag] * (mirrored(k - 1 - lag) + mirrored(k - 1 + lag));
    }
    return gain * sum;
  });
  correct(c, decay);
  c.reverse();
  correct(c, decay);
  return c.reverse();
}

function correct(c, decay) {
  const jump = NO_JUMP.reduce((sum, weight, k) => sum + weight * c[k], 0) / (1 - POLE) ** 4;
  for (let k = 0; k < SETTLED; k++) c[k] -= jump * decay[k];
}
