// Runs before the first paint: sets the theme, as chosen before or by the system, and marks the page as scripted.
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
