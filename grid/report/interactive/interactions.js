"use strict";
// Means of a metric over the levels of one factor, a line per level of another, from the cells that are shown.
{
  const factor = (axis) => cells.data.factors.find((one) => one.axis === axis);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  // Point -> the means of its combinations of the other factors, over replicates; equal replicates count once. Only combinations
  // that every point has: others would add their own effect to some points alone. Where there are none, all.
  const points = (chart) => {
    const metric = cells.data.metrics[chart.state.metric], own = [chart.state.across, chart.state.lines], found = new Map(), seen = new Set();
    const others = cells.data.factors.map((one) => one.axis).filter((axis) => !own.includes(axis));
    const levels = (cell, axes) => JSON.stringify(axes.map((axis) => cell.levels[axis]));
    cells.data.cells.forEach((cell, n) => {
      if ((metric.values[n] ?? null) === null || cells.hidden.has(n)) return;
      const first = metric.copies[n] ?? n;
      if (seen.has(first)) return;
      seen.add(first);
      const point = levels(cell, own), other = levels(cell, others), groups = found.get(point) || new Map();
      found.set(point, groups.set(other, [...(groups.get(other) || []), metric.values[n]]));
    });
    const every = [...found.values()], all = [...new Set(every.flatMap((groups) => [...groups.keys()]))];
    const common = all.filter((other) => every.every((groups) => groups.has(other)));
    return (across, line) => {
      const groups = found.get(JSON.stringify([across, line])) || new Map();
      return [...groups].filter(([other]) => !common.length || common.includes(other)).map(([, values]) => mean(values));
    };
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
      const metric = cells.data.metrics[chart.state.metric], across = factor(chart.state.across), at = points(chart);
      const lines = entries.map((entry) => {
        const found = across.levels.map((level, n) => [n, at(level, entry.key)]).filter(([, values]) => values.length);
        return { entry, points: found.map(([n, values]) => [n, metric.scale * mean(values)]), counts: found.map(([, values]) => values.length), symbol: "circle" };
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
      const at = points(chart), found = factor(chart.state.across).levels.flatMap((level) => at(level, entry.key));
      return found.length ? charts.number(cells.data.metrics[chart.state.metric], mean(found)) : "–";
    },
    tip: (chart, line, n) => {
      const metric = cells.data.metrics[chart.state.metric], [place, value] = line.points[n];
      const cells_ = line.counts[n] === 1 ? "1 cell" : `mean of ${line.counts[n]} cells`;
      return `${factor(chart.state.across).levels[place]}, ${line.entry.name}: ${charts.number(metric, value / metric.scale)}, ${cells_}`;
    },
  });
}
