"use strict";
// The switch latency picture: people's distribution above, a strip of dots per system below, on one axis in seconds.

const ZONES = [
  { until: 0.8, name: "below 0.8 s: natural", brief: "natural", kind: "natural" },
  { until: 1.5, name: "to 1.5 s", brief: "", kind: "between" },
  { until: Infinity, name: "beyond 1.5 s: a machine", brief: "machine", kind: "machine" },
];
const STRIP = 104, PEOPLE_HEIGHT = 62, TOP = 22, BETWEEN = 14;

function drawPicture(clock) {
  const place = document.querySelector(`[data-picture="${CSS.escape(clock)}"]`);
  const wide = place.clientWidth;
  if (!wide || place.dataset.wide === String(wide)) return;
  place.dataset.wide = wide;
  const { title, systems } = report.picture[clock];
  const narrow = wide < 640, left = narrow ? 8 : 132, right = wide - 22;
  const [from, to] = latencyRange(systems.flatMap((system) => system.dots.map((dot) => dot[0])));
  const x = (value) => left + ((Math.min(to, Math.max(from, value)) - from) / (to - from)) * (right - left);
  const name = narrow ? 20 : 0;  // on a phone names stand above their strips
  const high = TOP + PEOPLE_HEIGHT + name + systems.length * (STRIP + BETWEEN + name) + 34;
  const bottom = high - 34;
  const summary = systems.map((system) => `${system.name} ${system.median ? system.median[0].toFixed(2) : "none"} s`).join(", ");
  const svg = draw("svg", { viewBox: `0 0 ${wide} ${high}`, height: high, role: "img", "aria-label": `${title}: ${summary}` });
  svg.append(...zones(x, from, to, bottom, narrow), ...axis(x, from, to, bottom, narrow));
  svg.append(people(x, from, to, TOP + name, narrow, left));
  systems.forEach((system, row) => {
    svg.append(strip(system, x, from, to, TOP + PEOPLE_HEIGHT + name + row * (STRIP + BETWEEN + name) + BETWEEN + name, narrow, left, row));
  });
  place.replaceChildren(svg);
}

// From where to where an axis of latencies reaches: all but the outermost hundredth, in half seconds.
function latencyRange(latencies) {
  const every = [...latencies].sort((a, b) => a - b);
  return [Math.max(-2, Math.min(-1, Math.floor(2 * (every[Math.floor(every.length * 0.01)] ?? 0)) / 2)),
    Math.min(5, Math.max(2.5, Math.ceil(2 * (every[Math.ceil(every.length * 0.99) - 1] ?? 0)) / 2))];
}

function zones(x, from, to, bottom, narrow) {
  let start = from;
  return ZONES.flatMap((zone) => {
    const end = Math.min(zone.until, to), at = start;
    start = end;
    if (end <= at) return [];
    const words = narrow ? zone.brief : zone.name;
    return [
      draw("rect", { class: `zone ${zone.kind}`, x: x(at), y: 0, width: x(end) - x(at), height: bottom }),
      draw("text", { class: "zone-name", x: x(Math.max(at, from)) + 8, y: 15 }, words),
    ];
  });
}

function axis(x, from, to, bottom, narrow) {
  const parts = [draw("line", { class: "axis", x1: x(from), x2: x(to), y1: bottom, y2: bottom }),
    draw("line", { class: "zero", x1: x(0), x2: x(0), y1: TOP, y2: bottom })];
  for (let value = from; value <= to + 1e-9; value += 0.5) {
    parts.push(draw("line", { class: "axis", x1: x(value), x2: x(value), y1: bottom, y2: bottom + (value % 1 ? 4 : 6) }));
    if (!narrow || value % 1 === 0) {
      const text = value === 0 ? "0" : value.toFixed(1).replace("-", "\u2212");
      parts.push(draw("text", { x: x(value), y: bottom + 20, "text-anchor": "middle" }, value === to ? `${text}\u00a0s` : text));
    }
  }
  return parts;
}

function people(x, from, to, top, narrow, left) {
  const { start, step, shares } = report.people;
  const most = Math.max(...shares), base = top + PEOPLE_HEIGHT;
  const inside = shares.map((share, bin) => [start + (bin + 0.5) * step, share]).filter(([value]) => value >= from && value <= to);
  const line = inside.map(([value, share]) => `${x(value).toFixed(1)} ${(base - (share / most) * (PEOPLE_HEIGHT - 8)).toFixed(1)}`);
  const label = narrow ? { x: left, y: top + 2 } : { x: 4, y: base - 18 };
  return draw("g", { class: "row" },
    draw("path", { class: "people", d: `M${x(inside[0][0])} ${base}L${line.join("L")}L${x(inside.at(-1)[0])} ${base}Z` }),
    draw("line", { class: "human", x1: x(report.people.median), x2: x(report.people.median), y1: top - 2, y2: base }),
    draw("text", { class: "people-words", x: x(report.people.median) + 8, y: top + 12 }, `median ${signedSeconds(report.people.median)}`),
    narrow ? null : draw("text", { class: "people-words", x: x(report.people.median) - 58, y: base - 22, "text-anchor": "end" }, `${(100 * report.people.belowZero).toFixed(0)}\u00a0% start below zero`),
    draw("text", { class: "name", ...label }, "people"));
}

function strip(system, x, from, to, top, narrow, left, row) {
  const middle = top + STRIP / 2 + 6, group = draw("g", { class: `row ${system.role}` });
  const label = narrow ? { x: left, y: top - 6 } : { x: 4, y: middle - 2 };
  group.append(draw("text", { class: "name", ...label }, fitted(system.name, narrow ? 200 : 116, `650 14px ${SANS}`)),
    draw("text", narrow ? { x: left + 204, y: top - 6 } : { x: 4, y: middle + 15 }, `n = ${system.n}`));
  const radius = system.dots.length > 1500 ? 1.7 : system.dots.length > 400 ? 2.3 : narrow ? 3 : system.dots.length > 120 ? 3.6 : 4.6;
  group.append(...swarm(system, x, from, to, middle, radius));
  for (const [side, count] of [["before", system.dots.filter((dot) => dot[0] < from).length], ["beyond", system.dots.filter((dot) => dot[0] > to).length]]) {
    if (count) group.append(draw("text", { x: side === "beyond" ? x(to) : x(from), y: top + 2, "text-anchor": side === "beyond" ? "end" : "start" },
      side === "beyond" ? `${count} beyond \u25b8` : `\u25c2 ${count} before`));
  }
  if (system.unanswered) group.append(draw("text", { x: x(to), y: top + STRIP - 2, "text-anchor": "end" }, `${system.unanswered} never answered`));
  if (system.median && system.median[0] !== null) group.append(...medianMark(system.median, x, top, middle));
  return group;
}

// Dots that would touch are stacked around the middle; a stack too high for its strip is pressed together.
function swarm(system, x, from, to, middle, radius) {
  const columns = new Map();
  for (const [value, identity, start] of [...system.dots].sort((a, b) => a[0] - b[0])) {
    const column = Math.round(x(value) / (2 * radius));
    if (!columns.has(column)) columns.set(column, []);
    columns.get(column).push([value, identity, start]);
  }
  const highest = Math.max(1, ...[...columns.values()].map((column) => column.length));
  const spacing = Math.min(2 * radius + 0.4, (STRIP - 26) / highest);
  return [...columns].flatMap(([, column]) => column.map((dot, place) =>
    latencyDot(system, dot, x(dot[0]), middle + Math.ceil(place / 2) * (place % 2 ? 1 : -1) * spacing, radius)));
}

// One turn: a filled circle of the agent, a hollow diamond of the baseline.
function latencyDot(system, [value, identity, start], atX, atY, radius) {
  const entry = byIdentity.get(identity);
  return draw(system.role === "baseline" ? "rect" : "circle", {
    ...(system.role === "baseline"
      ? { x: atX - radius * 0.85, y: atY - radius * 0.85, width: radius * 1.7, height: radius * 1.7, transform: `rotate(45 ${atX} ${atY})` }
      : { cx: atX, cy: atY, r: radius }),
    class: "dot", "data-tip": `${signedSeconds(value)}\n${entry ? `${entry.scenario}, seed ${entry.seed}` : identity}`,
    onclick: () => openConversation(identity, { time: Math.max(0, start - 2) }),
  });
}

function medianMark([value, low, high], x, top, middle) {
  const parts = [];
  const y = top + 6;
  if (low !== null && high !== null) {
    parts.push(draw("line", { class: "halo", x1: x(low), x2: x(high), y1: y, y2: y }), draw("line", { class: "span", x1: x(low), x2: x(high), y1: y, y2: y }));
  }
  parts.push(draw("line", { class: "median", x1: x(value), x2: x(value), y1: y - 6, y2: middle + STRIP / 2 - 12 }),
    draw("text", { class: "number", x: Math.max(x(high ?? value), x(value)) + 9, y: y + 4 }, signedSeconds(value)));
  return parts;
}

const measuring = document.createElement("canvas").getContext("2d");

function textWidth(text, font) {
  measuring.font = font;
  return measuring.measureText(text).width;
}

// `text`, or as much of it as is not wider than `width` with an ellipsis; "" where not even that fits.
function fitted(text, width, font) {
  if (textWidth(text, font) <= width) return text;
  let kept = 0, most = text.length;
  while (kept < most) {
    const half = Math.ceil((kept + most) / 2);
    if (textWidth(`${text.slice(0, half)}\u2026`, font) <= width) kept = half;
    else most = half - 1;
  }
  return kept < 2 ? "" : `${text.slice(0, kept).trimEnd()}\u2026`;
}
