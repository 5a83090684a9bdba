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
