// Cuts what the microphone hears into frames of exactly 1,920 samples at 24 kHz, in the audio thread.
// Until it is told to start, everything is forgotten: what was said before the handshake was said to nobody.

import { Resampler } from "./resampler.js";

const FRAME_SAMPLES = 1920, FRAME_RATE = 24000;

registerProcessor("capture", class extends AudioWorkletProcessor {
  constructor() {
    super();
    this.started = false;
    this.port.onmessage = () => { this.begin(); };
  }

  begin() {
    this.started = true;
    this.resampler = sampleRate === FRAME_RATE ? null : new Resampler(sampleRate, FRAME_RATE);
    this.frame = new Float32Array(FRAME_SAMPLES);
    this.filled = 0;
  }

  process([input]) {
    if (!this.started) return true;
    const heard = input[0] ?? new Float32Array(128);  // a muted microphone has no channel, and time goes on
    for (const sample of this.resampler ? this.resampler.resampled(heard) : heard) {
      this.frame[this.filled] = Math.max(-1, Math.min(1, sample));
      this.filled += 1;
      if (this.filled === FRAME_SAMPLES) this.deliver();
    }
    return true;
  }

  // A frame, and when its first sample was heard, in seconds of this context's clock.
  deliver() {
    const samples = this.frame;
    this.port.postMessage({ samples, at: currentTime - FRAME_SAMPLES / FRAME_RATE }, [samples.buffer]);
    this.frame = new Float32Array(FRAME_SAMPLES);
    this.filled = 0;
  }
});
