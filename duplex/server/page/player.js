// The agent's voice in the loudspeaker: frames in, and when each was heard.

export class Player {
  static async open(context, heard) {
    await context.audioWorklet.addModule(new URL("player-worklet.js", import.meta.url));
    return new Player(context, heard);
  }

  // `heard(frame, at)` is told when a frame leaves the loudspeaker, in seconds of the context's clock.
  constructor(context, heard) {
    this.context = context;
    this.counts = { played: 0, starved: 0, dropped: 0 };
    this.target = 0;  // samples that wait when all is well
    this.node = new AudioWorkletNode(context, "player", { numberOfInputs: 0, outputChannelCount: [1] });
    this.node.port.onmessage = ({ data }) => {
      this.counts = data.counts;
      this.target = data.target;
      heard(data.frame, data.at + (context.outputLatency || context.baseLatency || 0));
    };
    this.node.connect(context.destination);
  }

  play(frame, samples) {
    this.node.port.postMessage({ frame, samples });
  }

  close() {
    this.node.port.onmessage = null;
    this.node.disconnect();
    this.context.close();
  }
}
