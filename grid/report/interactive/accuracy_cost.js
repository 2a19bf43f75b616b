"use strict";
// A metric against what a cell costs, and the cells that no other is both cheaper and better than.
{
  const MARKS = ["circle", "rect", "triangle", "diamond", "pin", "roundRect"];
  const chosen = (chart) => [cells.data.costs[chart.state.cost], cells.data.metrics[chart.state.metric]];
  const there = (chart) => {
    const [cost, metric] = chosen(chart);
    return cells.data.cells.map((_, n) => n).filter((n) => (cost.values[n] ?? null) !== null && (metric.values[n] ?? null) !== null);
  };
  const front = (points, lower) => {
    const found = [];
    for (const [x, y] of [...points].sort((a, b) => a[0] - b[0] || (lower ? a[1] - b[1] : b[1] - a[1]))) {
      if (!found.length || (lower ? y < found[found.length - 1][1] : y > found[found.length - 1][1])) found.push([x, y]);
    }
    return found;
  };
  charts.define("cost", {
    first: 60, listed: ["cost", "metric"],
    entries: (chart) => charts.entries(there(chart), cells.data.metrics[chart.state.metric].protocol),
    controls: () => [
      { name: "metric", label: "Metric ", options: charts.named() },
      { name: "cost", label: "Cost ", options: cells.data.costs.map((one, n) => [String(n), one.title]) },
    ],
    draw: (chart, entries) => {
      const [cost, metric] = chosen(chart), values = entries.map((entry) => cost.values[entry.key]);
      const log = Math.min(...values) > 0 && Math.max(...values) >= 8 * Math.min(...values), place = (v) => (log ? Math.log10(v) : v), scale = metric.scale;
      const lines = entries.map((entry) => {
        const n = entry.key, x = place(cost.values[n]), value = metric.values[n];
        const points = [metric.low[n] ?? value, value, metric.high[n] ?? value].map((y) => [x, scale * y]);
        return { entry, points, dash: [], width: 1.1, symbol: (_, about) => (about.dataIndex === 1 ? MARKS[entry.dash % MARKS.length] : "none") };
      });
      const [left, right] = charts.around(lines.length ? lines.map((line) => line.points[1][0]) : [0, 1]);
      const [low, high] = charts.around(lines.length ? lines.flatMap((line) => line.points.map((point) => point[1])) : [0, 1]);
      const ticks = log ? charts.logTicks(left, right) : undefined;
      const rounded = (value) => String(Number(value.toPrecision(4)));
      return {
        x: { min: left, max: right, title: cost.title, ticks, text: rounded },
        y: { min: low, max: high, title: `${metric.title}${scale === 100 ? " [%]" : ""}`, text: rounded },
        lines, more: [front(lines.map((line) => line.points[1]), metric.lower)],
      };
    },
    heading: (chart) => chosen(chart)[1].title,
    value: (chart, entry) => charts.number(chosen(chart)[1], chosen(chart)[1].values[entry.key]),
    tip: (chart, line) => {
      const [cost, metric] = chosen(chart), n = line.entry.key, [low, high] = [metric.low[n] ?? null, metric.high[n] ?? null];
      const spread = low === null || high === null ? "" : ` [${charts.number(metric, low)}, ${charts.number(metric, high)}]`;
      return `${line.entry.name}: ${metric.title} ${charts.number(metric, metric.values[n])}${spread}; ${cost.title}: ${Number(cost.values[n].toPrecision(4))}`;
    },
  });
}
