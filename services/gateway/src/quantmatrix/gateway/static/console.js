// The console's own script: dialogs, the event stream, what is said in passing. Charts load only where a page has one.
import { live } from "./live.js";

const root = document.documentElement;

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.opens) document.getElementById(button.dataset.opens)?.showModal();
  if (button.dataset.closes) document.getElementById(button.dataset.closes)?.close();
});

document.querySelector('[data-toggle="zen"]')?.setAttribute("aria-pressed", String(root.dataset.zen === "on"));
document.querySelector('[data-toggle="colours"]')?.setAttribute("aria-pressed", String(root.dataset.colours === "blue-orange"));

// A session that has ended: the next part of a page that is asked for leads to the login.
document.addEventListener("htmx:after:request", (event) => {
  if (event.detail?.ctx?.response?.raw?.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
});

// What was said in passing goes away by itself.
const told = document.getElementById("told");
if (told) new MutationObserver(() => { if (told.children.length) setTimeout(() => told.replaceChildren(), 8000); }).observe(told, { childList: true });

if (document.querySelector("qm-equity, qm-course, qm-drawdown, qm-candles")) import("./charts.js");
if (document.querySelector("qm-statements")) import("./statements.js");
document.querySelector('.side nav [aria-current]')?.scrollIntoView({ block: "nearest", inline: "center" });
live(document.body);
