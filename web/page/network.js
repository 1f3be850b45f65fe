/** Networks in TFLite files, which run on LiteRT.js: the counterpart of upsample/tflite.py. */

import {readExport} from "./metadata.js";

let litert = null;

/** Loads LiteRT.js from the folder litert/, once. For workers that are not modules. */
async function runtime() {
  if (!litert) {
    const folder = new URL("litert/", import.meta.url);
    self.Module = {
      // In a worker, the runtime would look for its WebAssembly next to the worker's script.
      locateFile: (name) => new URL(name, folder).href,
      // It reports its start as errors.
      printErr: (line) => console.debug(line),
    };
    try {
      const library = await import(new URL("core.js", folder).href);
      await library.loadLiteRt(folder.href);
      litert = library;
    } catch (error) {
      throw new Error(
        `LiteRT.js does not start (${error.message}); check the connection and try again, or use ` +
          "another browser",
      );
    }
  }
  return litert;
}

/** A network, ready to run. */
export class Network {
  constructor(model, metadata, library) {
    this.metadata = metadata;
    this._model = model;
    this._library = library;
    this._states = model.getInputDetails().filter((each) => each.name !== metadata.wants);
  }

  /**
   * Loads a file of wideband-export.
   * @param {Uint8Array} bytes
   * @returns {Promise<Network>}
   * @throws {Error} it is not such a file, is damaged, or this browser cannot run it.
   */
  static async load(bytes) {
    const {model, metadata} = readExport(bytes);
    await checkSum(model, metadata);
    const library = await runtime();
    let compiled;
    try {
      compiled = await library.loadAndCompile(model, {accelerator: "wasm"});
    } catch (error) {
      throw new Error(`LiteRT.js cannot run this file (${error.message}); use wideband-upsample`);
    }
    return new Network(compiled, metadata, library);
  }

  /**
   * Starts one channel of a wave.
   * @returns {{restore: function, end: function}} `restore` takes the next window and returns a
   *   promise of its output; `end` frees the memory.
   */
  start() {
    const {metadata, _library: {Tensor}} = this;
    let states = Object.fromEntries(
      this._states.map(({name, shape}) => {
        const zeros = new Float32Array(shape.reduce((product, n) => product * n, 1));
        return [name, new Tensor(zeros, [...shape])];
      }),
    );
    const free = (tensors) => Object.values(tensors).forEach((tensor) => tensor.delete());
    const restore = async (window) => {
      const inputs = {...states, [metadata.wants]: new Tensor(window.slice(), [1, window.length, 1])};
      const isShorter = window.length !== metadata.window;
      const signature = isShorter ? `window_${window.length}` : "serving_default";
      const {restored, ...next} = await this._model.run(signature, inputs);
      free(inputs);
      states = next;
      const output = (await restored.data()).slice();
      restored.delete();
      return output;
    };
    return {restore, end: () => free(states)};
  }

  /** Frees the memory. */
  end() {
    this._model.delete();
  }
}

async function checkSum(model, metadata) {
  // Browsers have no checksums on pages that came over plain HTTP from another machine.
  if (!crypto.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", model));
  const hexadecimal = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hexadecimal !== metadata.model_sha256) {
    throw new Error("damaged, its model has another checksum; export it again");
  }
}
