"use strict";
// What all charts share: controls, a legend whose entries can be switched off, reading by pointer and keys, both color schemes.
// A kind of chart is a file of its own that calls charts.define(name, kind); a kind has
//   entries(chart): [{key, name, hue, dash, cell}], the series that the legend lists, best first; cell is a number or null
//   first: how many of them are on at first
//   controls(chart): [{name, label, options: [[value, text]]}]; chosen values are chart.state[name]
//   draw(chart, entries): {x, y, lines, more} in the coordinates of the axes, see `axes` below; or {option} of ECharts
//   value(chart, entry, at): what the legend prints; at is the pointed-at x, or null; heading(chart, at) is printed above
//   tip(chart, line, point): the words beside the pointer
const charts = (() => {
  const kinds = {}, all = [], REACH = 28; // pixels between the pointer and the line that it means
  const make = (tag, name = "", text = "") => {
    const one = document.createElement(tag);
    if (name) one.className = name;
    if (text) one.textContent = text;
    return one;
  };
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const dashes = (number) => cells.data.dashes[number] || [];
  const swatch = (entry) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), line = document.createElementNS(svg.namespaceURI, "line");
    svg.setAttribute("viewBox", "0 0 30 8");
    svg.setAttribute("aria-hidden", "true");
    for (const [key, value] of Object.entries({ x1: 1, x2: 29, y1: 4, y2: 4, stroke: "var(--hue)", "stroke-width": 2, "stroke-dasharray": dashes(entry.dash).join(" ") })) line.setAttribute(key, value);
    svg.append(line);
    return svg;
  };
  // Some four to eight round numbers from one to another: multiples of 1, 2 or 5 times a power of 10.
  const round = (low, high) => {
    const rough = (high - low) / 6, power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].find((digit) => digit * power >= rough) * power;
    return Array.from({ length: Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1 }, (_, n) => Number(((Math.ceil(low / step - 1e-9) + n) * step).toPrecision(10)));
  };
  // Ticks of an axis of decimal logarithms from low to high: powers of 10, or multiples of them by 2 and 5, or all digits.
  const logTicks = (low, high) => {
    const every = high - low > 4 ? [1] : high - low > 0.7 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9], powers = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, n) => Math.floor(low) + n);
    const values = powers.flatMap((power) => every.map((digit) => digit * 10 ** power)).filter((value) => Math.log10(value) >= low && Math.log10(value) <= high);
    return values.map((value) => [Math.log10(value), String(Number(value.toPrecision(3)))]);
  };
  // An axis is {title, min, max, ticks: [[value, text]], or text: value -> text for round ones}; values are drawn linearly.
  const axes = (chart, drawn) => {
    const side = (axis, across) => {
      const labels = new Map(axis.ticks || round(axis.min, axis.max).map((value) => [value, (axis.text || String)(value)]));
      return {
        type: "value", min: axis.min, max: axis.max, name: axis.title, nameLocation: "middle", nameGap: across ? 30 : 46,
        nameTextStyle: { color: color("soft"), fontSize: 12 }, axisLine: { show: true, onZero: false, lineStyle: { color: color("faint") } },
        axisTick: { show: false, customValues: [...labels.keys()] }, splitLine: { show: true, lineStyle: { color: color("line") } },
        axisLabel: { color: color("soft"), fontSize: 12, hideOverlap: true, customValues: [...labels.keys()], formatter: (value) => labels.get(value) ?? "" },
      };
    };
    const series = drawn.lines.map((line) => {
      const hue = color(`c${line.entry.hue}`), width = line.width ?? 1.7;
      return {
        type: "line", data: line.points, symbol: line.symbol || "none", symbolSize: 8, showAllSymbol: true, animation: false,
        itemStyle: { color: hue }, lineStyle: { color: hue, width, type: (line.dash ?? dashes(line.entry.dash)).length ? line.dash ?? dashes(line.entry.dash) : "solid" },
        ...(line.area && { areaStyle: { color: hue, opacity: 0.12 } }),
        emphasis: { focus: "series", lineStyle: { width: width + 1.2 } }, blur: { lineStyle: { opacity: 0.14 }, itemStyle: { opacity: 0.14 }, areaStyle: { opacity: 0.03 } },
      };
    });
    const more = (drawn.more || []).map((points) => ({ type: "line", data: points, symbol: "none", silent: true, animation: false, lineStyle: { color: color("faint"), width: 1.2, type: [3, 4] }, z: 1 }));
    return { animation: false, grid: { left: 58, right: 14, top: 12, bottom: 48 }, xAxis: side(drawn.x, true), yAxis: side(drawn.y, false), series: [...series, ...more] };
  };

  class Chart {
    constructor(figure) {
      Object.assign(this, { figure, kind: kinds[figure.dataset.kind], protocol: figure.dataset.protocol, state: {}, lines: [], at: null });
      [this.plot, this.controls, this.legend] = [".plot", ".controls", ".legend"].map((name) => figure.querySelector(name));
      for (const control of this.kind.controls(this)) this.control(control);
      this.canvas = this.plot.appendChild(make("div", "canvas"));
      [this.cursor, this.tip] = [this.plot.appendChild(make("i", "cursor")), this.plot.appendChild(make("div", "tip"))];
      this.tip.setAttribute("role", "status");
      this.tip.hidden = this.cursor.hidden = true;
      this.list();
      this.echart = echarts.init(this.canvas, null, { renderer: "canvas" });
      this.draw();
      this.listen();
    }
    control({ name, label, options }) {
      this.state[name] ??= options[0][0];
      if (options.length < 2) return;
      const box = this.controls.appendChild(make("label", "", label)), select = box.appendChild(make("select"));
      select.autocomplete = "off";
      for (const [value, text] of options) select.append(Object.assign(make("option", "", text), { value }));
      select.addEventListener("change", () => {
        this.state[name] = select.value;
        if (this.kind.listed?.includes(name)) this.list();
        this.draw();
      });
    }
    // The legend: a click on an entry switches it off or on.
    list() {
      this.entries = this.kind.entries(this);
      const first = this.kind.first ?? 16;
      this.on = new Set(this.entries.slice(0, first).map((entry) => entry.key));
      const head = make("div", "head"), bulk = (text, count) => {
        const button = head.appendChild(make("button", "", text));
        button.type = "button";
        button.addEventListener("click", () => ((this.on = new Set(this.entries.slice(0, count).map((entry) => entry.key))), this.draw()));
      };
      if (this.entries.length > first) bulk(first === 1 ? "Best" : `Best ${first}`, first);
      bulk("All", this.entries.length);
      bulk("None", 0);
      this.heading = head.appendChild(make("span", "read"));
      const list = make("ul");
      this.items = new Map();
      for (const entry of this.entries) {
        const item = list.appendChild(make("li", `h${entry.hue}`)), button = item.appendChild(make("button"));
        if (entry.cell !== null) item.dataset.row = entry.cell;
        button.type = "button";
        button.append(swatch(entry), make("span", "name", entry.name), make("span", "value"));
        button.addEventListener("click", () => {
          this.on.delete(entry.key) || this.on.add(entry.key);
          this.draw();
        });
        for (const [type, on] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]]) button.addEventListener(type, () => this.mark(on ? entry.key : null));
        this.items.set(entry.key, { item, button, value: button.querySelector(".value") });
      }
      this.legend.replaceChildren(head, list);
    }
    shown() {
      return this.entries.filter((entry) => this.on.has(entry.key) && !cells.hidden.has(entry.cell));
    }
    draw() {
      this.outdated = false;
      const entries = this.shown(), drawn = this.kind.draw(this, entries);
      this.lines = drawn.lines || [];
      this.axes = drawn;
      this.echart.setOption(drawn.option || axes(this, drawn), { notMerge: true });
      this.plot.setAttribute("aria-label", `${this.figure.dataset.title}: ${entries.length} of ${this.entries.length} shown; arrow keys read values`);
      for (const entry of this.entries) {
        const { item, button } = this.items.get(entry.key);
        item.classList.toggle("filtered", cells.hidden.has(entry.cell));
        button.setAttribute("aria-pressed", this.on.has(entry.key));
      }
      if (!drawn.option) this.measure();
      this.read(null);
      this.drawn = (this.drawn || 0) + 1;
      this.figure.dataset.drawn = this.drawn;
    }
    // Pixels: each axis is linear, so two points tell where all others are.
    measure() {
      const { x, y } = this.axes, place = (at) => this.echart.convertToPixel({ xAxisIndex: 0, yAxisIndex: 0 }, at);
      const [left, bottom] = place([x.min, y.min]), [right, top] = place([x.max, y.max]);
      this.box = { left, right, top, bottom };
      this.across = (value) => left + ((value - x.min) / (x.max - x.min)) * (right - left);
      this.up = (value) => bottom + ((value - y.min) / (y.max - y.min)) * (top - bottom);
      this.value = (pixel) => x.min + ((pixel - left) / (right - left)) * (x.max - x.min);
      for (const line of this.lines) line.pixels = line.points.map(([a, b]) => [this.across(a), this.up(b)]);
    }
    nearest(x, y) {
      let found = null, least = REACH;
      for (const line of this.lines) {
        const points = line.pixels;
        for (let n = 0; n < points.length; n++) {
          const [ax, ay] = points[n], [bx, by] = points[Math.min(n + 1, points.length - 1)];
          if (Math.max(ax, bx) < x - REACH || Math.min(ax, bx) > x + REACH) continue;
          const long = (bx - ax) ** 2 + (by - ay) ** 2, part = long ? Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / long)) : 0;
          const far = Math.hypot(x - ax - part * (bx - ax), y - ay - part * (by - ay));
          if (far < least) [found, least] = [{ line, point: part < 0.5 ? n : Math.min(n + 1, points.length - 1) }, far];
        }
      }
      return found;
    }
    mark(key) {
      const numbers = key === null ? [] : this.lines.flatMap((line, n) => (line.entry.key === key ? [n] : []));
      this.echart.dispatchAction({ type: "downplay" });
      if (numbers.length) this.echart.dispatchAction({ type: "highlight", seriesIndex: numbers });
      this.marked = key;
    }
    // The legend reads the values at an x; null: those at rest.
    read(at) {
      this.at = at;
      this.heading.textContent = this.kind.heading?.(this, at) ?? "";
      for (const entry of this.entries) {
        const box = this.items.get(entry.key);
        if (at === null || this.on.has(entry.key)) box.value.textContent = this.kind.value?.(this, entry, at) ?? "";
      }
      this.cursor.hidden = at === null || !this.kind.reads;
      if (!this.cursor.hidden) Object.assign(this.cursor.style, { left: `${this.across(at)}px`, top: `${this.box.top}px`, height: `${this.box.bottom - this.box.top}px` });
    }
    say(found, x, y) {
      this.tip.hidden = !found;
      if (!found) return;
      this.tip.textContent = this.kind.tip(this, found.line, found.point).replaceAll(" %", "\u00a0%");
      const wide = this.plot.clientWidth, own = this.tip.offsetWidth;
      Object.assign(this.tip.style, { left: `${Math.max(4, Math.min(wide - own - 4, x + 14))}px`, top: `${Math.max(4, y - this.tip.offsetHeight - 10)}px` });
    }
    leave() {
      if (this.marked !== null) this.mark(null);
      this.say(null);
      this.read(null);
      cells.point(null);
    }
    over(x, y) {
      if (!this.lines.length || x < this.box.left - 4 || x > this.box.right + 4 || y > this.box.bottom + 8) return this.leave();
      const found = this.nearest(x, y), key = found ? found.line.entry.key : null;
      if (key !== this.marked) this.mark(key);
      this.say(found, x, y);
      if (this.kind.reads) this.read(Math.min(this.axes.x.max, Math.max(this.axes.x.min, this.value(x))));
      cells.point(found ? found.line.entry.cell : null);
    }
    listen() {
      const by = (event) => {
        const box = this.canvas.getBoundingClientRect();
        if (!this.axes.option) this.over(event.clientX - box.left, event.clientY - box.top);
      };
      this.canvas.addEventListener("pointermove", by);
      this.canvas.addEventListener("pointerdown", by);
      this.plot.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.leave());
      this.plot.addEventListener("blur", () => this.leave());
      // Up and down go from line to line, left and right along it.
      const place = { line: -1, point: 0 };
      this.plot.addEventListener("keydown", (event) => {
        const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
        if (!step || !this.lines.length || !this.box) return;
        event.preventDefault();
        const count = this.lines.length;
        if (step[0]) place.line = place.line < 0 ? 0 : (place.line + step[0] + count) % count;
        const line = this.lines[Math.max(0, Math.min(count - 1, place.line))], stride = Math.max(1, Math.round(line.points.length / 40));
        place.line = this.lines.indexOf(line);
        if (step[0]) place.point = line.points.length >> 1;
        place.point = Math.max(0, Math.min(line.points.length - 1, place.point + step[1] * stride));
        const [x, y] = line.pixels[place.point];
        this.mark(line.entry.key);
        this.say({ line, point: place.point }, x, y);
        if (this.kind.reads) this.read(line.points[place.point][0]);
        cells.point(line.entry.cell);
      });
      this.kind.listen?.(this);
    }
  }

  // The best cell first, by the main metric of the protocol, or of the first one.
  const main = (protocol) => cells.data.metrics.find((one) => one.main && (!protocol || one.protocol === protocol)) || cells.data.metrics[0];
  const entries = (numbers, protocol) => {
    const metric = main(protocol), worth = (n) => (metric?.values[n] ?? null) === null ? -Infinity : metric.lower ? -metric.values[n] : metric.values[n];
    return [...numbers].sort((a, b) => worth(b) - worth(a) || a - b).map((n) => ({ key: n, cell: n, name: cells.data.cells[n].name, hue: cells.data.cells[n].hue, dash: cells.data.cells[n].dash }));
  };
  // The metric of that title under a protocol, or the main one.
  const metric = (protocol, title) => cells.data.metrics.find((one) => one.protocol === protocol && one.title === title) || main(protocol);
  const number = (metric, value) => (value === null || value === undefined ? "–" : `${(value * metric.scale).toFixed(metric.digits)}${metric.scale === 100 ? " %" : ""}`);
  // Round numbers about the ends of some values.
  const around = (values) => {
    const low = Math.min(...values), high = Math.max(...values), room = (high - low || Math.abs(high) || 1) * 0.06;
    return [low - room, high + room];
  };
  const metrics = (protocol) => cells.data.metrics.map((one, n) => [one, n]).filter(([one]) => !protocol || one.protocol === protocol);
  const named = (protocol) => {
    const several = new Set(metrics(protocol).map(([one]) => one.protocol)).size > 1;
    return metrics(protocol).map(([one, n]) => [String(n), several ? `${one.title}, ${one.protocol}` : one.title]);
  };
  const start = () => {
    // A chart is made when it comes near the window, and drawn again only while it is there.
    const watcher = new IntersectionObserver((seen) => {
      for (const { isIntersecting, target } of seen) {
        if (isIntersecting && !target.chart) all.push(add(target));
        if (!target.chart) continue;
        target.chart.near = isIntersecting;
        if (isIntersecting && target.chart.outdated) target.chart.draw();
      }
    }, { rootMargin: "400px" });
    // Charts that appear above the target of a link move it; it is brought back until the reader scrolls.
    let following = 0;
    addEventListener("hashchange", () => (following = performance.now() + 2000));
    for (const moved of ["wheel", "touchmove", "keydown", "pointerdown"]) addEventListener(moved, () => (following = 0), { passive: true });
    const follow = () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (target && performance.now() < following) target.scrollIntoView();
    };
    const add = (figure) => {
      const chart = (figure.chart = new Chart(figure));
      requestAnimationFrame(follow);
      new ResizeObserver(() => {
        chart.echart.resize();
        if (!chart.axes.option) chart.measure();
      }).observe(chart.canvas);
      return chart;
    };
    const again = () => all.forEach((chart) => (chart.near ? chart.draw() : (chart.outdated = true)));
    for (const figure of document.querySelectorAll("figure.chart")) if (kinds[figure.dataset.kind]) watcher.observe(figure);
    cells.listen(again);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    document.addEventListener("cell-pointed", ({ detail }) => all.forEach((chart) => chart.entries.some((entry) => entry.cell !== null) && (chart.marked ?? null) !== detail && chart.mark(detail)));
  };
  return { define: (name, kind) => (kinds[name] = kind), start, make, color, dashes, entries, number, around, metrics, named, main, metric, logTicks };
})();
