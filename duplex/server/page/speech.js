// Who speaks when, as a listener would say at once: loud stretches in steps of 10 ms, and the last switch between two sides.
// What the conversation was worth is measured from its recording, by eval.

import { FRAME_SECONDS } from "./line.js";

export const HOP_SAMPLES = 240, HOP_SECONDS = 0.01, FRAME_HOPS = 8;
const AUDIBLE_DECIBELS = -50;
const ABOVE_FLOOR_DECIBELS = 12;  // rooms are not silent
const FLOOR_FRAMES = 125;  // 10 s, in which everybody pauses for breath
const PAUSE_HOPS = 20;  // shorter silences lie within a stretch, as in an IPU
const LEAST_HOPS = 5;  // a click is no speech

// One side of a call. `stretches` are [first, end) in hops; `levels` are RMS in [0, 1], one for each hop.
export class Voice {
  constructor() {
    this.levels = [];
    this.stretches = [];
    this.quietest = [];  // dB, of each of the last frames
    this.times = [];  // when each frame began to be said or heard, seconds of the audio clock
  }

  hear(samples) {
    const first = this.levels.length, decibels = [];
    for (let start = 0; start < samples.length; start += HOP_SAMPLES) {
      let power = 0;
      for (let at = start; at < start + HOP_SAMPLES; at += 1) power += samples[at] * samples[at];
      this.levels.push(Math.sqrt(power / HOP_SAMPLES));
      decibels.push(10 * Math.log10(power / HOP_SAMPLES + 1e-12));
    }
    this.quietest.push(Math.min(...decibels));
    if (this.quietest.length > FLOOR_FRAMES) this.quietest.shift();
    const least = Math.max(AUDIBLE_DECIBELS, Math.min(...this.quietest) + ABOVE_FLOOR_DECIBELS);
    decibels.forEach((level, hop) => { if (level > least) this.speak(first + hop); });
  }

  speak(hop) {
    const last = this.stretches.at(-1);
    if (last && hop - last[1] < PAUSE_HOPS) last[1] = hop + 1;
    else {
      if (last && last[1] - last[0] < LEAST_HOPS) this.stretches.pop();
      this.stretches.push([hop, hop + 1]);
    }
  }

  // [start, end] on the audio clock of the last stretch that began `before` then; null where there is none, or nobody knows.
  lastSaid(before = Infinity) {
    const stretch = this.stretches.findLast(([start, end]) => end - start >= LEAST_HOPS && !(this.timeOf(start) >= before));
    if (!stretch || this.timeOf(stretch[0]) === undefined) return null;
    return [this.timeOf(stretch[0]), this.timeOf(stretch[0]) + (stretch[1] - stretch[0]) * HOP_SECONDS];
  }

  timeOf(hop) {
    const frame = Math.floor(hop / FRAME_HOPS), began = this.times[frame];
    return began === undefined ? undefined : began + hop * HOP_SECONDS - frame * FRAME_SECONDS;
  }
}

// Both sides of a call. `latency` is of the last switch from the person to the agent, as the person heard it:
// seconds from the end of speech to the answer's onset; null before the first. Only switches without overlap count.
export class Floor {
  constructor() {
    this.user = new Voice();
    this.agent = new Voice();
    this.latency = null;
    this.answer = [-Infinity, -Infinity];  // the agent's last stretch, on the audio clock
    this.quiet = -Infinity;  // since when the agent had been silent before it
    this.measured = true;
  }

  measure() {
    const answer = this.agent.lastSaid(), now = this.user.times.at(-1);
    if (!answer) return;
    if (answer[0] > this.answer[0]) [this.quiet, this.measured] = [this.answer[1], false];
    this.answer = answer;
    if (this.measured || now < answer[0] + PAUSE_HOPS * HOP_SECONDS) return;  // who only took a breath has not ended
    const turn = this.user.lastSaid(answer[0]);
    if (turn && turn[1] > this.quiet && turn[1] <= answer[0]) this.latency = answer[0] - turn[1];
    this.measured = true;
  }

  // [start, end) in hops where both speak.
  overlaps(from) {
    const late = (voice) => voice.stretches.filter(([, end]) => end > from);
    return late(this.user).flatMap(([start, end]) => late(this.agent)
      .map(([begin, stop]) => [Math.max(start, begin), Math.min(end, stop)]).filter(([begin, stop]) => stop > begin));
  }
}
