"use strict";
// Means of a metric over the levels of one factor, a line per level of another, from the cells that are shown.
{
  const factor = (axis) => cells.data.factors.find((one) => one.axis === axis);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  // Replicates first: a combination of levels counts once.
  const means = (metric, wanted) => {
    const groups = new Map();
    cells.data.cells.forEach((cell, n) => {
      if ((metric.values[n] ?? null) === null || cells.hidden.has(n) || wanted.some(([axis, level]) => cell.levels[axis] !== level)) return;
      const key = cells.data.factors.map((one) => cell.levels[one.axis]).join("\u0000");
      groups.set(key, [...(groups.get(key) || []), metric.values[n]]);
    });
    return groups.size ? [mean([...groups.values()].map(mean)), groups.size] : null;
  };
  charts.define("interactions", {
    first: 12, listed: ["lines"],
    entries: (chart) => factor(chart.state.lines).levels.map((level, n) => ({ key: level, cell: null, name: level, hue: n % 8, dash: 0 })),
    controls: (chart) => {
      const options = cells.data.factors.map((one) => [one.axis, one.title]);
      return [
        { name: "metric", label: "Metric ", options: charts.named(chart.protocol) },
        { name: "across", label: "Across ", options },
        { name: "lines", label: "A line per level of ", options: [...options.slice(1), options[0]] },
      ];
    },
    draw: (chart, entries) => {
      const metric = cells.data.metrics[chart.state.metric], across = factor(chart.state.across);
      const lines = entries.map((entry) => {
        const found = across.levels.map((level, n) => [n, means(metric, [[chart.state.across, level], [chart.state.lines, entry.key]])]).filter(([, one]) => one);
        return { entry, points: found.map(([n, [value]]) => [n, metric.scale * value]), counts: found.map(([, [, count]]) => count), symbol: "circle" };
      }).filter((line) => line.points.length);
      const [low, high] = charts.around(lines.length ? lines.flatMap((line) => line.points.map((point) => point[1])) : [0, 1]);
      return {
        x: { min: -0.3, max: across.levels.length - 0.7, title: across.title, ticks: across.levels.map((level, n) => [n, level]) },
        y: { min: low, max: high, title: `${metric.title}${metric.scale === 100 ? " [%]" : ""}`, text: (value) => String(Number(value.toPrecision(4))) },
        lines,
      };
    },
    heading: () => "mean",
    value: (chart, entry) => {
      const metric = cells.data.metrics[chart.state.metric], found = means(metric, [[chart.state.lines, entry.key]]);
      return found ? charts.number(metric, found[0]) : "–";
    },
    tip: (chart, line, n) => {
      const metric = cells.data.metrics[chart.state.metric], [place, value] = line.points[n];
      const cells_ = line.counts[n] === 1 ? "1 cell" : `mean of ${line.counts[n]} cells`;
      return `${factor(chart.state.across).levels[place]}, ${line.entry.name}: ${charts.number(metric, value / metric.scale)}, ${cells_}`;
    },
  });
}
