// Another rate for a stream of samples: a windowed sinc, one filter for each place that a sample can have between two others.

const ZEROS = 12;  // crossings of the sinc on each side; 45 dB down a tenth above the band

export class Resampler {
  constructor(from, to) {
    const divisor = commonDivisor(from, to), cutoff = Math.min(1, to / from) * 0.94;
    [this.up, this.down] = [to / divisor, from / divisor];
    this.reach = Math.ceil(ZEROS / cutoff);
    this.filters = Array.from({ length: this.up }, (_, phase) => filter(phase / this.up, this.reach, cutoff));
    this.waiting = new Float32Array(this.reach - 1);  // silence before the first sample
    this.phase = 0;
  }

  // What `samples` (any number) add to the stream.
  resampled(samples) {
    const heard = new Float32Array(this.waiting.length + samples.length), made = [];
    heard.set(this.waiting);
    heard.set(samples, this.waiting.length);
    let at = 0;
    for (; at + 2 * this.reach <= heard.length;) {
      const taps = this.filters[this.phase];
      let sum = 0;
      for (let tap = 0; tap < taps.length; tap += 1) sum += taps[tap] * heard[at + tap];
      made.push(sum);
      this.phase += this.down;
      at += Math.floor(this.phase / this.up);
      this.phase %= this.up;
    }
    this.waiting = heard.slice(at);
    return Float32Array.from(made);
  }
}

// Taps over `2 * reach` samples, for a place `offset` of a sample after the one in the middle.
function filter(offset, reach, cutoff) {
  const taps = Float32Array.from({ length: 2 * reach }, (_, tap) => {
    const distance = tap - (reach - 1) - offset, angle = Math.PI * cutoff * distance;
    const window = 0.5 + 0.5 * Math.cos(Math.PI * Math.max(-1, Math.min(1, distance / reach)));
    return window * (angle === 0 ? 1 : Math.sin(angle) / angle);
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);  // silence of any level stays what it is
  return taps.map((tap) => tap / sum);
}

function commonDivisor(a, b) {
  return b ? commonDivisor(b, a % b) : a;
}
