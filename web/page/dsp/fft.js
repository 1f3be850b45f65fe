/** Fourier transforms of real waves whose length is a power of two. */

/** A transform of one length. */
export class RealFFT {
  /** @param {number} size samples, a power of two from 2 on. */
  constructor(size) {
    this.size = size;
    this.bins = size / 2 + 1;
    this._cos = Float64Array.from({length: size / 2}, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this._sin = Float64Array.from({length: size / 2}, (_, k) => Math.sin((2 * Math.PI * k) / size));
    const bits = Math.log2(size);
    this._reversed = Uint32Array.from({length: size}, (_, k) => reverse(k, bits));
    this._re = new Float64Array(size);
    this._im = new Float64Array(size);
  }

  /**
   * Transforms a wave.
   * @param {ArrayLike<number>} wave at most `size` samples; zeros follow.
   * @returns {{re: Float64Array, im: Float64Array}} `bins` values each, valid until the next call.
   */
  forward(wave) {
    const {_re: re, _im: im, _reversed: reversed, size} = this;
    im.fill(0);
    for (let k = 0; k < size; k++) re[reversed[k]] = k < wave.length ? wave[k] : 0;
    this._butterflies();
    return {re: re.subarray(0, this.bins), im: im.subarray(0, this.bins)};
  }

  /**
   * Inverts `forward`.
   * @param {ArrayLike<number>} real `bins` values.
   * @param {ArrayLike<number>} imaginary `bins` values.
   * @returns {Float64Array} `size` samples, valid until the next call.
   */
  inverse(real, imaginary) {
    const {_re: re, _im: im, _reversed: reversed, size} = this;
    // A transform of the conjugate spectrum is the wave in reverse; the wave is real.
    for (let k = 0; k < size; k++) {
      const mirrored = k < this.bins ? k : size - k;
      re[reversed[k]] = real[mirrored] / size;
      im[reversed[k]] = ((k < this.bins ? -1 : 1) * imaginary[mirrored]) / size;
    }
    this._butterflies();
    return re;
  }

  _butterflies() {
    const {_re: re, _im: im, _cos: cos, _sin: sin, size} = this;
    for (let half = 1; half < size; half *= 2) {
      const stride = size / (2 * half);
      for (let start = 0; start < size; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const a = start + k;
          const b = a + half;
          const c = cos[k * stride];
          const s = sin[k * stride];
          const x = re[b] * c + im[b] * s;
          const y = im[b] * c - re[b] * s;
          re[b] = re[a] - x;
          im[b] = im[a] - y;
          re[a] += x;
          im[a] += y;
        }
      }
    }
  }
}

function reverse(k, bits) {
  let reversed = 0;
  for (let bit = 0; bit < bits; bit++) reversed = (reversed << 1) | ((k >> bit) & 1);
  return reversed;
}

/** Returns the smallest power of two that is at least n. */
export function powerOfTwo(n) {
  return 2 ** Math.ceil(Math.log2(Math.max(2, n)));
}
