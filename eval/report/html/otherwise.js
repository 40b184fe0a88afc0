"use strict";
// The same conversation without one of the caller's acts: a control at the act, and the agent as it then goes on.

const OTHERWISE_HIGH = 26, OTHERWISE = LANE_BOTTOM + 15;
const WITHOUT_WORDS = "without it", TRIANGLE = "M-2.6 -4.2v8.4l7 -4.2z", SQUARE = "M-3.4 -3.4h6.8v6.8h-6.8z";

// A thin lane under the agent's; `chosen` is the one of `details.without` that one looks at and hears, or null.
function otherwiseMarks(details, scale, wide, chosen, choose) {
  if (!details.without.length) return null;
  let last = 0;
  const controls = details.without.map((other) => {
    const at = other.onset * scale, room = at - last;
    last = at;
    return otherwiseControl(other, at, room, other === chosen, choose);
  });
  return draw("g", { class: "otherwise" }, chosen ? otherwiseLane(chosen, scale, wide) : null, controls);
}

function otherwiseControl(other, at, room, is, choose) {
  const kind = other.kind.replaceAll("_", " "), words = room > textWidth(WITHOUT_WORDS, LABEL_FONT) + 30 ? WITHOUT_WORDS : "";
  const width = 18 + (words ? textWidth(words, LABEL_FONT) + 8 : 0), left = Math.max(1, at - width - 2);
  const label = `Without the ${kind} at ${seconds(other.onset, 1)}: the agent as it goes on when the caller keeps silent`;
  const act = (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    choose(other);
  };
  return draw("g", { class: "without", role: "button", tabindex: 0, "aria-pressed": String(is), "aria-label": label, "data-onset": other.onset,
    "data-tip": other.text ? `${label}\n\u201c${other.text}\u201d` : label, onclick: act, onkeydown: act },
    draw("rect", { x: left, y: OTHERWISE - 9, width, height: 18, rx: 9 }),
    draw("path", { d: is ? SQUARE : TRIANGLE, transform: `translate(${left + 9} ${OTHERWISE})` }),
    words ? draw("text", { x: left + 18, y: OTHERWISE + 4 }, words) : null);
}

function otherwiseLane(other, scale, wide) {
  const from = other.onset * scale, until = Math.min(wide, other.seconds * scale);
  return [
    draw("rect", { class: "faded", x: from, y: 40, width: Math.max(0, wide - from), height: LANE_BOTTOM - 38 }),
    draw("rect", { class: "faded", x: from, y: OTHERWISE + 11, width: Math.max(0, wide - from), height: AT.bottom }),
    draw("path", { class: "silence", d: `M${from} ${OTHERWISE}H${until}` }),
    draw("path", { class: "left-out", d: `M${from} 36V${OTHERWISE + 8}` }),
    ...other.segments.map(([start, end]) => {
      const x = Math.max(from, start * scale);
      return draw("rect", { class: "spoken", x, y: OTHERWISE - 4, width: Math.max(1, end * scale - x), height: 8, rx: 3,
        "data-tip": `without the ${other.kind.replaceAll("_", " ")} it speaks until ${end.toFixed(2)} s` });
    }),
  ];
}
