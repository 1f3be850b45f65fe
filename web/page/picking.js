/** Which network fits a recording: `pick` of upsample/picking.py, with words for the page. */

import {quotient} from "./metadata.js";

const [WIDEST, NARROWEST, COMPLETE] = [1.1, 0.5, 0.95];
const SLACK_HZ = 250;
const HIGHEST_HZ = 20000;

/** Returns the low rate of a network in Hz. */
export function lowRate({metadata}) {
  const [up, down] = quotient(metadata.ratio);
  return (metadata.sample_rate * down) / up;
}

/** Returns where the band of a recording may end: the lowest and the highest frequency in Hz. */
function limits(network) {
  const half = lowRate(network) / 2;
  return network.metadata.band_hz ?? [half, half];
}

/**
 * Says whether the low band of a network ends where the content of a recording ends. A network for
 * any band takes every recording that lacks something. A vocoder restores nothing: it makes every
 * recording anew, and is never proposed.
 */
export function fits(network, bandHz) {
  if (isVocoder(network)) return false;
  if (!bandHz) return true;
  const {band_hz, sample_rate} = network.metadata;
  if (band_hz) return bandHz < Math.min(sample_rate / 2, HIGHEST_HZ);
  const half = lowRate(network) / 2;
  return NARROWEST * half <= bandHz && bandHz <= Math.max(WIDEST * half, half + SLACK_HZ);
}

function isVocoder({metadata}) {
  return metadata.wants === "high";
}

function isComplete({metadata}, bandHz) {
  return bandHz >= Math.min((COMPLETE * metadata.sample_rate) / 2, HIGHEST_HZ);
}

/** Returns how far the content of a recording ends from the bands of a network, in Hz. */
function distance(network, bandHz) {
  const [lowest, highest] = limits(network);
  return Math.max(lowest - bandHz, bandHz - highest, 0);
}

/**
 * Returns the network to begin with: a default one that fits, another that fits, the nearest. One
 * that was trained on such a band comes first, then one that does not lower the rate.
 */
export function choose(networks, bandHz, sampleRate) {
  const rank = (network) => {
    const far = distance(network, bandHz);
    const suits = fits(network, bandHz);
    const trained = !network.metadata.band_hz || far === 0;
    return [
      suits ? 0 : 1,
      network.default ? 0 : 1,
      suits ? Number(!trained) : far,
      suits ? -Math.min(network.metadata.sample_rate, sampleRate) : 0,
      bandHz ? far : 0,
      lowRate(network),
    ];
  };
  const compare = (a, b) => a.map((value, k) => value - b[k]).find(Boolean) ?? 0;
  return [...networks].sort((a, b) => compare(rank(a), rank(b)))[0];
}

/** Returns why a network does not fit, with what to do; "" if it fits. */
export function objection(network, bandHz, networks) {
  if (isVocoder(network) || fits(network, bandHz)) return "";
  const hz = (value) => `${Math.round(value)} Hz`;
  const other = networks.filter((each) => fits(each, bandHz)).map((each) => each.name);
  const choice = `choose ${other.join(" or ")}`;
  if (isComplete(network, bandHz)) {
    return (
      `already has content up to ${hz(bandHz)}; there is nothing for ${network.name} to restore` +
      (other.length ? `; ${choice}` : "")
    );
  }
  const advice = other.length ? choice : "no network in the list fits";
  const half = lowRate(network) / 2;
  if (bandHz > half) {
    return (
      `has content up to ${hz(bandHz)}, and ${network.name} replaces everything above ` +
      `${hz(half)}; ${advice}`
    );
  }
  return (
    `has no content above ${hz(bandHz)}, and ${network.name} restores only what is above ` +
    `${hz(half)}, which leaves a hole; ${advice}`
  );
}
