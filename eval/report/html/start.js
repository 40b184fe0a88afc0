"use strict";
// Puts the page together: the theme of the address, clock, list, and what the address asks for.

const chosenTheme = address().get("theme");
if (chosenTheme) document.documentElement.dataset.theme = chosenTheme;

for (const tab of document.querySelectorAll(".tabs button")) {
  tab.addEventListener("click", () => {
    setAddress({ clock: tab.dataset.clock === report.clocks[0] ? null : tab.dataset.clock });
    showClock(tab.dataset.clock);
  });
}

document.addEventListener("clock", () => {
  if (!filters.elements.clock.options.length || filters.elements.clock.value === clock) return;
  filters.elements.clock.value = clock;
  showList();
});

function follow() {
  const wanted = address(), identity = wanted.get("conversation");
  if (wanted.has("definition")) showDefinition(wanted.get("definition"));
  if (identity) {
    openConversation(identity, { compare: wanted.get("compare") === "1", time: wanted.has("t") ? +wanted.get("t") : null, zoom: +(wanted.get("zoom") || 0), without: wanted.get("without") });
  }
}

showClock(address().get("clock") || byIdentity.get(address().get("conversation"))?.clock);
setUpFilters();
showList();
follow();
addEventListener("hashchange", follow);
addEventListener("resize", () => {
  drawPicture(clock);
  drawOverTime(clock);
});
addEventListener("beforeprint", () => {
  for (const panel of document.querySelectorAll("[data-panel]")) panel.hidden = false;
  for (const name of report.clocks) {
    drawPicture(name);
    drawOverTime(name);
  }
});
addEventListener("afterprint", () => showClock(clock));
document.documentElement.dataset.ready = "1";
