// Keeps the page fresh where scripts run; without them it is the same page, and reloading does the same.
"use strict";
const EVERY_MS = 10000;
async function refresh() {
  if (document.hidden || document.querySelector("main").contains(document.activeElement)) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    const shown = document.querySelector("main");
    if (fresh && fresh.innerHTML !== shown.innerHTML) shown.replaceWith(fresh);
    document.title = document.title.replace(/^\(away\) /, "");
  } catch {
    if (!document.title.startsWith("(away) ")) document.title = "(away) " + document.title;
  }
}
setInterval(refresh, EVERY_MS);
