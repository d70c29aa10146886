// <qm-equity>, <qm-course>, <qm-drawdown> and <qm-candles>: charts drawn with lightweight-charts from the API's answers. Figures are for looking at.
import {
  AreaSeries, CandlestickSeries, ColorType, CrosshairMode, HistogramSeries, LineSeries, LineStyle, createChart, createSeriesMarkers,
} from "./vendor/lightweight-charts.mjs";

/** Resolve a CSS colour token to something a canvas understands. */
function colour(name) {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function faded(rgb, alpha) {
  const [r, g, b] = rgb.match(/[\d.]+/g);
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

const phone = () => matchMedia("(max-width: 620px)").matches;
const dark = () => colour("--ground").match(/\d+/)[0] < 100;
const averages = () => (dark() ? { sma20: "#e6a23c", sma50: "#a98bf5" } : { sma20: "#b26a00", sma50: "#6b3fc9" });

function look() {
  const line = colour("--line");
  return {
    layout: {
      background: { type: ColorType.Solid, color: colour("--panel") },
      textColor: colour("--quiet"),
      fontFamily: getComputedStyle(document.body).fontFamily,
      fontSize: 11,
      attributionLogo: true,
    },
    grid: { vertLines: { visible: false }, horzLines: { color: faded(line, 0.6) } },
    rightPriceScale: { borderVisible: false },
    timeScale: { borderColor: line, rightOffset: 4, minBarSpacing: 0.05 },
    crosshair: { mode: CrosshairMode.Normal },
    localization: { locale: "en-US" },
  };
}

class Chart extends HTMLElement {
  connectedCallback() {
    this.restyle = () => this.paint();
    this.refresh = () => this.load();
    document.addEventListener("qm-theme", this.restyle);
    this.media = matchMedia("(prefers-color-scheme: dark)");
    this.media.addEventListener("change", this.restyle);
    for (const kind of this.kinds) document.body.addEventListener(`qm-${kind}`, this.refresh);
    this.load();
  }

  disconnectedCallback() {
    document.removeEventListener("qm-theme", this.restyle);
    this.media.removeEventListener("change", this.restyle);
    for (const kind of this.kinds) document.body.removeEventListener(`qm-${kind}`, this.refresh);
    this.chart?.remove();
    this.chart = null;
  }

  /** One request at a time; what changed meanwhile is asked for once more at the end. */
  async load() {
    if (this.loading) {
      this.again = true;
      return;
    }
    this.loading = true;
    try {
      const answer = await fetch(this.getAttribute("src"), { headers: { Accept: "application/json" } });
      if (answer.ok) this.show(await answer.json());
      else if (!this.chart) this.say((await answer.json()).detail);
    } catch {
      if (!this.chart) this.say("The chart's figures could not be loaded. They are asked for again with the next event.");
    } finally {
      this.loading = false;
      if (this.again) {
        this.again = false;
        this.load();
      }
    }
  }

  say(text) {
    const note = document.createElement("p");
    note.className = "note";
    note.textContent = text;
    this.replaceChildren(note);
    this.dataset.state = "empty";
  }

  show(data) {
    if (!this.enough(data)) {
      if (!this.chart) this.say(this.emptyText);
      return;
    }
    if (!this.chart) {
      this.replaceChildren();
      this.chart = createChart(this, { ...look(), autoSize: true });
      this.build();
    }
    this.fill(data);
    this.dataset.state = "drawn";
    if (!this.fitted) {
      this.fitted = true;
      this.fit(data);
    }
  }

  paint() {
    this.chart?.applyOptions(look());
    if (this.chart) this.tint();
  }
}

class Equity extends Chart {
  kinds = ["moment", "reset"];
  emptyText = "The equity curve is drawn here after the first two sessions.";

  enough(data) { return data.points.length > 1; }

  build() {
    this.series = this.chart.addSeries(AreaSeries, { lineWidth: 2, priceFormat: { type: "price", precision: 0, minMove: 1 } });
    this.tint();
  }

  tint() {
    const accent = colour("--accent");
    this.series.applyOptions({ lineColor: accent, topColor: faded(accent, 0.28), bottomColor: faded(accent, 0.02) });
  }

  fill(data) {
    this.series.setData(data.points.map((point) => ({ time: point.session, value: Number(point.equity.amount) })));
    const last = data.points.at(-1);
    this.setAttribute("aria-label", `Equity by session, ${data.points[0].session} to ${last.session}; ${last.equity.amount} ${last.equity.currency} at the end`);
    this.chart.timeScale().fitContent();
  }

  fit() { this.chart.timeScale().fitContent(); }
}

const APART_MS = 10_000;

/** The first currency's course out of a performance answer; asked for again at most every ten seconds. */
class Course extends Equity {
  load() {
    const wait = (this.asked ?? -APART_MS) + APART_MS - performance.now();
    if (wait > 0) {
      this.later ??= setTimeout(() => { this.later = null; if (this.isConnected) this.load(); }, wait);
      return undefined;
    }
    this.asked = performance.now();
    return super.load();
  }

  show(data) { super.show({ points: data.performances[0]?.points ?? [] }); }
}

class Drawdown extends Course {
  emptyText = "Drawdowns are drawn here after the first two sessions.";

  build() {
    this.series = this.chart.addSeries(AreaSeries, {
      lineWidth: 2, invertFilledArea: true, priceFormat: { type: "custom", minMove: 0.01, formatter: (value) => `${value.toFixed(1)} %` },
    });
    this.tint();
  }

  tint() {
    const down = colour("--down");
    this.series.applyOptions({ lineColor: down, topColor: faded(down, 0.04), bottomColor: faded(down, 0.28) });
  }

  fill(data) {
    this.series.setData(data.points.map((point) => ({ time: point.session, value: point.drawdown * 100 })));
    const lowest = data.points.reduce((low, point) => (point.drawdown < low.drawdown ? point : low));
    this.setAttribute("aria-label", `Drawdown by session; ${(lowest.drawdown * 100).toFixed(2)} percent at the lowest, on ${lowest.session}`);
    this.chart.timeScale().fitContent();
  }
}

class Candles extends Chart {
  kinds = ["moment", "fill", "reset"];
  emptyText = "Candles are drawn here as soon as the replay has published bars of this symbol.";

  enough(data) { return data.chart.sessions.length > 0; }

  build() {
    this.volume = this.chart.addSeries(HistogramSeries, { priceFormat: { type: "volume" }, priceScaleId: "volume", lastValueVisible: false, priceLineVisible: false });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.candles = this.chart.addSeries(CandlestickSeries, { borderVisible: false });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.2 } });
    const line = { lineWidth: 1.5, lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false };
    this.sma20 = this.chart.addSeries(LineSeries, line);
    this.sma50 = this.chart.addSeries(LineSeries, line);
    this.markers = createSeriesMarkers(this.candles, []);
    this.lines = [];
    this.tint();
  }

  tint() {
    const up = colour("--up");
    const down = colour("--down");
    this.candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
    this.sma20.applyOptions({ color: averages().sma20 });
    this.sma50.applyOptions({ color: averages().sma50 });
    if (this.data) this.fill(this.data);
  }

  fill(data) {
    this.data = data;
    const { chart } = data;
    const up = faded(colour("--up"), 0.35);
    const down = faded(colour("--down"), 0.35);
    this.candles.setData(chart.sessions.map((time, i) => ({ time, open: chart.open[i], high: chart.high[i], low: chart.low[i], close: chart.close[i] })));
    this.volume.setData(chart.sessions.map((time, i) => ({ time, value: chart.volume[i], color: chart.close[i] < chart.open[i] ? down : up })));
    for (const name of ["sma20", "sma50"]) {
      this[name].setData(chart.sessions.map((time, i) => (chart[name][i] === null ? { time } : { time, value: chart[name][i] })));
    }
    this.mark(data);
    this.ladder(chart.ladder);
    this.setAttribute("aria-label", `${chart.sessions.length} daily candles until ${chart.sessions.at(-1)}, last close ${chart.close.at(-1)}; ${data.fills.length} fills`);
    this.dataset.bars = String(chart.sessions.length);
  }

  mark(data) {
    const shown = new Set(data.chart.sessions);
    const up = colour("--up");
    const down = colour("--down");
    // Options that ended are marked by the shares that changed hands.
    const moved = (fill) => (fill.ended ? { side: fill.ended.share_side, quantity: fill.ended.shares } : fill);
    const marks = data.fills.filter((fill) => shown.has(fill.session) && Number(moved(fill).quantity)).map((fill) => {
      const { side, quantity } = moved(fill);
      const buy = side === "BUY";
      return {
        time: fill.session, position: buy ? "belowBar" : "aboveBar", shape: buy ? "arrowUp" : "arrowDown",
        color: buy ? up : down, text: phone() ? "" : `${buy ? "B" : "S"} ${quantity}`, id: fill.fill_id,
      };
    });
    this.markers.setMarkers(marks.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)));
  }

  ladder(levels) {
    for (const line of this.lines) this.candles.removePriceLine(line);
    const quiet = colour("--quiet");
    this.lines = Object.entries(levels).map(([k, price]) => this.candles.createPriceLine({
      price, color: faded(quiet, 0.7), lineWidth: 1, lineStyle: k === "0" ? LineStyle.Solid : LineStyle.Dashed,
      axisLabelVisible: !phone(), title: k === "0" ? "SMA50" : `+${k} ATR`,
    }));
  }

  fit(data) {
    const count = data.chart.sessions.length;
    const shown = Math.min(count, phone() ? 60 : 150);
    this.chart.timeScale().setVisibleLogicalRange({ from: count - shown, to: count + 6 });
  }
}

customElements.define("qm-equity", Equity);
customElements.define("qm-course", Course);
customElements.define("qm-drawdown", Drawdown);
customElements.define("qm-candles", Candles);
