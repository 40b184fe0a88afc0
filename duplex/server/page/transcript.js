// The words of both sides as they come: a line for each turn at speaking, the newest at the bottom.

import { clockTime } from "./lanes.js";

const NEW_LINE = 1.5;  // seconds of silence within what one side says
// What the agent decided when it understood the person; the first two close the person's line, the others may still be corrected.
const CLOSES = ["endpoint", "backchannel"], UNDERSTOOD = [...CLOSES, "barge_in", "resume"];

export class Transcript {
  constructor(element) {
    this.element = element;
    this.clear();
  }

  clear() {
    this.element.replaceChildren();
    this.agentLine = null;
    this.agentEnd = -Infinity;
    this.userText = null;  // element whose words may still change
  }

  agentSaid([text, start, end]) {
    if (!this.agentLine || start - this.agentEnd > NEW_LINE) this.agentLine = this.line("agent", start);
    this.keepingUp(() => this.agentLine.append(this.agentLine.textContent ? ` ${text}` : text));
    this.agentEnd = end;
  }

  // An agent that understands words says in its decisions what it heard.
  agentDecided({ kind, start, detail }) {
    if (!UNDERSTOOD.includes(kind) || !detail?.heard) return null;
    this.userText ??= this.line("user", start);
    this.keepingUp(() => { if (this.userText.textContent !== detail.heard) this.userText.textContent = detail.heard; });
    this.agentLine = null;
    if (CLOSES.includes(kind)) this.userText = null;
    return detail.heard;
  }

  line(party, seconds) {
    const words = make("p", "said"), row = make("li", party);
    const name = make("span", "name", party === "user" ? "you" : "agent"), time = make("time", "", clockTime(seconds));
    row.append(name, time, words);
    this.keepingUp(() => this.element.append(row));
    return words;
  }

  // Follows what is added, unless the person has scrolled back to read.
  keepingUp(add) {
    const { scrollHeight, scrollTop, clientHeight } = this.element.parentElement, follows = scrollHeight - scrollTop - clientHeight < 40;
    add();
    if (follows) this.toEnd();
  }

  toEnd() {
    this.element.parentElement.scrollTop = this.element.parentElement.scrollHeight;
  }
}

function make(tag, kind, text = "") {
  const element = document.createElement(tag);
  element.className = kind;
  element.textContent = text;
  return element;
}
