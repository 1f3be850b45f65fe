/** Spectrograms on a canvas. */

import {PowerSpectra} from "./dsp/spectra.js";

// The palette magma of Smith and van der Walt (CC0), as in the project's other spectrograms.
const MAGMA = [
  ...["000004", "0a0822", "1d1147", "36106b", "51127c", "6a1c81", "832681", "9c2e7f", "b73779"],
  ...["d0416f", "e75263", "f56b5c", "fc8961", "fea772", "fec488", "fde2a3", "fcfdbf"],
].map((colour) => [0, 2, 4].map((k) => parseInt(colour.slice(k, k + 2), 16)));
const RANGE_DB = 80;
const COLUMNS = 480;
const MOST_WINDOWS = 8;

/**
 * Measures the mean levels of all channels over time and frequency.
 * @param {Float32Array[]} channels
 * @param {number} sampleRate in Hz.
 * @returns {{columns: Float64Array[], topHz: number}} levels in dB of each column.
 */
export function levels(channels, sampleRate) {
  const spectra = new PowerSpectra(sampleRate);
  const length = channels[0].length;
  const count = Math.max(1, Math.min(COLUMNS, Math.ceil(length / (spectra.length / 2))));
  const step = length / count;
  // Of a long column, a few windows are enough.
  const windows = Math.max(1, Math.min(MOST_WINDOWS, Math.floor(step / (spectra.length / 2))));
  const columns = Array.from({length: count}, (_, column) => {
    const power = new Float64Array(spectra.bins);
    for (let k = 0; k < windows; k++) {
      const start = Math.floor(step * (column + k / windows));
      for (const wave of channels) spectra.add(wave, start, power);
    }
    const scale = 1 / (windows * channels.length);
    return power.map((sum) => 10 * Math.log10(Math.max(sum * scale, 1e-20)));
  });
  return {columns, topHz: sampleRate / 2};
}

/** Returns the level of the brightest colour: few are louder. */
export function brightest({columns}) {
  const all = columns.flatMap((column) => Array.from(column)).sort((a, b) => a - b);
  return all[Math.floor(0.999 * (all.length - 1))];
}

/**
 * Draws levels, one pixel of the picture for each of the screen.
 * @param {HTMLCanvasElement} canvas
 * @param {object} measured of `levels`.
 * @param {object} axes `topDb`, the level of the brightest colour; `topHz`, the highest frequency
 *   of the picture; `marksHz`, frequencies for dashed lines.
 */
export function draw(canvas, measured, {topDb, topHz, marksHz}) {
  const pixel = window.devicePixelRatio;
  canvas.width = Math.round(pixel * canvas.clientWidth);
  canvas.height = Math.round(pixel * canvas.clientHeight);
  const context = canvas.getContext("2d");
  const {width, height} = canvas;
  const image = context.createImageData(width, height);
  const {columns} = measured;
  const bins = columns[0].length;
  for (let y = 0; y < height; y++) {
    const hz = (1 - (y + 0.5) / height) * topHz;
    const bin = Math.round((hz / measured.topHz) * (bins - 1));
    for (let x = 0; x < width; x++) {
      const column = columns[Math.floor((x / width) * columns.length)];
      const level = bin < bins ? (column[bin] - topDb) / RANGE_DB + 1 : 0;
      image.data.set([...colour(level), 255], 4 * (y * width + x));
    }
  }
  context.putImageData(image, 0, 0);
  context.font = `${13 * pixel}px system-ui, sans-serif`;
  context.fillStyle = context.strokeStyle = "rgb(255 255 255 / 80%)";
  const stepHz = [500, 1000, 2000, 4000, 8000].find((step) => topHz / step <= 5) ?? 16000;
  for (let hz = stepHz; hz < topHz; hz += stepHz) {
    const y = height * (1 - hz / topHz);
    context.fillRect(0, y, 6 * pixel, pixel);
    context.fillText(`${hz / 1000} kHz`, 9 * pixel, y + 5 * pixel);
  }
  context.setLineDash([6 * pixel, 6 * pixel]);
  for (const hz of marksHz.filter((each) => each > 0 && each < topHz)) {
    context.beginPath();
    context.moveTo(0, height * (1 - hz / topHz));
    context.lineTo(width, height * (1 - hz / topHz));
    context.stroke();
  }
}

/** Returns red, green and blue for a level from 0 to 1. */
function colour(level) {
  const position = Math.max(0, Math.min(1, level)) * (MAGMA.length - 1);
  const left = Math.min(Math.floor(position), MAGMA.length - 2);
  return MAGMA[left].map((value, k) => value + (position - left) * (MAGMA[left + 1][k] - value));
}
