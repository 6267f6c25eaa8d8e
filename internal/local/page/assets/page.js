"use strict";

// The page is whole without this file. Here it is fetched again and again, and what
// is marked as live is taken over from the new one.

const connection = document.getElementById("connection");
const period = 500; // ms; the rates are those of a second, and none should go unseen
let pressed = false; // nothing is replaced between the two halves of a click
let latest = 0; // the request whose answer is shown, so that a slow one changes nothing

function apply(html) {
  const next = new DOMParser().parseFromString(html, "text/html");
  const focused = document.activeElement?.id;
  for (const fresh of next.querySelectorAll("[data-live]")) {
    const old = document.getElementById(fresh.id);
    if (!old) continue;
    const look = fresh.getAttribute("class") ?? "";
    if ((old.getAttribute("class") ?? "") !== look) old.setAttribute("class", look);
    if (old.innerHTML === fresh.innerHTML) continue;
    old.replaceChildren(...Array.from(fresh.childNodes, (node) => document.importNode(node, true)));
  }
  if (focused && document.activeElement?.id !== focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

async function refresh() {
  const mine = ++latest;
  try {
    const answer = await fetch(location.pathname + location.search);
    if (!answer.ok) throw new Error(answer.status);
    const html = await answer.text();
    if (mine !== latest) return;
    if (!pressed) apply(html);
    connection.textContent = "";
  } catch {
    if (mine === latest) connection.textContent = "The pipeline does not answer. Trying again.";
  }
}

async function follow() {
  if (!document.hidden) await refresh();
  setTimeout(follow, period);
}

document.addEventListener("click", (e) => {
  const link = e.target.closest("a[href^='/?']");
  if (!link || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
  e.preventDefault();
  history.pushState(null, "", link.getAttribute("href"));
  refresh();
});

document.addEventListener("submit", async (e) => {
  e.preventDefault();
  const form = e.target;
  const button = form.querySelector("button");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    await fetch(form.getAttribute("action"), { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
  } catch {
    // The next refresh says that the pipeline does not answer.
  }
  button.removeAttribute("aria-disabled");
  refresh();
});

addEventListener("pointerdown", () => { pressed = true; });
for (const end of ["pointerup", "pointercancel", "blur"]) {
  // The click comes right after.
  addEventListener(end, () => setTimeout(() => { pressed = false; }));
}
addEventListener("popstate", refresh);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
setTimeout(follow, period);
