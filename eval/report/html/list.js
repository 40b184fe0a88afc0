"use strict";
// The conversations: a list one can filter, each of which opens in place, alone or beside the other system's.

const PAGE_LENGTH = 40, STRIP_WIDE = 300, STRIP_HIGH = 22;
const ROUTINE = { response_rate: 1, early_rate: 0, pause_false_start: 0 };  // not worth a mention
const list = document.getElementById("list"), filters = document.getElementById("filters");
const longest = Math.max(1, ...report.conversations.map((entry) => entry.seconds));
const items = new Map();  // identity -> the item on the page
let matching = [], shownItems = 0;

function setUpFilters() {
  const values = (key) => [...new Set(report.conversations.map((entry) => entry[key]))];
  const offer = (name, options) => filters.elements[name].replaceChildren(...options.map(([value, words]) => make("option", { value }, words)));
  offer("system", [["", "both"], ...values("system").map((name) => [name, name])]);
  offer("clock", [["", "all"], ...report.clocks.map((name) => [name, tabName(name)])]);
  offer("category", [["", "all"], ...values("category").sort().map((name) => [name, name])]);
  const outcomes = [...new Set(report.conversations.flatMap((entry) => entry.outcomes))].sort();
  offer("outcome", [["", "all"], ...outcomes.map((name) => [name, name]), ["nothing wrong", "nothing wrong"]]);
  filters.elements.clock.value = clock;
  filters.addEventListener("input", showList);
  filters.addEventListener("submit", (event) => event.preventDefault());
}

function matches(entry, wanted, text) {
  return (!wanted.system || entry.system === wanted.system) && (!wanted.clock || entry.clock === wanted.clock)
    && (!wanted.category || entry.category === wanted.category)
    && (!wanted.outcome || (wanted.outcome === "nothing wrong" ? !entry.outcomes.length : entry.outcomes.includes(wanted.outcome)))
    && text.every((word) => `${entry.scenario} ${entry.category} ${entry.text}`.toLowerCase().includes(word));
}

function showList() {
  const wanted = Object.fromEntries(new FormData(filters));
  const text = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
  matching = [...byIdentity.values()].filter((entry) => matches(entry, wanted, text)).sort((a, b) =>
    a.scenario.localeCompare(b.scenario) || a.seed - b.seed || report.clocks.indexOf(a.clock) - report.clocks.indexOf(b.clock) || roleOf(a.system).localeCompare(roleOf(b.system)));
  document.getElementById("shown").textContent = `${matching.length} of ${report.conversations.length}`;
  for (const player of [...players]) player.remove();
  items.clear();
  list.replaceChildren();
  shownItems = 0;
  showMore();
}

function showMore(until = shownItems + PAGE_LENGTH) {
  list.querySelector(".more")?.remove();
  for (; shownItems < Math.min(until, matching.length); shownItems += 1) list.append(listItem(matching[shownItems]));
  const left = matching.length - shownItems;
  if (left) list.append(make("li", { class: "more" }, make("button", { type: "button", onclick: () => showMore() }, `${Math.min(left, PAGE_LENGTH)} more of ${left}`)));
  if (!matching.length) list.append(make("li", { class: "none" }, "No conversation is like that."));
}

function listItem(entry) {
  const panel = make("div", { class: "panel", hidden: true, id: `panel-${entry.number}` });
  const head = make("button", { type: "button", class: "head", "aria-expanded": "false", "aria-controls": panel.id, onclick: () => toggleItem(entry) },
    make("span", { class: "scenario" }, make("b", {}, entry.scenario.replaceAll("_", " ")), make("span", { class: "soft" }, [entry.category, `seed ${entry.seed}`].filter(Boolean).join(", "))),
    make("span", { class: `system ${roleOf(entry.system)}` }, entry.system),
    filters.elements.clock.value ? null : make("span", { class: "soft clock" }, tabName(entry.clock)),
    overview(entry),
    make("span", { class: "length" }, `${entry.seconds.toFixed(1)}\u00a0s`),
    make("span", { class: "badges" }, entry.outcomes.map((outcome) => make("span", { class: "badge" }, outcome))));
  const item = make("li", { class: "conversation", "data-id": entry.id }, head, panel);
  items.set(entry.id, { entry, item, head, panel });
  return item;
}

// Who spoke when, small: the same two lanes as a barcode, all on one scale.
function overview(entry) {
  const scale = STRIP_WIDE / longest / 100;
  const bars = entry.bars.map((party, row) => draw("path", {
    class: row ? "agent" : "user",
    d: Array.from({ length: party.length / 2 }, (_, bar) => `M${(party[2 * bar] * scale).toFixed(1)} ${row ? 12 : 1}h${Math.max(0.7, (party[2 * bar + 1] - party[2 * bar]) * scale).toFixed(1)}v9h-${Math.max(0.7, (party[2 * bar + 1] - party[2 * bar]) * scale).toFixed(1)}z`).join(""),
  }));
  return draw("svg", { class: "overview", viewBox: `0 0 ${STRIP_WIDE} ${STRIP_HIGH}`, preserveAspectRatio: "none", "aria-hidden": true },
    draw("rect", { class: "ground", x: 0, y: 10.6, width: entry.seconds * 100 * scale, height: 0.8 }), bars);
}

function toggleItem(entry) {
  if (items.get(entry.id).head.getAttribute("aria-expanded") === "true") closeItem(entry.id);
  else return openItem(entry);
  return null;
}

function closeItem(identity) {
  const { head, panel } = items.get(identity);
  head.setAttribute("aria-expanded", "false");
  for (const player of [...players]) if (panel.contains(player.element)) player.remove();
  panel.replaceChildren();
  panel.hidden = true;
  if (address().get("conversation") === identity) setAddress({ conversation: null, t: null, compare: null, without: null });
}

async function openItem(entry) {
  const { head, panel } = items.get(entry.id);
  head.setAttribute("aria-expanded", "true");
  panel.hidden = false;
  panel.replaceChildren(make("p", { class: "soft" }, "Loading."));
  setAddress({ conversation: entry.id, compare: null, t: null, without: null });
  try {
    const details = await conversationDetails(entry);
    if (panel.hidden) return null;
    const other = counterpart(entry);
    const compare = other && make("button", { type: "button", class: "compare", "aria-pressed": "false", onclick: () => toggleCompare(entry, player, compare, other) }, `compare with ${other.system}`);
    const player = new Player(entry, details, { compare });
    panel.replaceChildren(...[player.element, elsewhere(entry)].filter(Boolean));
    player.redraw();
    return { player, compare, other };
  } catch (error) {
    reportError(error);
    panel.replaceChildren(make("p", { class: "badge" }, error.message));
    return null;
  }
}

function counterpart(entry) {
  return [...byIdentity.values()].find((other) => other.scenario === entry.scenario && other.seed === entry.seed && other.clock === entry.clock && other.system !== entry.system);
}

async function toggleCompare(entry, player, button, other) {
  const is = button.getAttribute("aria-pressed") === "true";
  button.setAttribute("aria-pressed", String(!is));
  setAddress({ compare: is ? null : "1" });
  if (is) {
    for (const partner of [...player.partners]) partner.remove();
    player.redraw();
    return;
  }
  const beside = new Player(other, await conversationDetails(other), { partner: player });
  player.element.after(beside.element);
  player.redraw();
  beside.redraw();
}

// What was measured in this conversation, every number a way to its moment.
function measured(player) {
  const { details } = player;
  const telling = details.observed.filter(([metric, value]) => !metric.startsWith("part_") && ROUTINE[metric] !== value);
  const said = [["should say", details.expect.said], ["should not say", details.expect.not_said]].filter(([, phrases]) => phrases?.length);
  return make("div", { class: "measured" },
    telling.map(([metric, value, start, censored]) => make("button", { type: "button", title: `at ${start?.toFixed(2)} s`, onclick: () => player.seek(Math.max(0, start - 1)) },
      make("span", { class: "soft" }, (report.titles[metric] || [metric.replaceAll("_", " ")])[0]), make("b", {}, censored ? `> ${amount(metric, value)}` : amount(metric, value)), metric === "switch_latency" ? parts(details, start) : null)),
    said.map(([words, phrases]) => make("span", { class: "expected" }, make("span", { class: "soft" }, words), make("b", {}, phrases.map((one) => (Array.isArray(one) ? one[0] : one)).join(", ")))),
    details.notes.map(([heading, words]) => make("p", { class: "told" }, make("span", { class: "soft" }, heading), " ", words)));
}

// What the latency of the answer due at `start` is made of; parts that add nothing are left out.
function parts(details, start) {
  const made = details.observed.filter(([metric, value, at]) => metric.startsWith("part_") && at === start && Math.abs(value) >= 0.005);
  const words = made.map(([metric, value]) => `${report.titles[metric][0].replace(/^.*: /, "")} ${value.toFixed(2)}`);
  return words.length ? make("span", { class: "soft" }, `= ${words.join(" + ")}`) : null;
}

function elsewhere(entry) {
  const others = [...byIdentity.values()].filter((other) => other.scenario === entry.scenario && other.seed === entry.seed && other.system === entry.system && other.clock !== entry.clock);
  if (!others.length) return null;
  return make("p", { class: "elsewhere soft" }, "The same on another clock: ",
    others.flatMap((other, index) => [index ? ", " : "", make("a", { href: `#conversation=${other.id}` }, tabName(other.clock))]));
}

// Opens a conversation from a dot or a link, whatever the filters hide.
async function openConversation(identity, { compare = false, time = null, zoom = 0, without = null } = {}) {
  const entry = byIdentity.get(identity);
  if (!entry) return;
  if (!matching.some((other) => other.id === identity)) {
    filters.reset();
    filters.elements.clock.value = entry.clock;
    showList();
  }
  showMore(Math.max(shownItems, matching.findIndex((other) => other.id === identity) + 1));
  const { item, head } = items.get(identity);
  const opened = head.getAttribute("aria-expanded") === "true" ? null : await openItem(entry);
  if (opened && compare && opened.other) await toggleCompare(entry, opened.player, opened.compare, opened.other);
  const left = opened?.player.details.without.find((other) => String(other.onset) === without);
  if (left) opened.player.hear(left, false);
  if (opened && zoom) opened.player.setZoom(zoom);
  if (opened && time !== null) opened.player.seek(time);
  item.scrollIntoView({ block: "start" });
}
