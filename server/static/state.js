// Loading and error states of parts of a page.

import { Problem, unreachable } from "./ask.js";

/** Mark a part of the page as busy until `work` ends. Show an error there, with a button to try again. */
export async function renew(part, work) {
  part.classList.add("loading");
  part.setAttribute("aria-busy", "true");
  try {
    const result = await work();
    part.querySelector(":scope > .state.wrong")?.remove();
    return result;
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    show(part, error, () => renew(part, work));
    return undefined;
  } finally {
    part.classList.remove("loading");
    part.removeAttribute("aria-busy");
  }
}

/** Show an error at the top of a part of the page, in place of an earlier one. */
export function show(part, error, again) {
  const problem = error instanceof Problem ? error : new Problem("wrong", "This page made a mistake", String(error));
  if (!(error instanceof Problem)) console.error(error);
  const box = element("div", { class: "state wrong", role: "alert" }, [
    element("p", { class: "title" }, [problem.title]), // no heading: its level would depend on the place
    element("p", {}, [sentence(problem.detail)]),
    problem.requestId && element("p", { class: "hint small" }, ["Request ", element("code", {}, [problem.requestId])]),
  ]);
  if (again) {
    const button = element("button", { type: "button" }, ["Try again"]);
    button.addEventListener("click", again);
    box.append(button);
    if (problem.kind === "limited") countDown(button, Math.min(problem.wait ?? 2, 120), again);
    if (problem.kind === "offline") addEventListener("online", again, { once: true });
  }
  part.querySelector(":scope > .state.wrong")?.remove();
  part.prepend(box);
}

/** Return an element with attributes and children; skip children that are false or null. */
export function element(name, attributes = {}, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== false && child !== undefined));
  return made;
}

/** Show one line over the page while the server is unreachable, and once it is back. */
export function watchConnection() {
  const gone = element("p", { class: "banner", role: "status" }, [unreachable().title + ". What is shown stays; nothing is lost."]);
  addEventListener("offline", () => document.body.append(gone));
  addEventListener("online", () => gone.remove());
  if (!navigator.onLine) document.body.append(gone);
}

function countDown(button, seconds, again) {
  button.disabled = true;
  button.textContent = `Trying again in ${seconds} s`;
  setTimeout(() => {
    if (!button.isConnected) return;
    if (seconds > 1) countDown(button, seconds - 1, again);
    else again();
  }, 1000);
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
