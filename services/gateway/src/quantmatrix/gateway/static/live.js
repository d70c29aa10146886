// One event stream per page. Each kind of event becomes a DOM event on <body> (`qm-fill`, `qm-moment` …), at most once
// per REST_MS and never lost: whoever listens reads its state anew, so an event seen twice changes nothing.
const KINDS = ["order", "fill", "signal", "run", "position", "moment", "notification", "account", "reset"];
const REST_MS = 900;
const AGAIN_MS = 1500;

export function live(body) {
  let place = body.dataset.place;
  let source = null;
  let timer = 0;
  const resting = new Map();

  function tell(kind, data) {
    const rest = resting.get(kind);
    if (rest) {
      rest.data = data;
      return;
    }
    resting.set(kind, { data: null });
    body.dispatchEvent(new CustomEvent(`qm-${kind}`, { detail: data }));
    setTimeout(() => {
      const { data: late } = resting.get(kind);
      resting.delete(kind);
      if (late !== null) tell(kind, late);
    }, REST_MS);
  }

  function open() {
    clearTimeout(timer);
    if (source || document.hidden) return;
    source = new EventSource(`/api/v1/stream?after=${encodeURIComponent(place)}`);
    source.addEventListener("open", () => { body.dataset.live = "on"; });
    source.addEventListener("error", () => {
      body.dataset.live = "off";
      close();
      timer = setTimeout(open, AGAIN_MS);
    });
    source.addEventListener("place", (event) => { place = event.lastEventId; });
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        place = event.lastEventId;
        body.dataset.place = place;
        tell(kind, event.data);
      });
    }
  }

  function close() {
    source?.close();
    source = null;
  }

  // A hidden page gives its connection back; when it is seen again it goes on where it was.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  open();
}
