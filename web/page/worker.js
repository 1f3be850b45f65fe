/**
 * Measures and restores recordings in the background.
 *
 * A worker of the classic kind, since LiteRT.js loads its WebAssembly with `importScripts`.
 */

const modules = Promise.all([
  import("./dsp/bandwidth.js"),
  import("./dsp/restore.js"),
  import("./network.js"),
]).catch(({message}) => {
  throw new Error(`${message}; check the connection and try again`);
});
let loaded = {name: null, network: null};

self.onmessage = async ({data}) => {
  try {
    const answer = await tasks[data.task](data);
    self.postMessage({answer});
  } catch (error) {
    self.postMessage({error: error.message});
  }
};

const tasks = {
  /** Returns the band of a recording in Hz, as `bandHz`. */
  async measure({channels, sampleRate}) {
    const [{bandHz}] = await modules;
    return bandHz(channels, sampleRate);
  },

  /** Returns the restored channels. */
  async restore({channels, sampleRate, band, name, url, bytes}) {
    const [, {restore}, {Network}] = await modules;
    if (loaded.name !== name) {
      self.postMessage({progress: {stage: "loading", share: 0}});
      loaded.network?.end();
      loaded = {name: null, network: null};
      loaded = {name, network: await Network.load(bytes ?? (await download(url)))};
    }
    let shown = -Infinity;
    const progress = (share) => {
      if (performance.now() - shown < 100) return;
      shown = performance.now();
      self.postMessage({progress: {stage: "restoring", share}});
    };
    progress(0);
    return restore(channels, sampleRate, loaded.network, band, progress);
  },
};

async function download(url) {
  const failed = (reason) => {
    throw new Error(`the network cannot be loaded (${reason}); check the connection and try again`);
  };
  const response = await fetch(url).catch(({message}) => failed(message));
  if (!response.ok) failed(response.status);
  return new Uint8Array(await response.arrayBuffer());
}
