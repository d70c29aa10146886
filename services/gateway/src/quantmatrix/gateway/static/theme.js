// Before the first paint: the person's choice of theme and of hidden amounts; without one, the system decides.
(() => {
  const root = document.documentElement;
  try {
    const theme = localStorage.getItem("qm-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    if (localStorage.getItem("qm-zen") === "on") root.dataset.zen = "on";
  } catch {
    // Storage may be switched off: the system's theme is used then.
  }
})();
