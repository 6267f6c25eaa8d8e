"use strict";

// The page works without this script. With it, the page is fetched twice a second,
// and the elements marked data-live are replaced.

const connection = document.getElementById("connection");
const select = document.getElementById("send-stream");
const sent = document.getElementById("sent");
const period = 500; // ms
const patience = 5000; // ms until an answer is given up
let pressed = false; // elements are not replaced between pointerdown and click
let latest = 0; // number of the last request: older answers are ignored
let lostSince = null; // when the contact was lost
let unsent = false; // the form was not sent, and the server does not know

function apply(html) {
  const next = new DOMParser().parseFromString(html, "text/html");
  const focused = document.activeElement?.id;
  for (const fresh of next.querySelectorAll("[data-live]")) {
    const old = document.getElementById(fresh.id);
    if (!old || (unsent && old === sent)) continue;
    const look = fresh.getAttribute("class") ?? "";
    if ((old.getAttribute("class") ?? "") !== look) old.setAttribute("class", look);
    if (old.innerHTML === fresh.innerHTML) continue;
    old.replaceChildren(...Array.from(fresh.childNodes, (node) => document.importNode(node, true)));
  }
  // The stream of the form is the stream that is shown.
  const stream = next.getElementById(select.id).value;
  if (select.value !== stream) select.value = stream;
  if (focused && document.activeElement?.id !== focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

// contact greys the page out while the pipeline does not answer.
function contact(answers) {
  if (answers) {
    if (lostSince === null) return;
    lostSince = null;
    document.body.classList.remove("lost");
    connection.textContent = "";
    return;
  }
  lostSince ??= new Date().toTimeString().slice(0, 8);
  const text = `No contact with the pipeline since ${lostSince}. The numbers are old.`;
  const health = document.getElementById("health");
  document.body.classList.add("lost");
  health.className = "health bad";
  if (health.textContent !== text) health.textContent = text;
  connection.textContent = "The page tries again twice a second.";
  document.title = "No contact – Data Sink";
}

// refresh reports whether the page was updated.
async function refresh() {
  const mine = ++latest;
  try {
    const answer = await fetch(location.pathname + location.search, { signal: AbortSignal.timeout(patience) });
    if (!answer.ok) throw new Error(answer.status);
    const html = await answer.text();
    if (mine !== latest) return false;
    contact(true);
    if (!pressed) apply(html);
    return true;
  } catch {
    if (mine === latest) contact(false);
    return false;
  }
}

async function follow() {
  if (!document.hidden) await refresh();
  setTimeout(follow, period);
}

async function go(href) {
  if (href !== location.pathname + location.search + location.hash) history.pushState(null, "", href);
  await refresh();
  if (location.hash === "#preview") document.getElementById("preview").scrollIntoView({ block: "nearest" });
}

document.addEventListener("click", (e) => {
  const link = e.target.closest("a[href^='/?']");
  if (!link || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
  e.preventDefault();
  go(link.getAttribute("href"));
});

select.addEventListener("change", () => go("/?" + new URLSearchParams({ stream: select.value })));

function notSent(reason) {
  unsent = true;
  sent.className = "sent bad";
  sent.textContent = "Not sent: " + reason;
}

document.addEventListener("submit", async (e) => {
  e.preventDefault();
  const form = e.target;
  const button = form.querySelector("button");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  const sends = form.classList.contains("send");
  if (sends) unsent = false;
  try {
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
    if (sends && answer.type !== "opaqueredirect" && !answer.ok) notSent(`the page answered ${answer.status}.`);
  } catch {
    if (sends) notSent("the pipeline does not answer.");
  }
  button.removeAttribute("aria-disabled");
  refresh();
});

addEventListener("pointerdown", () => { pressed = true; });
for (const end of ["pointerup", "pointercancel", "blur"]) {
  // The click event follows the pointerup event.
  addEventListener(end, () => setTimeout(() => { pressed = false; }));
}
addEventListener("popstate", refresh);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
setTimeout(follow, period);
