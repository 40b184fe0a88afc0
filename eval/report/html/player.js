"use strict";
// One opened conversation: its lanes, its sound, a playhead on both, and where in time one looks.

const PLAY = "M3 1.5v13l11-6.5z", PAUSE = "M3 2h4v12H3zM9 2h4v12H9z";
const players = new Set();

// Draws `entry` into an element; `partner` is a player whose time axis and scrolling it follows.
class Player {
  constructor(entry, details, { compare = null, partner = null } = {}) {
    this.entry = entry;
    this.details = details;
    this.partners = partner ? [partner] : [];
    if (partner) partner.partners.push(this);
    this.zoom = partner ? partner.zoom : innerWidth < 600 ? 10 : 0;  // seconds across the window; 0 fits all
    this.other = null;  // of details.without, while that is what one hears
    this.audio = make("audio", { src: details.audio, preload: "none" });
    this.build(compare);
    players.add(this);
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(this.window);
    for (const kind of ["play", "pause", "ended"]) this.audio.addEventListener(kind, () => this.showState());
    this.audio.addEventListener("seeked", () => this.showTime());
    this.audio.addEventListener("error", () => { this.status.textContent = `no sound at ${decodeURI(this.sounding.audio)}: keep ${this.other ? "counterfactuals" : "conversations"}/ beside report.html`; });
  }

  build(compare) {
    const { entry } = this;
    this.window = make("div", {
      class: "window", tabindex: 0, role: "slider", "aria-label": `Time in ${entry.scenario} with ${entry.system}`,
      "aria-valuemin": 0, "aria-valuemax": entry.seconds, "aria-valuenow": 0, onclick: (event) => this.seekTo(event), onkeydown: (event) => this.onKey(event),
      onscroll: () => this.partners.forEach((partner) => { if (Math.abs(partner.window.scrollLeft - this.window.scrollLeft) > 1) partner.window.scrollLeft = this.window.scrollLeft; }),
    });
    this.icon = draw("path", { d: PLAY });
    this.play = make("button", { type: "button", class: "play", "aria-label": "Play", title: "Play or pause (space)", onclick: () => this.toggle() },
      draw("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": true }, this.icon));
    this.time = make("output", { class: "time" }, `${clockTime(0)} / ${clockTime(entry.seconds)}`);
    this.status = make("span", { class: "status", role: "status" });
    this.hearing = make("span", { class: "hearing", role: "status" });
    this.zooms = [["fit", 0], ["10\u00a0s", 10], ["3\u00a0s", 3]].map(([name, span]) =>
      make("button", { type: "button", "aria-pressed": String(span === this.zoom), "data-span": span, onclick: () => this.setZoom(span) }, name));
    this.transport = make("div", { class: "transport" }, this.play, this.time,
      make("span", { class: "segmented", role: "group", "aria-label": "Zoom" }, this.zooms), compare, this.hearing, this.status,
      make("a", { class: "wav", href: this.details.audio, download: `${entry.id.replaceAll("/", "-")}.wav` }, "wav"));
    this.element = make("div", { class: `player ${roleOf(entry.system)}` },
      make("div", { class: "who" }, make("span", { class: `system ${roleOf(entry.system)}` }, entry.system),
        make("span", { class: "soft" }, `${tabName(entry.clock)} clock`),
        this.details.voice ? make("span", { class: "soft" }, `caller: ${this.details.voice}`) : null,
        make("span", { class: "soft" }, `ended by ${{ user: "the caller", agent: "the agent", limit: "the time limit", failure: "an error" }[this.details.endedBy]}`),
        this.details.failure ? make("span", { class: "badge" }, this.details.failure) : null),
      this.transport,
      make("div", { class: "frame" },
        make("div", { class: "names", "aria-hidden": true },
          make("span", { class: "user" }, "caller"), make("span", { class: "agent" }, "agent"), this.details.without.length ? make("span", { class: "otherwise" }, "otherwise") : null,
          make("span", { class: this.details.without.length ? "decided lower" : "decided" }, "decisions")),
        this.window),
      this.audio, measured(this));
  }

  // What one hears: the conversation as it was, or as it goes without an act.
  get sounding() {
    return this.other || { audio: this.details.audio, seconds: this.entry.seconds };
  }

  hear(other, play = true) {
    const before = this.audio.currentTime, focused = this.window.contains(document.activeElement) && document.activeElement.dataset.onset;
    this.other = other === this.other ? null : other;
    this.audio.src = this.sounding.audio;
    this.status.textContent = "";
    this.hearing.textContent = this.other ? `without the ${other.kind.replaceAll("_", " ")} at ${seconds(other.onset, 1)}` : "";
    this.redraw(true);
    if (focused) this.window.querySelector(`.without[data-onset="${focused}"]`)?.focus();
    this.seek(this.other ? Math.max(0, other.onset - 1.5) : Math.min(before, other.onset));
    setAddress({ without: this.other ? other.onset : null });
    if (this.other && play) this.toggle();
  }

  get duration() {
    return Math.max(this.entry.seconds, ...this.details.without.map((other) => other.seconds), ...this.partners.map((partner) => partner.entry.seconds));
  }

  redraw(force = false) {
    const wide = this.window.clientWidth;
    if (!wide || (!force && wide === this.drawnWide && this.duration === this.drawnDuration)) return;
    [this.drawnWide, this.drawnDuration] = [wide, this.duration];
    this.scale = this.zoom && this.zoom < this.duration ? wide / this.zoom : wide / this.duration;
    const svg = drawLanes(this.details, this.duration, this.scale, this.other, (other) => this.hear(other));
    this.window.replaceChildren(svg);
    this.playhead = svg.querySelector(".playhead");
    this.words = [...svg.querySelectorAll(".word")].map((element) => ({ element, from: +element.dataset.from, to: +element.dataset.to }));
    this.showTime();
  }

  setZoom(span) {
    this.redraw();
    const third = (this.window.scrollLeft + this.window.clientWidth / 3) / this.scale;
    const looked = this.zoom ? third : this.audio.currentTime;
    for (const player of [this, ...this.partners]) {
      player.zoom = span;
      for (const button of player.zooms) button.setAttribute("aria-pressed", String(+button.dataset.span === span));
      player.redraw(true);
      player.window.scrollLeft = looked * player.scale - player.window.clientWidth / 3;
    }
  }

  seekTo(event) {
    const left = this.window.firstChild.getBoundingClientRect().left;
    this.seek((event.clientX - left) / this.scale);
  }

  seek(time) {
    this.audio.currentTime = Math.max(0, Math.min(this.sounding.seconds - 0.01, time));
    this.wanted = this.audio.currentTime;
    this.showTime(this.wanted);
  }

  toggle() {
    if (!this.audio.paused) {
      this.audio.pause();
      return;
    }
    for (const player of players) if (player !== this) player.audio.pause();
    this.audio.play().catch((error) => { this.status.textContent = error.message; });
  }

  onKey(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.target !== this.window) return;
    if (event.key in steps) this.seek(this.audio.currentTime + steps[event.key] * (event.shiftKey ? 0.1 : 1));
    else if (event.key === "Home") this.seek(0);
    else if (event.key === "End") this.seek(this.sounding.seconds);
    else if (event.key === "+" || event.key === "-") this.setZoom(event.key === "-" ? (this.zoom === 3 ? 10 : 0) : this.zoom === 0 ? 10 : 3);
    else return;
    event.preventDefault();
  }

  showState() {
    const playing = !this.audio.paused && !this.audio.ended;
    this.icon.setAttribute("d", playing ? PAUSE : PLAY);
    this.play.setAttribute("aria-label", playing ? "Pause" : "Play");
    if (playing) requestAnimationFrame(() => this.follow());
  }

  follow() {
    this.showTime();
    const x = this.audio.currentTime * this.scale - this.window.scrollLeft, wide = this.window.clientWidth;
    if (x > wide * 0.85 || x < 0) this.window.scrollLeft += x - wide * 0.15;
    if (!this.audio.paused && this.element.isConnected) requestAnimationFrame(() => this.follow());
  }

  showTime(time = this.audio.currentTime) {
    this.time.textContent = `${clockTime(time)} / ${clockTime(this.sounding.seconds)}`;
    this.window.setAttribute("aria-valuenow", time.toFixed(2));
    this.window.setAttribute("aria-valuetext", `${time.toFixed(1)} of ${this.sounding.seconds.toFixed(1)} seconds`);
    if (!this.playhead) return;
    this.playhead.setAttribute("transform", `translate(${(time * this.scale).toFixed(1)})`);
    for (const { element, from, to } of this.words) element.classList.toggle("now", time > 0 && from <= time && time < to && !(this.other && time >= this.other.onset));
  }

  remove() {
    this.audio.pause();
    this.observer.disconnect();
    players.delete(this);
    for (const partner of this.partners) partner.partners = partner.partners.filter((other) => other !== this);
    this.element.remove();
  }
}

// Space plays the conversation one is in, wherever in it the focus is, except on something that space presses.
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || event.target.closest("button, input, select, textarea, summary, a, dialog, [role=button]")) return;
  const own = [...players].find((player) => player.element.contains(event.target)) || [...players].find((player) => !player.audio.paused) || (players.size === 1 ? [...players][0] : null);
  if (!own) return;
  event.preventDefault();
  own.toggle();
});
