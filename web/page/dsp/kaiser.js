/** The Kaiser window. */

/** Returns the modified Bessel function of order zero, by its power series. */
export function besselI0(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-17 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** Returns the window of 2 * half + 1 samples. */
export function kaiser(half, beta) {
  const peak = besselI0(beta);
  return Float64Array.from({length: 2 * half + 1}, (_, k) => {
    const t = half ? (k - half) / half : 0;
    return besselI0(beta * Math.sqrt(Math.max(0, 1 - t * t))) / peak;
  });
}
