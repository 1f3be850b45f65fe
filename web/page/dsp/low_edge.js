/** Finds where the content of a telephone's recording begins: audio/low_edge.py explains it. */

import {quantile, spectrumQuantile} from "./quantile.js";

const LOW_HZ = [90, 240];
const MIDDLE_HZ = [350, 1000];
const FALL_DB = 12;
const [LOUD, QUIET] = [0.9, 0.1];
const EDGE_DB = 12;
const HIGHEST_EDGE_HZ = 400;
// Content that goes on further did not come through a telephone.
export const WIDEST_HZ = 4400;
const FEWEST_MOMENTS = 16;

/** Returns the frequency where the content begins in Hz; 0 without the band of a telephone. */
export function lowestHz(levels, binHz) {
  if (levels.length < FEWEST_MOMENTS) return 0;
  const [loud, quiet] = [LOUD, QUIET].map((q) => spectrumQuantile(levels, q));
  const within = (spectrum, [lowest, highest]) =>
    spectrum.filter((_, bin) => lowest <= bin * binHz && bin * binHz <= highest);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const fall = [loud, quiet].reduce(
    (sum, each) => sum + mean(within(each, MIDDLE_HZ)) - mean(within(each, LOW_HZ)),
    0,
  );
  if (fall < FALL_DB) return 0;
  const threshold = quantile(within(loud, MIDDLE_HZ), 0.75) - EDGE_DB;
  const below = loud.findLastIndex(
    (level, bin) => level < threshold && bin * binHz < HIGHEST_EDGE_HZ,
  );
  return below < 0 ? 0 : Math.min((below + 1) * binHz, HIGHEST_EDGE_HZ);
}
