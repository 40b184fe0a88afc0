"use strict";
// Switch latency against the time at which the caller's turn ended, and where a model's context is full.

const PLANE_HIGH = 250;

function drawOverTime(clock) {
  const place = document.querySelector(`[data-over-time="${CSS.escape(clock)}"]`);
  const wide = place.clientWidth;
  if (!wide || place.dataset.wide === String(wide)) return;
  place.dataset.wide = wide;
  const { systems } = report.picture[clock];
  const dots = systems.flatMap((system) => system.dots.map((dot) => ({ system, dot })));
  const narrow = wide < 640, left = narrow ? 40 : 56, right = wide - 22, bottom = TOP + PLANE_HIGH;
  const [from, to] = latencyRange(dots.map(({ dot }) => dot[0]));
  const longest = Math.max(10, ...report.conversations.filter((entry) => entry.clock === clock).map((entry) => entry.seconds));
  const end = Math.ceil(longest / 10) * 10;
  const x = (time) => left + (time / end) * (right - left);
  const y = (value) => bottom - ((Math.min(to, Math.max(from, value)) - from) / (to - from)) * PLANE_HIGH;
  const svg = draw("svg", { viewBox: `0 0 ${wide} ${bottom + 42}`, height: bottom + 42, role: "img",
    "aria-label": `Switch latency over the time of a conversation: ${systems.map((system) => `${system.dots.length} answers of ${system.name}`).join(", ")}` });
  svg.append(...latencyAxis(y, from, to, left, right), ...timeAxis(x, end, bottom, narrow));
  const radius = dots.length > 1500 ? 1.8 : dots.length > 400 ? 2.6 : 3.6;
  for (const system of [...systems].reverse()) {  // the agent's lie above the baseline's
    svg.append(draw("g", { class: `row ${system.role}` }, system.dots.map((dot) => latencyDot(system, dot, x(dot[2]), y(dot[0]), radius))));
  }
  for (const [seconds, words] of report.wraps.filter(([seconds]) => seconds <= longest)) {
    const near = x(seconds) > right - 260;
    svg.append(draw("line", { class: "wrap", x1: x(seconds), x2: x(seconds), y1: 4, y2: bottom }),
      draw("text", { class: "wrap-words", x: x(seconds) + (near ? -7 : 7), y: 14, "text-anchor": near ? "end" : "start" }, `${words}, ${seconds.toFixed(0)}\u00a0s`));
  }
  place.replaceChildren(svg);
}

function latencyAxis(y, from, to, left, right) {
  const zones = [[from, 0.8, "natural"], [0.8, 1.5, "between"], [1.5, to, "machine"]].filter(([low, high]) => Math.min(high, to) > low);
  const parts = zones.map(([low, high, kind]) => draw("rect", { class: `zone ${kind}`, x: left, y: y(high), width: right - left, height: y(low) - y(Math.min(high, to)) }));
  for (let value = Math.ceil(from); value <= to; value += 1) {
    const text = value === 0 ? "0" : String(value).replace("-", "\u2212");
    parts.push(draw("line", { class: value ? "grid" : "zero", x1: left, x2: right, y1: y(value), y2: y(value) }),
      draw("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, value === Math.floor(to) ? `${text}\u00a0s` : text));
  }
  return parts;
}

function timeAxis(x, end, bottom, narrow) {
  const step = [5, 10, 20, 30, 60, 120, 300, 600].find((seconds) => end / seconds <= (narrow ? 6 : 12)) || 1200;
  const parts = [draw("line", { class: "axis", x1: x(0), x2: x(end), y1: bottom, y2: bottom })];
  for (let time = 0; time <= end; time += step) {
    parts.push(draw("line", { class: "axis", x1: x(time), x2: x(time), y1: bottom, y2: bottom + 5 }),
      draw("text", { x: x(time), y: bottom + 20, "text-anchor": "middle" }, end >= 120 ? clockTime(time).replace(/\.\d$/, "") : String(time)));
  }
  parts.push(draw("text", { x: x(end), y: bottom + 38, "text-anchor": "end" }, `${end >= 120 ? "minutes" : "seconds"} into the conversation`));
  return parts;
}
