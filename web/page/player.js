/** Plays two versions of a recording in step; a switch between them is heard at once. */

import {resample} from "./dsp/resample.js";

// Long enough to make no click, short enough to be heard as one instant.
const FADE_SECONDS = 0.02;
// Browsers play these rates; others are resampled first.
const [LOWEST_RATE, HIGHEST_RATE, FULL_RATE] = [8000, 96000, 48000];

export class Player {
  /** @param {() => void} changed called when playing begins or ends. */
  constructor(changed) {
    this._changed = changed;
    this._context = null;
    this._versions = [];
    this._sources = [];
    this._gains = [];
    this._offset = 0;
    this.playing = false;
    this.version = 0;
  }

  /**
   * Loads versions, each `{channels, sampleRate}`. Playing stops if the first one changes.
   */
  load(versions) {
    const same = versions[0]?.channels === this._versions[0]?.channels;
    const [position, playing] = [this.position, this.playing && same];
    this.stop();
    this._versions = versions;
    this._buffers = null;
    this._offset = same ? position : 0;
    this.version = 0;
    if (playing) this.play();
  }

  /** The duration in seconds. */
  get seconds() {
    const {channels, sampleRate} = this._versions[0] ?? {channels: [[]], sampleRate: 1};
    return channels[0].length / sampleRate;
  }

  /** The position in seconds. */
  get position() {
    if (!this.playing) return this._offset;
    const since = this._context.currentTime - this._started;
    return Math.min(this.seconds, Math.max(this._offset, since));
  }

  get _isAtEnd() {
    return this._offset >= this.seconds - 0.01;
  }

  play() {
    this._context ??= new AudioContext();
    this._context.resume();
    this._buffers ??= this._versions.map((version) => toBuffer(this._context, version));
    if (this._isAtEnd) this._offset = 0;
    const at = this._context.currentTime + 0.05;
    this._gains = this._buffers.map((_, version) => {
      const gain = this._context.createGain();
      gain.gain.value = version === this.version ? 1 : 0;
      gain.connect(this._context.destination);
      return gain;
    });
    this._sources = this._buffers.map((buffer, version) => {
      const source = this._context.createBufferSource();
      source.buffer = buffer;
      source.connect(this._gains[version]);
      source.start(at, this._offset);
      return source;
    });
    this._sources[0].onended = () => {
      this.stop();
      this._offset = 0;
    };
    this._started = at - this._offset;
    this.playing = true;
    this._changed();
  }

  /** Stops, and stays at the position. */
  stop() {
    if (!this.playing) return;
    this._offset = this.position;
    this.playing = false;
    for (const source of this._sources) {
      source.onended = null;
      source.stop();
    }
    for (const gain of this._gains) gain.disconnect();
    this._changed();
  }

  seek(seconds) {
    const {playing} = this;
    this.stop();
    this._offset = Math.max(0, Math.min(this.seconds, seconds));
    if (playing && !this._isAtEnd) this.play();
  }

  /** Lets another version be heard. */
  choose(version) {
    this.version = version;
    if (!this.playing) return;
    const now = this._context.currentTime;
    this._gains.forEach(({gain}, k) => {
      gain.cancelScheduledValues(now);
      gain.setValueAtTime(gain.value, now);
      gain.linearRampToValueAtTime(k === version ? 1 : 0, now + FADE_SECONDS);
    });
  }
}

function toBuffer(context, {channels, sampleRate}) {
  let [waves, rate] = [channels, sampleRate];
  if (rate < LOWEST_RATE || rate > HIGHEST_RATE) {
    waves = channels.map((wave) => resample(wave, sampleRate, FULL_RATE));
    rate = FULL_RATE;
  }
  const buffer = context.createBuffer(waves.length, waves[0].length, rate);
  waves.forEach((wave, channel) => buffer.copyToChannel(wave, channel));
  return buffer;
}
