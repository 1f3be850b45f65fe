/** Power spectra of short windows: `power_spectra` of audio/bandwidth.py. */

import {RealFFT} from "./fft.js";

/** Returns the samples of a window: the power of two nearest to 32 ms. */
export function windowLength(sampleRate) {
  return Math.max(2, 2 ** Math.round(Math.log2(0.032 * sampleRate)));
}

/** Computes power spectra of Hann windows of one length. */
export class PowerSpectra {
  /** @param {number} sampleRate in Hz. */
  constructor(sampleRate) {
    this.length = windowLength(sampleRate);
    this.bins = this.length / 2 + 1;
    this._fft = new RealFFT(this.length);
    this._window = Float64Array.from(
      {length: this.length},
      (_, k) => 0.5 - 0.5 * Math.cos((2 * Math.PI * k) / this.length),
    );
    this._scale = 1 / this._window.reduce((sum, value) => sum + value * value, 0);
    this._frame = new Float64Array(this.length);
  }

  /**
   * Adds the power spectrum of one window to a sum. White noise has its variance in each bin.
   * @param {ArrayLike<number>} wave zeros follow its end.
   * @param {number} start the window's first sample.
   * @param {Float64Array} sum `bins` values.
   */
  add(wave, start, sum) {
    for (let k = 0; k < this.length; k++) {
      this._frame[k] = start + k < wave.length ? wave[start + k] * this._window[k] : 0;
    }
    const {re, im} = this._fft.forward(this._frame);
    for (let k = 0; k < this.bins; k++) sum[k] += (re[k] * re[k] + im[k] * im[k]) * this._scale;
  }
}
