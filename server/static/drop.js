// Search by picture: dropped on the window, pasted or chosen. Shows a preview, the progress, then the result.

import { problemOf, unreachable } from "./ask.js";
import { element, show } from "./state.js";

const LARGEST = 10 * 2 ** 20; // bytes; the server's limit

let compared = false; // true while a result is shown, which has no address of its own

/** Handle the form in the header. Without scripts its button submits it. */
export function dropAnywhere(form) {
  const input = form.querySelector("input[type=file]");
  input.addEventListener("change", () => input.files.length && compare(form.action, input.files[0]));
  const over = element("div", { class: "drop-over", hidden: true }, [element("p", {}, ["Let go: see what looks like it"])]);
  document.body.append(over);
  const carriesFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    over.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    over.hidden = true;
    if (!carriesFile(event)) return;
    event.preventDefault();
    if (event.dataTransfer.files.length) compare(form.action, event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    if (file) compare(form.action, file);
  });
  // Back from the result, which has no address of its own, to the page before.
  addEventListener("popstate", () => compared && location.reload());
}

/** Upload a picture and show the result in place of the page; "back" restores the page. */
export function compare(address, file) {
  const main = document.querySelector("main");
  const preview = URL.createObjectURL(file);
  const progress = element("i");
  const bar = element("div", { class: "bar", role: "progressbar", "aria-label": "Sending the picture" }, [progress]);
  const stage = element("p", { role: "status" }, ["Sending it…"]);
  main.replaceChildren(
    element("div", { class: "comparing" }, [
      element("span", { class: "frame" }, [element("img", { src: preview, alt: "Your picture" })]),
      element("div", {}, [element("h1", {}, ["Your picture"]), stage, bar]),
    ]),
  );
  scrollTo(0, 0);
  compared = true;
  history.pushState(null, "", address);
  document.title = "Your picture · Posterity";
  const fail = (problem) => show(main, problem, () => compare(address, file));
  if (file.size > LARGEST) {
    bar.remove();
    stage.textContent = "It was not sent.";
    show(main, Object.assign(unreachable(), { kind: "wrong", title: "This picture is too large", detail: `It has ${(file.size / 2 ** 20).toFixed(1)} MiB; 10 MiB are the most.` }));
    return;
  }
  // Not fetch, which reports no upload progress.
  const request = new XMLHttpRequest();
  request.open("POST", address);
  request.setRequestHeader("Accept", "text/html");
  request.upload.addEventListener("progress", (event) => {
    progress.style.width = `${(100 * event.loaded) / event.total}%`;
  });
  request.upload.addEventListener("load", () => {
    stage.textContent = "Comparing it with every poster here…";
    bar.classList.add("unknown");
  });
  request.addEventListener("error", () => fail(unreachable()));
  request.addEventListener("load", async () => {
    URL.revokeObjectURL(preview);
    if (request.status !== 200) return fail(problemOf(request.status, (name) => request.getResponseHeader(name), request.responseText));
    const found = new DOMParser().parseFromString(request.responseText, "text/html");
    main.replaceChildren(...found.querySelector("main").childNodes);
    document.title = found.title;
    main.focus({ preventScroll: true });
    const { enhance } = await import("./look.js");
    return enhance(main, file);
  });
  const body = new FormData();
  body.append("poster", file);
  request.send(body);
}
