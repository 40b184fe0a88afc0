// The last seconds of a call as two lanes on one time axis, as the report draws a conversation: the person above, the
// agent below, hatched where both speak, the agent's decisions at the bottom.

import { FRAME_SECONDS } from "./line.js";
import { FRAME_HOPS, HOP_SECONDS } from "./speech.js";

const SPAN = 12;  // seconds across the picture
const AT = { ruler: 13, user: 26, agent: 100, lane: 62, decisions: 176, names: [190, 203] };
const GUESSES = ["user_speech", "prepare", "discard"];  // many, and often taken back: their names leave the first row to others
const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const COLOURS = ["user", "agent", "line", "faint", "soft", "worse"];

export class Lanes {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.floor = null;
    this.decisions = [];  // [kind, seconds, y of its name or 0]
    this.arrived = 0;  // when the last frame came, ms
    this.drawn = 0;  // when, ms
    new ResizeObserver(() => this.resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(floor) {
    this.floor = floor;
    this.decisions = [];
    this.draw();
  }

  // A decision's name stands where there is room, and stays there.
  note(kind, seconds) {
    const taken = ([other, at]) => (seconds - at) * this.scale < this.context.measureText(named(other)).width + 10;
    const rows = GUESSES.includes(kind) ? AT.names.slice(1) : AT.names, y = rows.find((row) => !this.decisions.some((one) => one[2] === row && taken(one))) ?? 0;
    this.decisions.push([kind, seconds, y]);
  }

  resize() {
    this.draw();
    const decisions = this.decisions;
    this.decisions = [];
    for (const [kind, seconds] of decisions) this.note(kind, seconds);
    this.draw();
  }

  // Between two frames the picture glides on; for whoever wants no motion it turns a page each second instead.
  now(live) {
    const frames = this.floor ? this.floor.user.levels.length / FRAME_HOPS : 0, seconds = frames * FRAME_SECONDS;
    if (!live) return seconds;
    if (CALM.matches) return Math.ceil(seconds);
    return seconds + Math.min(FRAME_SECONDS, (performance.now() - this.arrived) / 1000);
  }

  draw(live = false) {
    const { canvas, context } = this, wide = canvas.clientWidth, high = canvas.clientHeight, dots = devicePixelRatio;
    if (!wide) return;
    this.drawn = performance.now();
    if (canvas.width !== Math.round(wide * dots) || canvas.height !== Math.round(high * dots)) {
      [canvas.width, canvas.height] = [Math.round(wide * dots), Math.round(high * dots)];
    }
    const style = getComputedStyle(canvas);
    this.colours = Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`)]));
    this.end = Math.max(SPAN, this.now(live));
    this.scale = wide / SPAN;
    this.from = Math.max(0, Math.floor((this.end - SPAN) / HOP_SECONDS));  // hops
    this.x = (seconds) => wide - (this.end - seconds) * this.scale;
    context.setTransform(dots, 0, 0, dots, 0, 0);
    context.clearRect(0, 0, wide, high);
    context.font = `11px ${style.fontFamily}`;
    this.drawRuler();
    for (const party of ["user", "agent"]) this.drawStretches(AT[party], this.floor?.[party], this.colours[party]);
    if (!this.floor) return;
    this.drawOverlaps();
    for (const party of ["user", "agent"]) this.drawWave(AT[party], this.floor[party], this.colours[party]);
    this.drawDecisions();
  }

  drawRuler() {
    const { context, colours } = this;
    for (let second = Math.ceil((this.end - SPAN) / 2) * 2; second <= this.end; second += 2) {
      context.fillStyle = colours.line;
      context.fillRect(Math.round(this.x(second)), AT.ruler + 5, 1, AT.agent + AT.lane - AT.ruler - 5);
      context.fillStyle = colours.faint;
      if (this.x(second) + 34 < this.canvas.clientWidth) context.fillText(clockTime(second), this.x(second) + 4, AT.ruler);
    }
  }

  drawStretches(top, voice, colour) {
    const { context } = this;
    context.fillStyle = this.colours.line;
    context.fillRect(0, top + AT.lane / 2 - 0.5, this.canvas.clientWidth, 1);
    context.fillStyle = colour;
    context.globalAlpha = 0.14;
    context.beginPath();
    for (const [start, end] of voice?.stretches ?? []) {
      if (end > this.from && end - start > 2) context.roundRect(this.x(start * HOP_SECONDS), top, (end - start) * HOP_SECONDS * this.scale, AT.lane, 5);
    }
    context.fill();
    context.globalAlpha = 1;
  }

  // The loudest hop of each pixel, to both sides of the middle.
  drawWave(top, voice, colour) {
    const { context } = this, middle = top + AT.lane / 2, perPixel = Math.max(1, Math.round(1 / (HOP_SECONDS * this.scale)));
    const outline = [];
    for (let hop = this.from - (this.from % perPixel); hop < voice.levels.length; hop += perPixel) {
      const level = Math.max(...voice.levels.slice(hop, hop + perPixel));
      outline.push([this.x((hop + perPixel / 2) * HOP_SECONDS), Math.min(1, Math.sqrt(level * 1.8)) * (AT.lane / 2 - 4)]);
    }
    context.fillStyle = colour;
    context.beginPath();
    for (const [x, half] of outline) context.lineTo(x, middle - half);
    for (const [x, half] of outline.reverse()) context.lineTo(x, middle + half);
    context.fill();
  }

  drawOverlaps() {
    const { context, colours } = this, bottom = AT.agent + AT.lane;
    for (const [start, end] of this.floor.overlaps(this.from)) {
      const left = this.x(start * HOP_SECONDS), right = this.x(end * HOP_SECONDS);
      context.save();
      context.beginPath();
      context.rect(left, AT.user, right - left, bottom - AT.user);
      context.clip();
      [context.fillStyle, context.strokeStyle, context.lineWidth] = [colours.worse, colours.worse, 1.4];
      context.globalAlpha = 0.07;
      context.fill();
      context.globalAlpha = 0.4;
      context.beginPath();
      const high = bottom - AT.user;
      for (let foot = left - high; foot < right; foot += 7) {
        context.moveTo(foot, bottom);
        context.lineTo(foot + high, AT.user);
      }
      context.stroke();
      context.restore();
    }
  }

  drawDecisions() {
    const { context, colours } = this;
    this.decisions = this.decisions.filter(([, seconds]) => this.x(seconds) > -120);
    for (const [kind, seconds, y] of this.decisions) {
      const x = this.x(seconds);
      context.fillStyle = colours.agent;
      context.globalAlpha = 0.35;
      context.fillRect(x - 0.5, AT.agent + AT.lane, 1, AT.decisions - AT.agent - AT.lane);
      context.globalAlpha = 1;
      context.beginPath();
      context.arc(x, AT.decisions, 2.5, 0, 2 * Math.PI);
      context.fill();
      context.fillStyle = colours.soft;
      if (y) context.fillText(named(kind), x - 2.5, y);
    }
  }
}

function named(kind) {
  return kind.replaceAll("_", " ");
}

export function clockTime(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}
