// Before the first paint: the person's choice of theme, hidden amounts and colours; without one, the system decides. The
// switches listen from here too, so that none of the first presses on a page is lost while its modules still load.
(() => {
  const root = document.documentElement;

  function remember(name, value) {
    try {
      localStorage.setItem(name, value);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  }

  const switches = {
    theme() {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      remember("qm-theme", root.dataset.theme);
      document.dispatchEvent(new Event("qm-theme"));
    },
    zen(button) {
      const on = root.dataset.zen !== "on";
      if (on) root.dataset.zen = "on";
      else delete root.dataset.zen;
      remember("qm-zen", on ? "on" : "off");
      button.setAttribute("aria-pressed", String(on));
    },
    colours(button) {
      const on = root.dataset.colours !== "blue-orange";
      if (on) root.dataset.colours = "blue-orange";
      else delete root.dataset.colours;
      remember("qm-colours", on ? "blue-orange" : "green-red");
      button.setAttribute("aria-pressed", String(on));
      document.dispatchEvent(new Event("qm-theme"));
    },
  };

  try {
    const theme = localStorage.getItem("qm-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    if (localStorage.getItem("qm-zen") === "on") root.dataset.zen = "on";
    if (localStorage.getItem("qm-colours") === "blue-orange") root.dataset.colours = "blue-orange";
  } catch {
    // Storage may be switched off: the system's theme is used then.
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-toggle]");
    if (button) switches[button.dataset.toggle]?.(button);
  });
})();
