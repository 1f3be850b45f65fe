/** Finds the band of a recording: audio/bandwidth.py, which explains the method. */

import {highestHz, lowestHz} from "./pass_band.js";
import {quantile, roundHalfEven, spectrumQuantile} from "./quantile.js";
import {PowerSpectra} from "./spectra.js";

const FLOOR_DB = 10 * Math.log10(2 ** -30 / 12) + 8.5;
const SILENT_DB = -80;
const [STEP_DB, INAUDIBLE_DB] = [-88, -120];
const LOUD_DB = -30;
const QUANTILE = 0.9;
const CLIFF_DB = 32;
const CLIFF_HALF_HZ = 160;
const LOWEST_CLIFF_HZ = 1000;
const WINDOWS = 4;
const MOMENTS = 2048;
// A moment does not reach from one block of a recording to the next.
const BLOCK_SECONDS = 10;

/**
 * Measures a recording.
 * @param {Float32Array[]} channels waves of equal length.
 * @param {number} sampleRate in Hz.
 * @returns {number[]} in Hz: where the pass band begins (0 without the band of a telephone) and
 *   ends, and where the content ends. The widest channel counts; all are 0 for silence.
 */
export function bandHz(channels, sampleRate) {
  const sixteenBits = channels.every((wave) => wave.every((x) => Number.isInteger(x * 32768)));
  const spectra = new PowerSpectra(sampleRate);
  const binHz = sampleRate / spectra.length;
  const levels = channels
    .map((wave) => audible(moments(wave, sampleRate, spectra), sixteenBits))
    .filter((each) => each.length);
  if (!levels.length) return [0, 0, 0];
  const bands = levels.map((each) => {
    const loud = spectrumQuantile(each, QUANTILE);
    const end = contentHz(loud, binHz);
    const highest = highestHz(loud, binHz, end);
    return [lowestHz(each, binHz, highest), highest, end];
  });
  const [lowest, highest, end] = [0, 1, 2].map((k) => bands.map((band) => band[k]));
  return [Math.min(...lowest), Math.max(...highest), Math.max(...end)];
}

/** Returns the loudness and the levels in dB of each moment; of long recordings, of every 2nd... */
function moments(wave, sampleRate, spectra) {
  const hop = spectra.length / 2;
  let kept = [];
  let stride = 1;
  let next = 0;
  const block = roundHalfEven(BLOCK_SECONDS * sampleRate);
  for (let begin = 0; begin < wave.length; begin += block) {
    const part = wave.subarray(begin, begin + block);
    if (next && part.length < spectra.length) continue;
    const last = Math.max(0, part.length - spectra.length);
    for (let start = 0; start <= last; start += WINDOWS * hop, next++) {
      if (next % stride) continue;
      kept.push(moment(part.subarray(start, start + (WINDOWS + 1) * hop), spectra));
      if (kept.length === MOMENTS) {
        stride *= 2;
        kept = kept.filter((_, k) => k % 2 === 0);
      }
    }
  }
  return kept;
}

function moment(wave, spectra) {
  const hop = spectra.length / 2;
  const power = new Float64Array(spectra.bins);
  const count = Math.max(1, Math.floor((wave.length - spectra.length) / hop) + 1);
  for (let k = 0; k < count; k++) spectra.add(wave, k * hop, power);
  const mean = power.reduce((sum, value) => sum + value, -power[0]) / count / (spectra.bins - 1);
  return {loudness: decibels(mean), levels: power.map((sum) => half(decibels(sum / count)))};
}

function decibels(power) {
  return 10 * Math.log10(Math.max(power, 1e-20));
}

/** Returns the levels of the moments that are not silent; quiet ones are made louder. */
function audible(kept, sixteenBits) {
  let threshold = SILENT_DB;
  let gain = 0;
  if (kept.length) {
    gain = Math.max(0, LOUD_DB - quantile(Float64Array.from(kept, (each) => each.loudness), 0.99));
    threshold = Math.max(SILENT_DB - gain, sixteenBits ? STEP_DB : INAUDIBLE_DB);
    if (sixteenBits) gain = 0;
  }
  return kept
    .filter((each) => each.loudness > threshold)
    .map((each) => each.levels.map((level) => level + gain));
}

/** Finds the floor or the cliff where the content of a spectrum ends, in Hz. */
export function contentHz(levels, binHz) {
  const width = roundHalfEven(CLIFF_HALF_HZ / binHz);
  if (levels.length < 6 * width) return (levels.length - 1) * binHz;
  const median = sliding(levels, width, 0.5);
  let top = median.findLastIndex((level) => level > FLOOR_DB);
  if (top < 0) return 0;
  top += width - 1;
  const lower = sliding(levels, 3 * width, 0.25);
  let steepest = null;
  for (let edge = 4 * width; edge <= levels.length - 2 * width; edge++) {
    const fall = lower[edge - 4 * width] - median[edge + width];
    const isCliff = fall > CLIFF_DB && edge * binHz > LOWEST_CLIFF_HZ;
    // The steepest edge of the first run of neighbouring edges counts.
    if (!isCliff && steepest) break;
    if (isCliff && (!steepest || fall > steepest.fall)) steepest = {edge, fall};
  }
  return Math.min(top, steepest ? steepest.edge : top) * binHz;
}

function sliding(levels, width, q) {
  const count = levels.length - width + 1;
  return Array.from({length: count}, (_, k) => quantile(levels.slice(k, k + width), q));
}

/** Rounds to a number of 16 bits, as NumPy stores levels; those of this module are normal. */
function half(value) {
  if (value === 0) return 0;
  const step = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10);
  return step * roundHalfEven(value / step);
}
