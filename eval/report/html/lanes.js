"use strict";
// A conversation as two lanes on one time axis: the caller above, the agent below, what passes between them in between.

const WORD_FONT = `12.5px ${SANS}`, LABEL_FONT = `11px ${SANS}`;
const AT = { ruler: 12, acts: 20, userWords: 50, user: 78, middle: 142, agent: 172, agentWords: 252, decisions: 276, bottom: 328 };
const WAVE = 64, LANE_BOTTOM = AT.agent + WAVE;
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60];
const peaksOf = new WeakMap();
let patterns = 0;

// The drawing of a conversation at `scale` pixels per second; `x` of a time is simply time * scale. What stands below the
// agent's lane makes room for the lane of what would have been.
function drawLanes(details, duration, scale, chosen, choose) {
  const wide = Math.max(1, Math.ceil(duration * scale)), lower = details.without.length ? OTHERWISE_HIGH : 0, bottom = AT.bottom + lower;
  const hatch = `overlap-${++patterns}`;
  const svg = draw("svg", { class: "lanes", width: wide, height: bottom, viewBox: `0 0 ${wide} ${bottom}` },
    draw("defs", {}, draw("pattern", { id: hatch, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      draw("rect", { class: "hatch-ground", width: 6, height: 6 }), draw("line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: 6 }))),
    ruler(duration, scale),
    draw("g", { class: "acts" }, details.acts.map((act, index) => actMark(act, scale, nextBar(details.acts, index) * scale || wide))));
  ["user", "agent"].forEach((party, row) => {
    const top = row ? AT.agent : AT.user;
    svg.append(draw("g", { class: `lane ${party}`, "data-lane": party },
      draw("line", { class: "silence", x1: 0, x2: wide, y1: top + WAVE / 2, y2: top + WAVE / 2 }),
      details.segments[row].map(([start, end]) => draw("rect", { class: "segment", x: start * scale, y: top, width: Math.max(1, (end - start) * scale), height: WAVE, rx: 5 })),
      draw("path", { class: "wave", d: waveform(details, row, top, scale) })));
  });
  svg.append(draw("g", {}, overlapsOf(details).map(([start, end]) => draw("rect", {
    class: "overlap", fill: `url(#${hatch})`, x: start * scale, y: AT.user, width: Math.max(1, (end - start) * scale), height: LANE_BOTTOM - AT.user,
    "data-tip": `both speak for ${seconds(end - start)}`,
  }))));
  svg.append(draw("g", { class: "brackets" }, details.brackets.map((bracket) => bracketMark(bracket, scale, wide))));
  const moved = { transform: `translate(0 ${lower})` };
  ["user", "agent"].forEach((party, row) => {
    svg.append(draw("g", { class: `words ${party}`, ...(row ? moved : {}) }, placedWords(details.words[row], details.segments[row], row ? AT.agentWords : AT.userWords, scale, wide)));
  });
  svg.append(draw("g", moved, decisionMarks(details.decisions, scale, wide)), otherwiseMarks(details, scale, wide, chosen, choose) || "",
    draw("line", { class: "playhead", x1: 0, x2: 0, y1: AT.ruler + 4, y2: bottom }));
  return svg;
}

function ruler(duration, scale) {
  const step = STEPS.find((seconds) => seconds * scale >= 58) || 120, marks = [];
  for (let count = 0; count * step <= duration + 1e-6; count += 1) {
    const value = count * step, at = value * scale;
    marks.push(draw("line", { class: "tick", x1: at, x2: at, y1: AT.acts - 2, y2: LANE_BOTTOM }));
    if (at + 30 < duration * scale) marks.push(draw("text", { x: at + 3, y: AT.ruler }, step < 1 ? value.toFixed(1) : value >= 60 ? clockTime(value).replace(/\.\d$/, "") : `${value}\u00a0s`));
  }
  return draw("g", { class: "ruler" }, marks);
}

// Lowest and highest sample per pixel column, or per 10 ms where those are wider.
function waveform(details, row, top, scale) {
  if (!peaksOf.has(details)) peaksOf.set(details, Int8Array.from(atob(details.peaks), (byte) => byte.charCodeAt(0)));
  const all = peaksOf.get(details), count = all.length / 4, channel = all.subarray(row * count * 2, (row + 1) * count * 2);
  const perColumn = Math.max(1, Math.round(details.peaksPerSecond / scale)), middle = top + WAVE / 2, half = WAVE / 2 - 3;
  const above = [], below = [];
  for (let first = 0; first < count; first += perColumn) {
    let low = 127, high = -128;
    for (let peak = first; peak < Math.min(count, first + perColumn); peak += 1) {
      low = Math.min(low, channel[2 * peak]);
      high = Math.max(high, channel[2 * peak + 1]);
    }
    const at = (((first + perColumn / 2) / details.peaksPerSecond) * scale).toFixed(1);
    above.push(`${at} ${(middle - (high / 127) * half - 0.35).toFixed(1)}`);
    below.push(`${at} ${(middle - (low / 127) * half + 0.35).toFixed(1)}`);
  }
  return above.length ? `M${above.join("L")}L${below.reverse().join("L")}Z` : "";
}

function overlapsOf(details) {
  const [user, agent] = details.segments;
  return user.flatMap(([start, end]) => agent.map(([from, to]) => [Math.max(start, from), Math.min(end, to)]).filter(([from, to]) => to - from > 0.005));
}

// What the caller did: a bar over its time with its name where there is room, in it or before `limit`. A pause is drawn as a gap in the lane, an opportunity as a
// mark in it.
function actMark([kind, start, end, text, expects], scale, limit) {
  const x = start * scale, width = Math.max(2, (end - start) * scale);
  const said = [kind, `${start.toFixed(2)} to ${end.toFixed(2)} s`].join("  ") + (text ? `\n${text}` : "") + (expects.length ? `\nexpects: ${expects.join(" or ")}` : "");
  const name = kind.replaceAll("_", " "), label = fitted(name, Math.max(0, width - 8), LABEL_FONT);
  const beside = label !== name && x + width + 6 + textWidth(name, LABEL_FONT) < limit;
  if (kind === "opportunity") {
    return draw("g", { class: "act opportunity", "data-tip": `${said}\na listener may say uh huh here` },
      draw("path", { d: `M${x} ${AT.user}V${AT.user + WAVE}` }), draw("circle", { cx: x, cy: AT.user, r: 3.5 }));
  }
  if (kind === "pause") {
    return draw("g", { class: "act pause", "data-tip": said },
      draw("rect", { x, y: AT.user, width, height: WAVE }),
      draw("text", { x: x + width / 2, y: AT.user + WAVE / 2 - 6, "text-anchor": "middle" }, label));
  }
  return draw("g", { class: `act ${kind}`, "data-tip": said },
    draw("rect", { x, y: AT.acts, width, height: 15, rx: 4 }),
    draw("text", { x: x + (beside ? width + 4 : 5), y: AT.acts + 11 }, beside ? name : label));
}

// When the next act with a bar begins, or undefined.
function nextBar(acts, index) {
  return acts.slice(index + 1).find(([kind]) => kind !== "pause" && kind !== "opportunity")?.[1];
}

// A dimension line between the lanes, as in a drawing: from the caller's end to the agent's start, with the number.
function bracketMark([metric, start, end, censored], scale, wide) {
  const stop = metric === "stop_latency", y = AT.middle + (stop ? 21 : 10), from = start * scale, to = end * scale;
  const value = end - start, title = (report.titles[metric] || [metric])[0];
  const number = censored ? (stop ? "did not stop" : "no answer") : (stop ? `stops after ${seconds(value)}` : signedSeconds(value));
  const kind = stop ? "stop" : value > 1.5 || censored ? "late" : value < 0 ? "early" : "timely";
  const right = Math.max(from, to) + 5, fits = right + textWidth(number, `bold ${WORD_FONT}`) < wide;
  const legs = stop ? `M${from} ${AT.user + WAVE}V${y + 3}M${to} ${AT.agent}V${y - 3}` : `M${from} ${AT.user + WAVE - 8}V${y + 3}M${to} ${AT.agent + 8}V${y - 3}`;
  return draw("g", { class: `bracket ${kind}`, "data-tip": `${title}\n${censored ? "more than " : ""}${signedSeconds(value)}` },
    draw("path", { class: "legs", d: legs }), draw("path", { class: "bar", d: `M${from} ${y}H${to}` }),
    draw("text", fits ? { x: right, y: y + 4 } : { x: Math.min(right - 5, wide) - 4, y: y - 6, "text-anchor": "end" }, number));
}

// Words at their times in up to two rows. Where a stretch has no room for that, its words run on as a line of text that
// ends before the next stretch.
function placedWords(words, segments, y, scale, wide) {
  const groups = grouped(words, segments), marks = [];
  groups.forEach((group, index) => {
    const limit = index + 1 < groups.length ? groups[index + 1][0][1] * scale - 6 : wide;
    const placed = inRows(group, scale, limit);
    if (placed) {
      marks.push(...placed.map(({ word, row }) => draw("text", { class: "word", x: word[1] * scale, y: y + row * 15, "data-from": word[1], "data-to": word[2] }, word[0])));
      return;
    }
    const text = group.map((word) => word[0]).join(" "), x = group[0][1] * scale;
    const first = fitted(text, limit - x, WORD_FONT).replace("\u2026", "");
    const whole = first.length === text.length, cut = whole ? first : first.slice(0, Math.max(first.lastIndexOf(" "), 0));
    const rest = text.slice(cut.length).trim();
    const tip = { "data-tip": text, "data-from": group[0][1], "data-to": group.at(-1)[2] };
    if (cut) marks.push(draw("text", { class: "word phrase", x, y, ...tip }, cut));
    if (rest) marks.push(draw("text", { class: "word phrase", x, y: y + 15, ...tip }, fitted(rest, limit - x, WORD_FONT)));
  });
  return marks;
}

function grouped(words, segments) {
  const groups = [];
  let last = null;
  for (const word of words) {
    const segment = segments.findIndex(([start, end]) => word[1] < end + 0.1 && word[2] > start - 0.1);
    if (groups.length && (segment === last || word[1] - groups.at(-1).at(-1)[2] < 0.05)) groups.at(-1).push(word);
    else groups.push([word]);
    last = segment;
  }
  return groups;
}

function inRows(group, scale, limit) {
  const ends = [-Infinity, -Infinity], placed = [];
  for (const word of group) {
    const x = word[1] * scale, width = textWidth(word[0], WORD_FONT), row = ends.findIndex((end) => end + 4 <= x);
    if (row < 0 || x + width > limit + 6) return null;
    ends[row] = x + width;
    placed.push({ word, row });
  }
  return placed;
}

// The agent's decisions as ticks that keyboard and pointer can read; their names where there is room.
function decisionMarks(decisions, scale, wide) {
  const ends = [-Infinity, -Infinity, -Infinity];
  const marks = decisions.map(([kind, start, end, detail]) => {
    const x = start * scale, name = kind.replaceAll("_", " "), width = textWidth(name, LABEL_FONT);
    const row = x + 6 + width < wide + 2 ? ends.findIndex((last) => last + 5 <= x) : -1;
    if (row >= 0) ends[row] = x + 6 + width;
    const facts = Object.entries(detail).map(([key, value]) => `${key}: ${Array.isArray(value) ? value.join(", ") : value}`);
    const tip = [`${name}, ${start.toFixed(2)}${end > start ? ` to ${end.toFixed(2)}` : ""} s`, ...facts].join("\n");
    const bottom = row < 0 ? LANE_BOTTOM + 2 : AT.decisions + 9 + 15 * row;  // without a name it stays at the lane
    return draw("g", { class: `decision ${kind}`, tabindex: 0, role: "img", "aria-label": tip, "data-tip": tip },
      draw("rect", { class: "reach", x: x - 4, y: LANE_BOTTOM, width: 8, height: AT.bottom - LANE_BOTTOM }),
      draw("line", { x1: x, x2: x, y1: LANE_BOTTOM, y2: bottom }),
      end > start ? draw("line", { class: "lasting", x1: x, x2: end * scale, y1: bottom, y2: bottom }) : null,
      draw("circle", { class: row < 0 ? "unnamed" : null, cx: x, cy: bottom, r: row < 0 ? 2.2 : 3 }),
      row >= 0 ? draw("text", { x: x + 6, y: bottom + 4 }, name) : null);
  });
  return draw("g", { class: "decisions" }, marks);
}
