// Keeps counts moving: fetches a part of the page again while it is looked at, until told to stop.
"use strict";

const SECONDS = 3;

for (const place of document.querySelectorAll("[data-live]")) {
  let stopped = false;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "small";
  const name = () => {
    button.textContent = stopped ? "Update by itself" : "Stop updating";
  };
  name();
  button.addEventListener("click", () => {
    stopped = !stopped;
    name();
  });
  const put = () => (place.querySelector(".live") ?? place).append(button);
  put();

  const update = async () => {
    const answer = await fetch(place.dataset.live, { credentials: "same-origin", cache: "no-store" });
    if (answer.status === 404) {
      // The session is over: stale numbers must not look alive.
      stopped = true;
      button.replaceWith("These counts are no longer updated: the session has ended.");
      return;
    }
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body;
    const at = [...place.querySelectorAll("a")].indexOf(document.activeElement);
    const inButton = document.activeElement === button;
    place.replaceChildren(...fresh.children);
    put();
    // What had the focus keeps it: a keyboard must not be thrown to the top every few seconds.
    if (inButton) button.focus();
    else if (at >= 0) place.querySelectorAll("a")[at]?.focus();
  };

  const turn = async () => {
    if (!stopped && !document.hidden) {
      try {
        await update();
      } catch {
        // The server restarts, or the line is down: the next turn tries again.
      }
    }
    setTimeout(turn, SECONDS * 1000);
  };
  setTimeout(turn, SECONDS * 1000);
}
