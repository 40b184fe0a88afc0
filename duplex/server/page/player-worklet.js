// Plays the agent's frames as evenly as they should have come, in the audio thread.
//
// It begins when `target` samples wait, counting the time that the first of them has waited. Where sound runs out, silence
// is counted and the target grows a little; where more than a frame above the target waits, the oldest sound goes until the
// target is met: the delay of a call never grows.

const FRAME_SAMPLES = 1920;
const STEP = 480;  // 20 ms
const FIRST_TARGET = FRAME_SAMPLES + STEP;  // a frame comes whole, and 20 ms late is usual
const MOST_TARGET = 2 * FRAME_SAMPLES;  // 160 ms

registerProcessor("player", class extends AudioWorkletProcessor {
  constructor() {
    super();
    this.queue = [];  // [frame's number, samples]
    this.position = 0;  // samples of the first in the queue that were played
    this.waiting = 0;  // samples in the queue
    this.patience = 0;  // samples for which the first in the queue has waited to begin
    this.playing = false;
    this.target = FIRST_TARGET;
    this.counts = { played: 0, starved: 0, dropped: 0 };  // frames, samples, samples
    this.port.onmessage = ({ data }) => { this.take(data.frame, data.samples); };
  }

  take(frame, samples) {
    this.queue.push([frame, samples]);
    this.waiting += samples.length;
    if (this.waiting <= this.target + FRAME_SAMPLES) return;
    this.counts.dropped += this.waiting - this.target;
    while (this.waiting > this.target) this.next(this.waiting - this.target);
  }

  process(inputs, [[out]]) {
    if (!this.playing && this.queue.length) {
      this.playing = this.waiting + this.patience >= this.target;
      this.patience += out.length;
    }
    // The first frame answers nothing and comes a round trip before the second: the gap behind it is nobody's fault.
    if (!this.playing) this.counts.starved += this.counts.played > 1 ? out.length : 0;
    else this.play(out);
    return true;
  }

  play(out) {
    let filled = 0;
    while (filled < out.length && this.queue.length) {
      if (this.position === 0) this.begin(this.queue[0][0], filled);
      const samples = this.next(out.length - filled);
      out.set(samples, filled);
      filled += samples.length;
    }
    if (filled < out.length) this.starve(out, filled);
  }

  // Takes at most `count` samples of the first frame in the queue.
  next(count) {
    const [, whole] = this.queue[0], samples = whole.subarray(this.position, this.position + count);
    this.position += samples.length;
    this.waiting -= samples.length;
    if (this.position === whole.length) {
      this.queue.shift();
      this.position = 0;
    }
    return samples;
  }

  // Says when a frame begins to be heard, in seconds of the context's clock.
  begin(frame, offset) {
    this.counts.played += 1;
    this.port.postMessage({ frame, at: currentTime + offset / sampleRate, counts: { ...this.counts }, target: this.target });
  }

  starve(out, filled) {
    for (let sample = 0; sample < filled; sample += 1) out[sample] *= 1 - sample / filled;  // no click
    this.playing = false;
    this.patience = 0;
    if (this.counts.played <= 1) return;
    this.counts.starved += out.length - filled;
    this.target = Math.min(this.target + STEP, MOST_TARGET);
  }
});
