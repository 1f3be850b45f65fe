/** Finds the pass band of a recording: audio/pass_band.py, which explains the method. */

import {quantile, roundHalfEven, spectrumQuantile} from "./quantile.js";

const SLOPE_DB = 18;
const SMOOTH_HZ = 160;
const LOW_HZ = [90, 240];
const MIDDLE_HZ = [350, 1000];
const FALL_DB = 12;
const [LOUD, QUIET] = [0.9, 0.1];
const EDGE_DB = 12;
const EDGES_HZ = [120, 400];
const [NARROWEST_HZ, WIDEST_HZ] = [2000, 4400];
const FEWEST_MOMENTS = 16;

/** Returns the frequency where the pass band ends in Hz, by the loud levels. */
export function highestHz(levels, binHz, endHz) {
  const smooth = roundHalfEven(SMOOTH_HZ / binHz);
  let end = roundHalfEven(endHz / binHz);
  for (; end > 2 * smooth; end--) {
    const level = quantile(levels.slice(end - smooth, end), 0.5);
    const below = levels.subarray(Math.floor(end / 2), roundHalfEven(0.9 * end));
    if (level >= mean(below) - SLOPE_DB) break;
  }
  return end * binHz;
}

/** Returns the frequency where the pass band begins in Hz; 0 without the band of a telephone. */
export function lowestHz(levels, binHz, endHz) {
  if (levels.length < FEWEST_MOMENTS || endHz < NARROWEST_HZ || endHz > WIDEST_HZ) return 0;
  const [loud, quiet] = [LOUD, QUIET].map((q) => spectrumQuantile(levels, q));
  const within = (spectrum, [lowest, highest]) =>
    spectrum.filter((_, bin) => lowest <= bin * binHz && bin * binHz <= highest);
  const fall = [loud, quiet].reduce(
    (sum, each) => sum + mean(within(each, MIDDLE_HZ)) - mean(within(each, LOW_HZ)),
    0,
  );
  if (fall < FALL_DB) return 0;
  const threshold = quantile(within(loud, MIDDLE_HZ), 0.75) - EDGE_DB;
  const below = loud.findLastIndex(
    (level, bin) => level < threshold && bin * binHz < EDGES_HZ[1],
  );
  const edge = below < 0 ? 0 : (below + 1) * binHz;
  return EDGES_HZ[0] <= edge && edge < EDGES_HZ[1] ? edge : 0;
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
