/** Runs a network over a wave in windows on a fixed grid: upsample/windows.py explains the kinds. */

/**
 * Returns the windows of a file, in samples of its input: those dropped and those cross-faded.
 * @param {object} metadata of the file.
 * @param {number} n samples of the wave. Of several lengths, it gets the one with the least
 *   computation.
 */
export function grid(metadata, n) {
  const {context, streaming} = metadata;
  const computed = (window) => Math.ceil(n / (window - 2 * context)) * window;
  const window = metadata.shorter_windows.reduceRight(
    (best, each) => (computed(each) < computed(best) ? each : best),
    metadata.window,
  );
  if (streaming) return {window, lead: 0, fade: 0, hop: window};
  const lead = context ?? Math.floor(window / 8);
  const fade = context === null ? Math.floor(window / 4) : 0;
  return {window, lead, fade, hop: window - 2 * lead - fade};
}

/**
 * Restores a wave.
 * @param {Float32Array} wave at the rate of the network's input; silence surrounds it.
 * @param {object} network a `Network` of network.js.
 * @param {(share: number) => void} progress called with the share of the windows that are done.
 * @returns {Promise<Float32Array>} `factor` times as many samples.
 */
export async function runWindows(wave, network, progress) {
  const {metadata} = network;
  const factor = metadata.wants === "low" ? metadata.ratio : 1;
  const {window, lead, fade, hop} = grid(metadata, wave.length);
  // Input samples of silence before the wave, and output samples to drop.
  let before = lead + fade;
  let skip = factor * fade;
  if (metadata.streaming) {
    // States start as zeros; after `context` samples of silence they are those of silence.
    before = Math.ceil(metadata.context / hop) * hop;
    skip = factor * before + metadata.delay;
  }
  const count = Math.ceil((factor * wave.length + skip) / (factor * hop));
  const padded = new Float32Array((count - 1) * hop + window);
  padded.set(wave, before);
  const output = new Float32Array(factor * (count * hop + fade));
  const weights = fades(factor * fade, factor * (hop + fade));
  const channel = network.start();
  for (let k = 0; k < count; k++) {
    const restored = await channel.restore(padded.subarray(k * hop, k * hop + window));
    for (let j = 0; j < weights.length; j++) {
      output[k * factor * hop + j] += weights[j] * restored[factor * lead + j];
    }
    progress((k + 1) / count);
  }
  channel.end();
  return output.subarray(skip, skip + factor * wave.length);
}

/** Returns the weights of a window's samples: a squared sine at both ends, 1 between. */
function fades(fade, length) {
  const weights = new Float32Array(length).fill(1);
  for (let k = 0; k < fade; k++) {
    weights[k] = weights[length - 1 - k] = Math.sin((0.5 * Math.PI * (k + 0.5)) / fade) ** 2;
  }
  return weights;
}
