// Moshi's wire protocol with this harness's own messages (duplex/wire/messages.py): a byte that says the kind, then a payload.
// Nothing here knows of microphones, players or the page.

export const SAMPLE_RATE = 24000, FRAME_SAMPLES = 1920, FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE;

const KIND = { handshake: 0, audio: 1, metadata: 4, error: 5 };  // others are none of ours and ignored
const MOST_UNSENT = 3 * (1 + 4 * FRAME_SAMPLES);  // bytes; the server lets no more than three frames wait either

// `query` is asked of the server, `opening` says what the conversation is about, `hears` is told what comes:
// opened(), ready(greeting), frame(samples, told), closed(reason, isError).
export class Line {
  constructor(query, opening, hears) {
    const url = new URL("api/chat", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.search = new URLSearchParams([...query, ["ext", "1"], ["audio", "pcm"]]);
    this.hears = hears;
    this.ready = false;
    this.greeting = {};
    this.told = null;  // about the frame that comes next
    this.complaint = "";
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("open", () => {
      this.socket.send(message(KIND.metadata, new TextEncoder().encode(JSON.stringify(opening))));
      hears.opened();
    });
    this.socket.addEventListener("message", (event) => this.take(event.data));
    this.socket.addEventListener("close", async (event) => {
      const reason = this.complaint || event.reason || await refusal(query) || "the connection broke";
      hears.closed(reason, event.code !== 1000);
    });
  }

  take(data) {
    const kind = new Uint8Array(data, 0, 1)[0], payload = data.slice(1);  // a copy, because samples begin at multiples of 4
    if (kind === KIND.handshake) {
      this.ready = true;
      this.hears.ready(this.greeting);
    } else if (kind === KIND.audio) {
      this.hears.frame(new Float32Array(payload), this.told);  // little-endian, as is every machine with a browser
      this.told = null;
    } else if (kind === KIND.metadata) {
      this.told = JSON.parse(new TextDecoder().decode(payload));
      if (!this.ready) [this.greeting, this.told] = [this.told, null];
    } else if (kind === KIND.error) {
      this.complaint = new TextDecoder().decode(payload);
    }
  }

  // Sends a frame; false where it is forgotten: nobody listens yet, or the network does not take it in time.
  speak(samples) {
    if (!this.ready || this.socket.readyState !== WebSocket.OPEN || this.socket.bufferedAmount > MOST_UNSENT) return false;
    this.socket.send(message(KIND.audio, new Uint8Array(samples.buffer)));
    return true;
  }

  hangUp() {
    this.socket.close(1000);
  }
}

// A browser does not say why it got no connection. The same doors guard the server's state, and there they say it; "" if not.
export async function refusal(query) {
  try {
    const answer = await fetch(`api/state?${query}`);
    return answer.ok ? "" : (await answer.text()).trim();
  } catch {
    return "the server cannot be reached";
  }
}

function message(kind, payload) {
  const bytes = new Uint8Array(1 + payload.length);
  bytes[0] = kind;
  bytes.set(payload, 1);
  return bytes;
}
