// A call from the press of the button to the reason why it ended: microphone, line, player, and what was said.

import { FRAME_SAMPLES, FRAME_SECONDS, Line, SAMPLE_RATE } from "./line.js";
import { loudspeaker, Microphone } from "./microphone.js";
import { Player } from "./player.js";
import { Recording } from "./recording.js";
import { FRAME_HOPS, Floor } from "./speech.js";

const REMEMBERED = 25;  // round trips, 2 s

// `page` is told: state(name), ready(greeting), said(words, events), frame(), ended(reason, isError).
export class Call {
  constructor(wishes, page) {
    this.wishes = wishes;  // {query, opening, headphones}
    this.page = page;
    this.floor = new Floor();
    this.recording = null;
    this.sent = [];  // when each frame went, ms
    this.roundTrips = [];
    this.numHeard = 0;
    this.unsent = 0;  // frames that the network did not take
    this.lost = 0;  // frames that came too late for the server
    this.over = false;
  }

  async begin() {
    const context = loudspeaker();
    try {
      this.page.state("asking");
      this.microphone = await Microphone.open(context, this.wishes.headphones);
      this.player = await Player.open(context, (frame, at) => { this.floor.agent.times[frame] = at; });
    } catch (error) {
      if (!this.player) context.close();
      return this.end(error.message, true);
    }
    if (this.over) return this.release();
    this.page.state("connecting");
    this.line = new Line(this.wishes.query, this.wishes.opening, {
      opened: () => this.page.state("prompt"),
      ready: (greeting) => this.talk(greeting),
      frame: (samples, told) => this.hear(samples, told),
      closed: (reason, isError) => this.end(reason, isError),
    });
  }

  talk(greeting) {
    this.recording = new Recording(greeting);
    this.microphone.start((samples, at) => this.speak(samples, at), (why) => this.end(why, true));
    this.page.ready(greeting);
    this.page.state("talking");
  }

  speak(samples, at) {
    if (this.over) return;
    if (!this.line.speak(samples)) {
      this.unsent += 1;
      return;
    }
    this.sent.push(performance.now());
    this.floor.user.times.push(at);
    this.floor.user.hear(samples);
    this.recording.addUser(samples);
    this.floor.measure();
    this.page.frame();
  }

  hear(samples, told) {
    if (this.over) return;
    const lost = Math.round((told?.dropped_samples ?? 0) / FRAME_SAMPLES);
    if (lost) this.lose(lost);
    const answered = this.sent[this.numHeard - 1];  // the first frame answers nothing
    if (answered !== undefined) this.roundTrips = [...this.roundTrips.slice(1 - REMEMBERED), performance.now() - answered];
    const { words, events } = this.recording.addAgent(samples, told, lost);
    this.player.play(this.floor.agent.levels.length / FRAME_HOPS, samples);
    this.floor.agent.hear(samples);
    this.numHeard += 1;
    this.page.said(words, events);
  }

  // The server skipped frames of the person: nobody answers them, and beside them the agent was silent.
  lose(count) {
    this.lost += count;
    this.sent.splice(this.numHeard - 1, count);
    for (let frame = 0; frame < count; frame += 1) this.floor.agent.hear(new Float32Array(FRAME_SAMPLES));
  }

  // Median of the last ones, ms; the agent's own step is part of it.
  get roundTrip() {
    const sorted = [...this.roundTrips].sort((a, b) => a - b);
    return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
  }

  get seconds() {
    return (this.sent.length + this.lost) * FRAME_SECONDS;
  }

  // Seconds of either side that came too late to be worth hearing.
  get dropped() {
    return (this.unsent + this.lost) * FRAME_SECONDS + (this.player?.counts.dropped ?? 0) / SAMPLE_RATE;
  }

  // Seconds of silence where the agent's sound was late.
  get starved() {
    return (this.player?.counts.starved ?? 0) / SAMPLE_RATE;
  }

  hangUp() {
    this.end("you hung up", false);
  }

  end(reason, isError) {
    if (this.over) return;
    this.over = true;
    this.release();
    this.page.ended(reason, isError);
  }

  release() {
    this.line?.hangUp();
    this.microphone?.close();
    this.player?.close();
  }
}
