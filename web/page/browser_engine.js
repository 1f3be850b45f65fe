/** Restores recordings in the browser itself: nothing leaves the machine. */

import {decode} from "./decode.js";
import {readExport} from "./metadata.js";
import {writeWav} from "./wav.js";

export class BrowserEngine {
  /** @param {object} settings of networks.json: the networks and the limits. */
  constructor({networks, limits}) {
    this.networks = networks;
    this.limits = limits;
    this.takesNetworks = true;
    this._worker = null;
  }

  /**
   * Decodes and measures a recording.
   * @param {File} file
   * @returns {Promise<object>} `channels`, `sampleRate`, and `band` in Hz: where its pass band begins
   *   and ends, and where its content ends.
   */
  async open(file) {
    const recording = await decode(new Uint8Array(await file.arrayBuffer()));
    const {channels, sampleRate} = recording;
    const seconds = channels[0].length / sampleRate;
    if (seconds > this.limits.seconds) {
      throw new Error(
        `lasts ${Math.round(seconds)} s; this page takes at most ${this.limits.seconds} s: cut it, ` +
          "or use wideband-upsample",
      );
    }
    return {...recording, band: await this._ask({task: "measure", channels, sampleRate})};
  }

  /** Adds a network from a file of wideband-export to the list, and returns it. */
  async add(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const {metadata} = readExport(bytes);
    const network = {name: file.name, metadata, bytes, size: bytes.length, about: "your own file"};
    this.networks = [...this.networks.filter((each) => each.name !== file.name), network];
    return network;
  }

  /**
   * Restores a recording.
   * @param {object} recording of `open`.
   * @param {object} network one of `networks`.
   * @param {{force: boolean, progress: function, signal: AbortSignal}} options
   * @returns {Promise<object>} `channels`, `sampleRate`, `wav`, and `note`, what else to say.
   */
  async restore(recording, network, {progress, signal}) {
    const {channels, sampleRate, band, format} = recording;
    const {name, bytes, metadata} = network;
    const url = network.file && new URL(network.file, document.baseURI).href;
    const question = {task: "restore", channels, sampleRate, band, name, url, bytes};
    const restored = await this._ask(question, progress, signal);
    const peak = restored.reduce(
      (highest, wave) => wave.reduce((most, x) => Math.max(most, Math.abs(x)), highest),
      0,
    );
    const clipped = peak > 1 && format !== "float";
    return {
      channels: restored,
      sampleRate: metadata.sample_rate,
      wav: writeWav(restored, metadata.sample_rate, format),
      note: clipped ? `peaks of ${peak.toFixed(2)} were clipped at 1` : "",
    };
  }

  /** Sends a question to the worker, and waits for its answer. */
  _ask(question, progress = () => {}, signal = undefined) {
    this._worker ??= new Worker(new URL("worker.js", import.meta.url));
    const worker = this._worker;
    return new Promise((resolve, reject) => {
      const stop = (error) => {
        // A worker cannot be interrupted, and does not load again what it could not load. The next
        // question starts another one.
        worker.terminate();
        this._worker = null;
        reject(error);
      };
      signal?.addEventListener("abort", () => stop(signal.reason));
      worker.onerror = ({message}) => {
        const reason = message ? ` (${message})` : "";
        stop(new Error(`the background task fails${reason}; check the connection and try again`));
      };
      worker.onmessage = ({data}) => {
        if (data.progress) progress(data.progress);
        else if (data.error) stop(new Error(data.error));
        else resolve(data.answer);
      };
      worker.postMessage(question);
    });
  }
}
