// A poster dropped anywhere on the page, or chosen, is compared at once. Without scripts the form's button does it.
const form = document.querySelector("form.upload");
if (form) {
  const input = form.querySelector("input[type=file]");
  const label = form.querySelector("label");
  const send = () => {
    document.body.classList.remove("dropping");
    document.body.classList.add("busy");
    form.requestSubmit();
  };
  form.classList.add("scripted");
  input.addEventListener("change", () => input.files.length && send());
  label.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      input.click();
    }
  });
  const hasFile = (event) => [...event.dataTransfer.types].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    input.files = event.dataTransfer.files;
    send();
  });
  // Back from the answer: the page must not look busy any more.
  window.addEventListener("pageshow", () => document.body.classList.remove("busy", "dropping"));
}
