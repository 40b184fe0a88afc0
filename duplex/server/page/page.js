// Puts the page together: what the person wishes, the button, and what is shown of a call.

import { Call } from "./call.js";
import { clockTime, Lanes } from "./lanes.js";
import { FRAME_SECONDS, refusal } from "./line.js";
import { withheld } from "./microphone.js";
import { Transcript } from "./transcript.js";

const STATES = { asking: "allow the microphone", connecting: "connecting", prompt: "hearing the prompt", talking: "talking" };
const FRAME_BY_FRAME = ["text_token", "user_nats"];  // duplex/frame.py: drawn nowhere
// Query key -> the agent's own setting (duplex/wire/wishes.py).
const SETTINGS = { audio_temperature: "temperature", audio_topk: "top_k", text_temperature: "text_temperature", text_topk: "text_top_k", voice_prompt: "voice" };

const find = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search), form = find("wishes").elements;
const lanes = new Lanes(find("lanes")), transcript = new Transcript(find("transcript"));
export let call = null;

// What the person wishes: settings in the query, beside the page's own keys; the role and the seed in the opening.
function wishes() {
  const query = new URLSearchParams(asked), opening = {};
  for (const key of Object.keys(SETTINGS)) {
    query.delete(key);
    if (form[key].value) query.set(key, form[key].value);
  }
  query.delete("text_prompt");
  query.delete("seed");
  if (form.text_prompt.value.trim()) opening.prompt = { text: form.text_prompt.value.trim() };
  if (form.seed.value) opening.seed = Number(form.seed.value);
  return { query, opening, headphones: form.headphones.checked };
}

const shown = {
  state(name) {
    document.body.dataset.state = name;
    find("state").textContent = STATES[name];
  },

  ready(greeting) {
    find("agent").textContent = greeting.agent;
    const unknown = Object.entries(SETTINGS).filter(([key, setting]) => form[key].value && !(setting in greeting.applied));
    if (unknown.length) notify(`This agent has no ${unknown.map(([, setting]) => setting.replaceAll("_", " ")).join(", no ")} to set.`, true);
    requestAnimationFrame(glide);
  },

  said(words, events) {
    for (const event of events.filter(({ kind }) => !FRAME_BY_FRAME.includes(kind))) {
      lanes.note(event.kind, event.start + call.lost * FRAME_SECONDS);
      const heard = transcript.agentDecided(event);
      if (heard) call.recording.events.user.push({ kind: "understood", start: event.start, end: event.start, detail: { heard } });
    }
    for (const word of words) transcript.agentSaid(word);  // after the decision to say them
  },

  frame() {
    lanes.arrived = performance.now();
    find("time").textContent = clockTime(call.seconds);
    find("latency").textContent = call.floor.latency === null ? "–" : `${call.floor.latency.toFixed(2)} s`;
    find("round-trip").textContent = call.roundTrip === null ? "–" : `${Math.round(call.roundTrip)} ms`;
    find("dropped").textContent = `${call.dropped.toFixed(2)} s`;
    find("starved").textContent = `${call.starved.toFixed(2)} s`;
  },

  ended(reason, isError) {
    document.body.dataset.state = isError ? "failed" : "ended";
    const after = call.recording ? `ended after ${clockTime(call.seconds)}` : "ended";
    find("state").textContent = isError ? after : `${after}: ${reason}`;
    find("time").textContent = "";
    find("talk").textContent = call.recording ? "Talk again" : "Talk";
    if (isError) notify(sentence(reason));
    find("call").hidden = !call.recording;
    find("before").hidden = false;
    find("before").open = !call.recording;
    if (call.recording) offer(call.recording, reason);
    lanes.draw();
  },
};

function begin() {
  if (!find("wishes").checkValidity()) {
    find("advanced").open = true;
    find("wishes").reportValidity();
    return;
  }
  call = new Call(wishes(), shown);
  notify("");
  transcript.clear();
  find("before").hidden = true;
  find("call").hidden = false;
  find("kept").hidden = true;
  find("time").textContent = "";
  for (const id of ["latency", "round-trip", "dropped", "starved"]) find(id).textContent = "–";
  find("talk").textContent = "Hang up";
  lanes.show(call.floor);
  call.begin();
}

// The downloads of a call that is over.
function offer(recording, reason) {
  const name = recording.greeting.conversation ?? "conversation", { kept } = recording.greeting;
  for (const [id, blob, ending] of [["wav", recording.wav(), "wav"], ["log", recording.log(reason), "json"]]) {
    URL.revokeObjectURL(find(id).href);
    find(id).href = URL.createObjectURL(blob);
    find(id).download = `${name}.${ending}`;
  }
  find("elsewhere").textContent = kept ? `The server keeps its own in ${kept}.` : "";
  find("kept").hidden = false;
  transcript.toEnd();
}

// Thirty pictures a second are smooth enough, and leave a laptop cool.
function glide(now) {
  if (!call || call.over) return;
  if (now - lanes.drawn > 30) lanes.draw(true);
  requestAnimationFrame(glide);
}

function notify(text, mildly = false) {
  find("notice").textContent = text;
  find("notice").classList.toggle("mild", mildly);
  find("notice").hidden = !text;
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
}

async function meet() {
  const refused = await refusal(asked);
  if (refused) return notify(sentence(refused));
  const [{ agent }, { voices }] = await Promise.all(["state", "voices"].map(async (what) => (await fetch(`api/${what}?${asked}`)).json()));
  find("agent").textContent = agent;
  document.title = `Talk to ${agent}`;
  form.voice_prompt.append(...voices.map((voice) => new Option(voice, voice)));
  form.voice_prompt.value = asked.get("voice_prompt")?.replace(/\.pt$/, "") ?? "";
  form.voice_prompt.closest("label").hidden = voices.length === 0;
}

find("talk").addEventListener("click", () => { if (call && !call.over) call.hangUp(); else begin(); });
find("wishes").addEventListener("submit", (event) => event.preventDefault());
find("theme").addEventListener("click", () => {
  const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  lanes.draw();
});
for (const [key, value] of asked) if (form[key]?.matches?.("input[type=number], textarea")) form[key].value = value;

find("talk").disabled = Boolean(withheld());
meet().then(() => { if (withheld()) notify(withheld()); });
