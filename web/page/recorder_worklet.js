/** Hands the samples of the microphone to the page. */
class Recording extends AudioWorkletProcessor {
  process([channels]) {
    if (channels.length) this.port.postMessage(channels.map((wave) => wave.slice()));
    return true;
  }
}

registerProcessor("recorder", Recording);
