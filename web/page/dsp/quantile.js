/** Quantiles, and numbers rounded as in Python. */

/** Returns a quantile of numbers, interpolated between two of them; sorts the numbers. */
export function quantile(values, q) {
  values.sort();
  const position = q * (values.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, values.length - 1);
  return values[below] + (values[above] - values[below]) * (position - below);
}

/** Returns a quantile of each bin of several spectra. */
export function spectrumQuantile(levels, q) {
  const column = new Float64Array(levels.length);
  return Float64Array.from({length: levels[0].length}, (_, bin) => {
    levels.forEach((level, k) => (column[k] = level[bin]));
    return quantile(column, q);
  });
}

/** Rounds to a whole number, and halves to an even one. */
export function roundHalfEven(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}
