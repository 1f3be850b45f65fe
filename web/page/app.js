/** The page: from a recording to what is heard before and after. */

import {BrowserEngine} from "./browser_engine.js";
import {resample} from "./dsp/resample.js";
import {choose, fits, lowRate, objection} from "./picking.js";
import {Player} from "./player.js";
import {Recorder} from "./recorder.js";
import {ServerEngine} from "./server_engine.js";
import {brightest, draw, levels} from "./spectrogram.js";
import {writeWav} from "./wav.js";

const ENGINES = {browser: BrowserEngine, server: ServerEngine};
const WHERE = {
  browser: "It runs in this browser. The recording does not leave this machine.",
  server: "It runs on the computer that shows this page, which keeps nothing.",
};
const VERSIONS = ["Before", "After"];
// The rate of a telephone, in Hz.
const CUT_RATE = 8000;

const $ = (id) => document.getElementById(id);
const player = new Player(showPlaying);
let engine = null;
let recording = null; // {name, channels, sampleRate, band}
let restored = null; // {channels, sampleRate, wav, note}
let recorder = null;
let asking = false; // while the browser asks for the microphone
let working = null; // an AbortController while a network restores
let opened = 0; // counts the recordings, so that a late answer to an earlier one is dropped

/** Shows an error, or none. */
function fail(message = "") {
  $("error").textContent = message;
}

async function open(file) {
  const number = ++opened;
  working?.abort(new Error("stopped"));
  forget();
  fail();
  $("facts").textContent = `Reading ${file.name} …`;
  try {
    await check(file);
    const found = await engine.open(file);
    if (number !== opened) return;
    recording = {name: file.name, ...found};
  } catch (error) {
    if (number !== opened) return;
    $("facts").textContent = "";
    fail(`${file.name}: ${error.message}`);
    return;
  }
  $("facts").textContent = describe(recording);
  listNetworks(choose(engine.networks, recording.band[2], recording.sampleRate));
  $("restoring").hidden = $("listening").hidden = false;
  showVersions();
}

/** Refuses a file that is too large or cannot be read. */
async function check(file) {
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
  if (file.size > engine.limits.bytes) {
    throw new Error(
      `has ${megabytes(file.size)}; this page takes at most ${megabytes(engine.limits.bytes)}: ` +
        "cut it, or use wideband-upsample",
    );
  }
  const reader = file.stream().getReader();
  await reader.read().catch(() => {
    throw new Error("cannot be read; choose a file, not a folder, that is still there");
  });
  await reader.cancel();
}

/** Removes the last recording from the page. */
function forget() {
  player.stop();
  recording = restored = null;
  $("restoring").hidden = $("listening").hidden = true;
  $("result").textContent = "";
}

function describe({name, channels, sampleRate, band}) {
  const seconds = (channels[0].length / sampleRate).toFixed(1);
  const kind = ["mono", "stereo"][channels.length - 1] ?? `${channels.length} channels`;
  const [lowest, , highest] = band.map(Math.round);
  const found = !highest
    ? "it is silent"
    : lowest
      ? `its band is that of a telephone, from ${lowest} to ${highest} Hz`
      : `its band ends at ${highest} Hz`;
  return `${name}: ${seconds} s, ${kind}, ${sampleRate} Hz; ${found}.`;
}

function listNetworks(chosen) {
  $("network").replaceChildren(
    ...engine.networks.map((network) => {
      const {name, metadata} = network;
      const kilo = (hz) => +(hz / 1000).toFixed(2);
      const rates =
        metadata.ratio === 1
          ? `any band, to ${kilo(metadata.sample_rate)} kHz`
          : `${kilo(lowRate(network))} to ${kilo(metadata.sample_rate)} kHz`;
      return new Option(`${name} (${rates})`, name, false, network === chosen);
    }),
  );
  showNetwork();
}

function chosenNetwork() {
  return engine.networks.find(({name}) => name === $("network").value);
}

/** Describes the chosen network, and says if it does not fit. */
function showNetwork() {
  const {about, size, metadata} = chosenNetwork();
  const megabytes = size && `${(size / 1e6).toFixed(1)} MB`;
  const licence = metadata.licence && `licence ${metadata.licence}`;
  $("about").textContent = [about, megabytes, licence].filter(Boolean).join(" · ");
  const reason = objection(chosenNetwork(), recording.band[2], engine.networks);
  $("objection").textContent = reason && `${recording.name} ${reason}.`;
  $("restore").textContent = reason ? "Restore anyway" : "Restore";
  const [, , highest] = recording.band;
  $("cut").hidden =
    highest <= CUT_RATE / 2 || engine.networks.some((network) => fits(network, highest));
}

/** Opens the recording as a telephone would have it, so that there is something to restore. */
function cut() {
  const {name, channels, sampleRate} = recording;
  const waves = channels.map((wave) => resample(wave, sampleRate, CUT_RATE));
  return open(new File([writeWav(waves, CUT_RATE, "24")], `${stem(name)}_4kHz.wav`));
}

/** Returns the name of a file without its suffix. */
function stem(name) {
  return name.replace(/\.\w{1,5}$/, "");
}

async function restore() {
  const source = recording;
  const network = chosenNetwork();
  const force = Boolean($("objection").textContent);
  working = new AbortController();
  const {signal} = working;
  const begun = performance.now();
  setWorking(true);
  fail();
  $("result").textContent = "";
  showProgress({stage: "loading"});
  try {
    const found = await engine.restore(source, network, {force, progress: showProgress, signal});
    // The whole answer may have been here before the user cancelled.
    signal.throwIfAborted();
    if (source !== recording) return;
    restored = found;
    const [seconds, took] = [player.seconds, (performance.now() - begun) / 1000];
    $("result").textContent = [
      `Restored with ${network.name} in ${took.toFixed(1)} s`,
      // Of a short recording, the time that it takes to begin.
      seconds >= 1 && `${(seconds / took).toPrecision(2)} times real time`,
      found.note,
    ]
      .filter(Boolean)
      .join("; ");
    showVersions();
    compare(1);
  } catch (error) {
    if (!signal.aborted) fail(`${source.name}: ${error.message}`);
  } finally {
    if (working?.signal === signal) setWorking(false);
  }
}

function setWorking(on) {
  if (!on) working = null;
  $("working").hidden = $("cancel").hidden = !on;
  for (const id of ["restore", "cut", "network", "own-network"]) $(id).disabled = on;
  if (!on && document.activeElement === document.body) $("restore").focus();
}

function showProgress({stage, share}) {
  $("stage").textContent = {
    loading: "Loading the network …",
    waiting: "Waiting for other recordings …",
    restoring: "Restoring …",
  }[stage];
  if (stage === "restoring") $("progress").value = share;
  else $("progress").removeAttribute("value");
}

/** Shows and loads what can be heard: the recording, and what was restored. */
function showVersions() {
  const versions = [recording, restored].filter(Boolean);
  $("after-figure").hidden = $("download").hidden = $("compare").disabled = !restored;
  player.load(versions);
  const measured = versions.map(({channels, sampleRate}) => levels(channels, sampleRate));
  const axes = {
    topDb: Math.max(...measured.map(brightest)),
    topHz: Math.max(...measured.map(({topHz}) => topHz)),
    marksHz: [recording.band[0], recording.band[2]],
  };
  measured.forEach((each, version) => {
    const canvas = $(["before", "after"][version]);
    draw(canvas, each, axes);
    canvas.setAttribute("aria-label", `Spectrogram ${VERSIONS[version].toLowerCase()}`);
  });
  URL.revokeObjectURL($("download").href);
  if (restored) {
    $("download").href = URL.createObjectURL(new Blob([restored.wav], {type: "audio/wav"}));
    $("download").download = `${stem(recording.name)}_wideband.wav`;
  }
  compare(0);
  $("position").max = player.seconds;
  showPosition();
}

/** Lets the version before (0) or after (1) be heard. */
function compare(version) {
  player.choose(version);
  $("compare").setAttribute("aria-pressed", String(version === 1));
}

function showPlaying() {
  $("play").textContent = player.playing ? "Pause" : "Play";
  showPosition();
}

function showPosition() {
  const {position, seconds} = player;
  if (player.playing) requestAnimationFrame(showPosition);
  $("position").value = position;
  $("time").textContent = `${position.toFixed(1)} of ${seconds.toFixed(1)} s`;
  $("playhead").style.left = `${(100 * position) / (seconds || 1)}%`;
}

async function record() {
  if (recorder) {
    const stopped = recorder;
    recorder = null;
    showRecording();
    await stopped.stop().then(open, (error) => fail(error.message));
    return;
  }
  if (asking) return;
  asking = true;
  fail();
  player.stop();
  try {
    recorder = await Recorder.start(engine.limits.seconds, record);
  } catch (error) {
    fail(error.message);
  } finally {
    asking = false;
  }
  showRecording();
}

function showRecording() {
  $("record").setAttribute("aria-pressed", String(Boolean(recorder)));
  $("record").textContent = recorder ? "Stop" : "Record";
  $("hint").textContent = recorder ? `recorded ${recorder.seconds.toFixed(0)} s` : "or drop it here";
  if (recorder) setTimeout(showRecording, 250);
}

/** Takes a file that was chosen or dropped: a recording, or a network. */
async function take(file) {
  if (!file) return;
  if (!file.name.toLowerCase().endsWith(".tflite")) return open(file);
  if (!engine.takesNetworks) {
    return fail(`${file.name}: name it when you start the page: wideband-demo --model=FILE`);
  }
  fail();
  try {
    const network = await engine.add(file);
    if (recording) listNetworks(network);
  } catch (error) {
    fail(`${file.name}: ${error.message}`);
  }
}

function listen() {
  for (const id of ["file", "own-network"]) {
    $(id).addEventListener("change", ({target}) => {
      take(target.files[0]);
      // The same file can be chosen again.
      target.value = "";
    });
  }
  $("record").addEventListener("click", record);
  $("network").addEventListener("change", showNetwork);
  $("cut").addEventListener("click", cut);
  $("restore").addEventListener("click", restore);
  $("cancel").addEventListener("click", () => working.abort(new Error("stopped")));
  $("play").addEventListener("click", () => (player.playing ? player.stop() : player.play()));
  $("compare").addEventListener("click", () => compare(1 - player.version));
  $("position").addEventListener("input", ({target}) => {
    player.seek(Number(target.value));
    showPosition();
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
  document.addEventListener("dragleave", () => $("drop").classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
}

async function start() {
  try {
    const settings = await (await fetch("networks.json")).json();
    engine = new ENGINES[settings.engine](settings);
    $("where").textContent = WHERE[settings.engine];
    $("own").hidden = !engine.takesNetworks;
  } catch (error) {
    $("where").textContent = "";
    return fail(`the list of networks cannot be loaded (${error.message}); load the page again`);
  } finally {
    $("input").hidden = false;
  }
  listen();
}

start();
