"use strict";
// Finds a metric among many, and opens its definition beside the table.

const findField = document.getElementById("find"), found = document.getElementById("found");
const dialog = document.getElementById("definition"), article = dialog.querySelector("article");
const openedBefore = new WeakMap();  // groups, as they were before somebody searched
let asked = [];  // definitions one has come through, the one on show last

// Shows the rows of all clocks that hold every word of the field, in groups that open for them.
function findMetrics() {
  const words = findField.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of document.querySelectorAll("#table [data-find]")) row.classList.toggle("unfound", !words.every((word) => row.dataset.find.includes(word)));
  for (const table of document.querySelectorAll("#table .comparison")) table.classList.toggle("unfound", !table.querySelector("tbody tr:not(.unfound)"));
  for (const group of document.querySelectorAll("#table .group")) {
    const any = group.querySelector("[data-find]:not(.unfound)") !== null;
    if (words.length && !openedBefore.has(group)) openedBefore.set(group, group.open);
    group.classList.toggle("unfound", Boolean(words.length) && !any);
    if (words.length) group.open = any;
    else if (openedBefore.has(group)) {
      group.open = openedBefore.get(group);
      openedBefore.delete(group);
    }
  }
  for (const groups of document.querySelectorAll("#table .groups")) groups.classList.toggle("unfound", Boolean(words.length) && !groups.querySelector(".group:not(.unfound)"));
  const rows = [...document.querySelectorAll("#table [data-panel]:not([hidden]) [data-find]")];
  found.textContent = words.length ? `${rows.filter((row) => !row.classList.contains("unfound")).length} of ${rows.length}` : "";
}

findField.addEventListener("input", findMetrics);
findField.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !findField.value) return;
  findField.value = "";
  findMetrics();
});
document.addEventListener("clock", findMetrics);
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, select, textarea") || dialog.open) return;
  event.preventDefault();
  findField.focus();
});

// Opens the page that defines a metric, or one by its own name, at the place that is about it.
function showDefinition(name, { from = [] } = {}) {
  const page = document.querySelector(`template[data-definition="${CSS.escape(report.pages[name] || name)}"]`);
  if (!page) return;
  asked = [...from, name];
  article.replaceChildren(page.content.cloneNode(true));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  const about = [...article.querySelectorAll("code")].filter((code) => code.textContent === name);
  about[0]?.closest("tr")?.classList.add("asked");
  const heading = about.map((code) => code.closest("h2, h3, h4")).find(Boolean);
  if (heading) dialog.scrollTop = heading.offsetTop - 60;
  const back = dialog.querySelector(".back");
  back.hidden = asked.length < 2;
  setAddress({ definition: name });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#definition="]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  showDefinition(decodeURIComponent(link.hash.replace("#definition=", "")), { from: dialog.open ? asked : [] });
});
dialog.querySelector(".back").addEventListener("click", (event) => {
  event.preventDefault();
  showDefinition(asked.at(-2), { from: asked.slice(0, -2) });
});
dialog.querySelector(".close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog && event.offsetX < 0) dialog.close(); });  // on what lies behind it
dialog.addEventListener("close", () => setAddress({ definition: null }));
