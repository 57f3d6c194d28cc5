// Before anything is drawn: light or dark as chosen here before, else as the system has it; and that scripts run.
{
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: light)");
  const apply = () => {
    let chosen = null;
    try { chosen = localStorage.getItem("theme"); } catch { /* storage is switched off */ }
    root.dataset.theme = chosen ?? (system.matches ? "light" : "dark");
  };
  root.classList.add("scripted");
  apply();
  system.addEventListener("change", apply);
}
