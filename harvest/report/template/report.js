"use strict";

// Rejected pairs are known by their names and kept for this set of shards, where the browser allows it.
const storeKey = "harvest report " + document.body.dataset.digest;
const excluded = lines(document.body.dataset.excluded);
const cards = [...document.querySelectorAll(".card")];
const filter = document.getElementById("filter");
const exporter = document.getElementById("export");
const words = new Map(cards.map((card) => [card, readable(card).toLowerCase()]));
const rejected = new Set(stored());

// What a filter looks at: what was said, and where; not the numbers.
function readable(card) {
  return [...card.querySelectorAll(".said, .source")].map((part) => part.textContent).join(" ");
}

function lines(text) {
  return text.split("\n").filter((line) => line !== "");
}

function stored() {
  try {
    const names = JSON.parse(localStorage.getItem(storeKey));
    return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
  } catch {
    return []; // no storage for this page: memory must do
  }
}

function store() {
  try {
    localStorage.setItem(storeKey, JSON.stringify([...rejected]));
  } catch {
    // as above
  }
}

function showRejected() {
  for (const card of cards) {
    const marked = rejected.has(card.dataset.name);
    card.classList.toggle("rejected", marked);
    card.querySelector("button.picture")?.setAttribute("aria-pressed", String(marked));
  }
  exporter.disabled = rejected.size === 0;
  exporter.textContent = rejected.size ? `Save rejected.txt (${rejected.size})` : "Save rejected.txt";
}

function toggle(name) {
  if (!rejected.delete(name)) rejected.add(name);
  store();
  showRejected();
  showMatching();
}

function matches(card, wanted) {
  const status = card.dataset.status;
  const right = wanted.status === "rejected" ? rejected.has(card.dataset.name) : [status, ""].includes(wanted.status);
  return right && [card.dataset.video, ""].includes(wanted.video) && wanted.parts.every((part) => words.get(card).includes(part));
}

function showMatching() {
  const form = new FormData(filter);
  const parts = form.get("text").toLowerCase().split(/\s+/);
  const wanted = { status: form.get("status"), video: form.get("video"), parts };
  let shown = 0;
  for (const card of cards) {
    card.hidden = !matches(card, wanted);
    shown += card.hidden ? 0 : 1;
  }
  filter.elements.shown.textContent = shown === cards.length ? "" : `${shown} of ${cards.length}`;
}

// What was left out before stays in the list, so that one file is enough for the next set.
function saveList() {
  const names = [...new Set([...excluded, ...rejected])].sort();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(names.map((name) => name + "\n"), { type: "text/plain" }));
  link.download = "rejected.txt";
  link.click();
  URL.revokeObjectURL(link.href);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.picture");
  if (button) toggle(button.closest(".card").dataset.name);
});
filter.addEventListener("input", showMatching);
filter.addEventListener("submit", (event) => event.preventDefault());
exporter.addEventListener("click", saveList);
showRejected();
showMatching();
