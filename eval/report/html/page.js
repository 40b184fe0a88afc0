"use strict";
// The page's data, its state in the address, and the few tools every part draws with. No part writes HTML from text.

// What went wrong stands in the page itself, where a test or a reader can see it.
window.addEventListener("error", (event) => {
  document.documentElement.dataset.errors = `${document.documentElement.dataset.errors || ""}${event.message}\n`;
});
window.addEventListener("unhandledrejection", (event) => reportError(event.reason));

const report = JSON.parse(document.getElementById("data").textContent);
const SANS = getComputedStyle(document.body).fontFamily;
const SVG = "http://www.w3.org/2000/svg";

// An element with attributes, listeners (onclick: f) and children; strings become text, never markup.
function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function seconds(value, digits = 2) {
  return `${Math.abs(value) < 0.5 * 10 ** -digits ? (0).toFixed(digits) : value.toFixed(digits).replace("-", "\u2212")}\u00a0s`;
}

function signedSeconds(value) {
  return (value > 0.005 ? "+" : "") + seconds(value);
}

function clockTime(value) {
  const minutes = Math.floor(value / 60);
  return `${minutes}:${(value - 60 * minutes).toFixed(1).padStart(4, "0")}`;
}

// What a number of this metric reads like.
function amount(metric, value) {
  const unit = (report.titles[metric] || [metric, ""])[1];
  if (value === null) return "no answer";
  if (unit === "share") return value === 1 ? "yes" : value === 0 ? "no" : `${(100 * value).toFixed(0)}\u00a0%`;
  return unit === "s" ? seconds(value) : `${+value.toFixed(3)} ${unit}`;
}

function tabName(clock) {
  const tab = document.querySelector(`.tabs button[data-clock="${CSS.escape(clock)}"]`);
  return tab ? tab.textContent : clock;
}

function roleOf(system) {
  return system === report.baseline ? "baseline" : "agent";
}

const byIdentity = new Map(report.conversations.map((entry, number) => [entry.id, { ...entry, number }]));

// Details of a conversation: in the page, or in a script of its own beside it.
const waiting = new Map();
const received = new Map(report.inline.map((details, number) => [number, details]));

function receiveConversation(number, details) {
  received.set(number, details);
  const resolve = waiting.get(number);
  waiting.delete(number);
  if (resolve) resolve.arrived(details);
}

function conversationDetails(entry) {
  if (received.has(entry.number)) return Promise.resolve(received.get(entry.number));
  if (waiting.has(entry.number)) return waiting.get(entry.number).promise;
  let arrived, failed;
  const promise = new Promise((resolve, reject) => { arrived = resolve; failed = reject; });
  waiting.set(entry.number, { promise, arrived });
  const missing = () => {
    waiting.delete(entry.number);
    failed(new Error(`report_data/${entry.number}.js is missing: keep it beside report.html`));
  };
  document.head.append(make("script", { src: `report_data/${entry.number}.js`, onerror: missing }));
  return promise;
}

// The address after #: conversation, t, compare, without, definition, clock, theme. A link opens what its sender saw.
function address() {
  return new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
}

function setAddress(changes) {
  const now = address();
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) now.delete(key);
    else now.set(key, value);
  }
  const text = now.toString().replaceAll("%2F", "/");
  history.replaceState(null, "", text ? `#${text}` : location.pathname.split("/").pop() || "#");
}

// The clock of the page.
let clock = report.clocks[0];

function showClock(chosen) {
  clock = report.clocks.includes(chosen) ? chosen : report.clocks[0];
  for (const tab of document.querySelectorAll(".tabs button")) tab.setAttribute("aria-pressed", String(tab.dataset.clock === clock));
  for (const panel of document.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== clock;
  drawPicture(clock);
  drawOverTime(clock);
  document.dispatchEvent(new CustomEvent("clock"));
}

// The tooltip of anything with data-tip, by pointer and by keyboard.
const tip = document.getElementById("tip");

function showTip(target) {
  tip.textContent = target.dataset.tip;
  tip.hidden = false;
  const at = target.getBoundingClientRect(), own = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, at.left + at.width / 2 - own.width / 2), innerWidth - own.width - 8);
  const top = at.top - own.height - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${top > 4 ? top : at.bottom + 8}px`;
}

for (const kind of ["pointerover", "focusin"]) {
  document.addEventListener(kind, (event) => {
    const target = event.target.closest("[data-tip]");
    if (target) showTip(target);
    else tip.hidden = true;
  });
}
document.addEventListener("focusout", () => { tip.hidden = true; });
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true, capture: true });
