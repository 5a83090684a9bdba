// Extras for readers: every page works without them.
"use strict";

// Keys in lists of papers: j and k go on and back, s saves, ? says so.
const items = [...document.querySelectorAll("ol.papers > li, ul.papers > li")];
const help = document.querySelector("#keys");
let at = -1;
const go = (to) => {
  at = Math.max(0, Math.min(items.length - 1, to));
  const link = items[at]?.querySelector("a");
  if (link) link.focus();
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !items.length) return;
  const here = items.findIndex((item) => item.contains(document.activeElement));
  if (here >= 0) at = here;
  if (event.key === "j") go(at + 1);
  else if (event.key === "k") go(at - 1);
  else if (event.key === "s" && at >= 0) items[at].querySelector("[data-save]")?.click();
  else if (event.key === "?" && help) help.hidden = !help.hidden;
});

// A slider beside a number, each following the other. The number alone is sent.
for (const slider of document.querySelectorAll("input[data-number]")) {
  const number = document.getElementById(slider.dataset.number);
  const follow = () => {
    if (number.value) slider.value = number.value;
  };
  follow();
  slider.hidden = false;
  slider.addEventListener("input", () => {
    number.value = slider.value;
  });
  number.addEventListener("input", follow);
}

// The number that a slider without a field of its own stands at; screen readers tell it anyway.
for (const shown of document.querySelectorAll("[data-shows]")) {
  const slider = document.getElementById(shown.dataset.shows);
  const tell = () => {
    shown.textContent = `${slider.value} %`;
  };
  tell();
  shown.hidden = false;
  slider.addEventListener("input", tell);
}
