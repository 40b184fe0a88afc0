// What was said, as a stereo 16-bit WAV (left the person, right the agent, the agent's frame n beside the person's frame n)
// and as a log in JSON with the keys of the server's own.

import { FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE } from "./line.js";

const FULL_SCALE = 32767;
const FOLDED = 750;  // frames, a minute: a browser may lay a blob on disk, where an array stays in memory

export class Recording {
  constructor(greeting) {
    this.greeting = greeting;
    this.user = [];  // frames that were not answered yet
    this.agent = null;  // its last frame; what the person says beside it is known when it was answered
    this.pairs = [];  // interleaved
    this.blobs = [];
    this.numFrames = 0;
    this.numHeard = 0;  // frames of the agent
    this.words = { user: [], agent: [] };
    this.events = { user: [], agent: [] };
  }

  get seconds() {
    return this.numFrames * FRAME_SECONDS;
  }

  addUser(samples) {
    this.user.push(samples);
  }

  // The agent's next frame, which answers the person's frame before; `lost` more before that one never reached the agent.
  // `told` are words and events, in seconds from the start of the frame; returns them in seconds from the start of the call.
  addAgent(samples, told, lost) {
    this.user.splice(0, lost);
    if (this.agent) this.pair(this.user.shift(), this.agent);
    this.agent = samples;
    const start = this.numHeard * FRAME_SECONDS, moment = (seconds) => Math.round((start + seconds) * 1e6) / 1e6;
    const words = (told?.words ?? []).map(([text, from, to]) => [text, moment(from), moment(to)]);
    const events = (told?.events ?? []).map(([kind, from, to, detail]) => ({ kind, start: moment(from), end: moment(to), detail }));
    this.words.agent.push(...words);
    this.events.agent.push(...events);
    this.numHeard += 1;
    return { words, events };
  }

  pair(left, right) {
    const both = new Int16Array(2 * FRAME_SAMPLES);
    for (let at = 0; at < FRAME_SAMPLES; at += 1) {
      both[2 * at] = Math.round(left[at] * FULL_SCALE);
      both[2 * at + 1] = Math.round(right[at] * FULL_SCALE);
    }
    this.pairs.push(both);
    this.numFrames += 1;
    if (this.pairs.length === FOLDED) this.fold();
  }

  fold() {
    this.blobs.push(new Blob(this.pairs));
    this.pairs = [];
  }

  wav() {
    return new Blob([wavHeader(this.numFrames * 4 * FRAME_SAMPLES), ...this.blobs, ...this.pairs], { type: "audio/wav" });
  }

  log(ended) {
    const { agent, conversation, applied, facts } = this.greeting;
    const log = { agent, conversation, applied, facts, ended, seconds: this.seconds, words: this.words, events: this.events };
    return new Blob([`${JSON.stringify(log, null, 1)}\n`], { type: "application/json" });
  }
}

function wavHeader(numBytes) {
  const header = new DataView(new ArrayBuffer(44)), text = (at, letters) => [...letters].forEach((letter, place) => header.setUint8(at + place, letter.charCodeAt(0)));
  const channels = 2, width = 2;
  text(0, "RIFF");
  header.setUint32(4, 36 + numBytes, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);  // PCM
  header.setUint16(22, channels, true);
  header.setUint32(24, SAMPLE_RATE, true);
  header.setUint32(28, SAMPLE_RATE * channels * width, true);
  header.setUint16(32, channels * width, true);
  header.setUint16(34, 8 * width, true);
  text(36, "data");
  header.setUint32(40, numBytes, true);
  return header.buffer;
}
