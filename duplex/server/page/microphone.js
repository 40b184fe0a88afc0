// The microphone: asked for with the browser's echo canceller, opened before the call, heard from the handshake on.

import { SAMPLE_RATE } from "./line.js";

const REFUSALS = {
  NotAllowedError: "The microphone is blocked for this page. Allow it beside the address above, then press Talk again.",
  NotFoundError: "There is no microphone. Plug one in, then press Talk again.",
  NotReadableError: "Another program holds the microphone. Close it, then press Talk again.",
};

// What to do where browsers give no microphone to a page at all; "" where they do.
export function withheld() {
  if (isSecureContext && navigator.mediaDevices) return "";
  const port = location.port || "80";
  return `Browsers give a microphone only to https and to localhost. Run  ssh -L ${port}:localhost:${port} ${location.hostname}  `
    + `and open http://localhost:${port}/ instead, or start duplex-serve with tls=true.`;
}

export class Microphone {
  // Asks the person. `context` plays the agent, and hears the microphone too where the browser allows it.
  // With headphones nothing echoes, and an echo canceller would only take from the voice.
  static async open(context, headphones) {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: !headphones, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
      });
      return await Microphone.of(stream, context);
    } catch (error) {
      throw new Error(REFUSALS[error.name] ?? `The microphone cannot be used: ${error.message}`, { cause: error });
    }
  }

  static async of(stream, context) {
    try {
      return await new Microphone(stream, context).listening();
    } catch (error) {
      if (error.name !== "NotSupportedError") throw error;
      return new Microphone(stream, new AudioContext({ latencyHint: "interactive" }), context).listening();  // Firefox
    }
  }

  constructor(stream, context, player = context) {
    this.stream = stream;
    this.context = context;
    this.player = player;
    this.source = context.createMediaStreamSource(stream);
  }

  async listening() {
    await this.context.audioWorklet.addModule(new URL("capture-worklet.js", import.meta.url));
    this.node = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 1, channelCount: 1, channelCountMode: "explicit" });
    this.source.connect(this.node).connect(this.context.destination);  // its output is silence; some browsers run only what is connected
    return this;
  }

  // From now on `hear(samples, at)` gets each frame, with the time of its first sample on the player's clock;
  // `lost(sentence)` is told if the microphone goes away.
  start(hear, lost) {
    const ahead = this.context === this.player ? 0 : this.player.currentTime - this.context.currentTime;
    this.node.port.onmessage = ({ data }) => hear(data.samples, data.at + ahead);
    this.node.port.postMessage("start");
    this.stream.getAudioTracks()[0].addEventListener("ended", () => lost("the microphone went away"));
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
    this.source.disconnect();
    if (this.node) this.node.port.onmessage = null;
    if (this.context !== this.player) this.context.close();
  }
}

// The clock and the loudspeaker of a call; made when the button is pressed, because browsers allow sound only then.
export function loudspeaker() {
  const context = new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: "interactive" });
  context.resume();
  return context;
}
