/** Restores recordings with the commands of wideband, on the computer that serves the page. */

import {readWav} from "./wav.js";

export class ServerEngine {
  /** @param {object} settings of networks.json: the networks and the limits. */
  constructor({networks, limits}) {
    this.networks = networks;
    this.limits = limits;
    this.takesNetworks = false;
  }

  /**
   * Decodes and measures a recording.
   * @param {File} file
   * @returns {Promise<object>} `channels`, `sampleRate`, and `band` in Hz: where its pass band begins
   *   and ends, and where its content ends.
   */
  async open(file) {
    const {answer, wav} = await this._send("open", file, {});
    return {...readWav(wav), file, band: answer.band_hz};
  }

  /**
   * Restores a recording.
   * @param {object} recording of `open`.
   * @param {object} network one of `networks`.
   * @param {{force: boolean, progress: function, signal: AbortSignal}} options
   * @returns {Promise<object>} `channels`, `sampleRate`, `wav`, and `note`, what else to say.
   */
  async restore(recording, network, {force, progress, signal}) {
    const query = {network: network.name, ...(force && {force: "1"})};
    const {answer, wav} = await this._send("restore", recording.file, query, progress, signal);
    return {...readWav(wav), wav, note: answer.note};
  }

  /** Uploads a recording; returns the last line of the answer and the wav file behind it. */
  async _send(path, file, query, progress = () => {}, signal = undefined) {
    const suffix = /\.\w{1,5}$/.exec(file.name)?.[0].toLowerCase() ?? "";
    const response = await fetch(`${path}?${new URLSearchParams({suffix, ...query})}`, {
      method: "POST",
      body: file,
      headers: {"Content-Type": "application/octet-stream"},
      signal,
    }).catch((error) => {
      if (signal?.aborted) throw signal.reason;
      throw new Error(`wideband-demo does not answer (${error.message}); is it still running?`);
    });
    if (!response.ok) throw new Error((await response.text()).trim());
    const answer = new Lines(response.body.getReader());
    for (;;) {
      const line = await answer.line();
      if (line.error) throw new Error(line.error);
      if (line.bytes !== undefined) return {answer: line, wav: await answer.rest(line.bytes)};
      progress(line);
    }
  }
}

/** A stream of lines in JSON, then of bytes. */
class Lines {
  constructor(reader) {
    this._reader = reader;
    this._buffer = new Uint8Array(0);
  }

  async line() {
    for (;;) {
      const end = this._buffer.indexOf(10);
      if (end >= 0) {
        const text = new TextDecoder().decode(this._buffer.subarray(0, end));
        this._buffer = this._buffer.subarray(end + 1);
        return JSON.parse(text);
      }
      const more = await this._read();
      const joined = new Uint8Array(this._buffer.length + more.length);
      joined.set(this._buffer);
      joined.set(more, this._buffer.length);
      this._buffer = joined;
    }
  }

  async rest(length) {
    const bytes = new Uint8Array(length);
    let filled = 0;
    for (let part = this._buffer; ; part = await this._read()) {
      bytes.set(part.subarray(0, length - filled), filled);
      filled += part.length;
      if (filled >= length) return bytes;
    }
  }

  async _read() {
    const {value, done} = await this._reader.read();
    if (done) throw new Error("wideband-demo ended before it was done; start it again");
    return value;
  }
}
