/** Records from the microphone, without compression and without the browser's own filters. */

import {writeWav} from "./wav.js";

export class Recorder {
  /**
   * Starts to record.
   * @param {number} mostSeconds where the recording ends by itself.
   * @param {() => void} ended called then.
   * @returns {Promise<Recorder>}
   * @throws {Error} there is no microphone, or the user does not allow it.
   */
  static async start(mostSeconds, ended) {
    if (!navigator.mediaDevices) {
      throw new Error("this browser allows recording only over https or on this computer");
    }
    const stream = await navigator.mediaDevices
      .getUserMedia({
        audio: {echoCancellation: false, noiseSuppression: false, autoGainControl: false},
      })
      .catch((error) => {
        throw new Error(
          error.name === "NotFoundError"
            ? "there is no microphone; connect one, or choose a file"
            : `the browser gives no microphone (${error.message}); allow it, or choose a file`,
        );
      });
    const context = new AudioContext();
    await context.audioWorklet.addModule(new URL("recorder_worklet.js", import.meta.url));
    return new Recorder(context, stream, mostSeconds, ended);
  }

  constructor(context, stream, mostSeconds, ended) {
    this._context = context;
    this._stream = stream;
    this._blocks = [];
    this._samples = 0;
    const node = new AudioWorkletNode(context, "recorder", {numberOfOutputs: 0});
    node.port.onmessage = ({data}) => {
      this._blocks.push(data);
      this._samples += data[0].length;
      if (this.seconds >= mostSeconds && this._stream.active) ended();
    };
    context.createMediaStreamSource(stream).connect(node);
  }

  /** The seconds recorded so far. */
  get seconds() {
    return this._samples / this._context.sampleRate;
  }

  /** Ends the recording and returns it as a wav file. */
  async stop() {
    for (const track of this._stream.getTracks()) track.stop();
    await this._context.close();
    const count = Math.min(...this._blocks.map((block) => block.length));
    const channels = Array.from({length: this._blocks.length ? count : 0}, (_, channel) => {
      const wave = new Float32Array(this._samples);
      let at = 0;
      for (const block of this._blocks) {
        wave.set(block[channel], at);
        at += block[channel].length;
      }
      return wave;
    });
    if (!channels.length) throw new Error("nothing was recorded; record again");
    return new File([writeWav(channels, this._context.sampleRate, "24")], "recording.wav");
  }
}
