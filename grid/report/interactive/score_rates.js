"use strict";
// Scores of genuine and impostor pairs as densities, and FMR and FNMR against the threshold.
{
  const of = (chart) => cells.data.curves[chart.protocol];
  const percent = (share) => `${Number((100 * share).toPrecision(3))} %`;
  // FMR and FNMR at a threshold: those at the lowest kept threshold that is not below it.
  const rates = (curve, threshold) => {
    let low = 0, high = curve.threshold.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (curve.threshold[middle] >= threshold) low = middle;
      else high = middle - 1;
    }
    return [curve.far[low], 1 - curve.tar[low]];
  };
  const stairs = (edges, heights) => heights.flatMap((height, n) => [[edges[n], height], [edges[n + 1], height]]);
  charts.define("scores", {
    reads: true, first: 2,
    // Dashes tell impostor pairs from genuine ones here, so each cell has a color of its own.
    entries: (chart) => charts.entries(Object.keys(of(chart).cells).map(Number), chart.protocol).map((entry, n) => ({ ...entry, hue: n % 8, dash: 0 })),
    controls: () => [{ name: "view", label: "Show ", options: [["densities", "densities of scores"], ["rates", "FMR and FNMR by threshold"]] }],
    draw: (chart, entries) => {
      const { edges, cells: known } = of(chart), x = { min: edges[0], max: edges[edges.length - 1], title: "score" };
      const rounded = (value) => String(Number(value.toPrecision(3)));
      if (chart.state.view === "densities") {
        const lines = entries.flatMap((entry) => [
          { entry, part: "genuine", points: stairs(edges, known[entry.key].genuine), dash: [], area: true },
          { entry, part: "impostor", points: stairs(edges, known[entry.key].impostor), dash: [4, 3], area: true },
        ]);
        const high = Math.max(1e-9, ...lines.flatMap((line) => line.points.map((point) => point[1])));
        return { x: { ...x, text: rounded }, y: { min: 0, max: high * 1.05, title: "density", text: rounded }, lines };
      }
      const low = Math.min(...Object.values(known).flatMap((one) => one.pairs.map((count) => 0.5 / count)));
      const lines = entries.flatMap((entry) => {
        const curve = known[entry.key], of_ = (rate) => curve.threshold.map((t, n) => [t, Math.log10(Math.max(low, rate(n)))]).filter(([t]) => t !== null).reverse();
        return [
          { entry, part: "FMR", points: of_((n) => curve.far[n]), dash: [] },
          { entry, part: "FNMR", points: of_((n) => 1 - curve.tar[n]), dash: [4, 3] },
        ];
      });
      const ticks = Array.from({ length: Math.floor(-Math.log10(low)) + 1 }, (_, n) => [-n, percent(10 ** -n)]);
      return { x: { ...x, title: "threshold", text: rounded }, y: { min: Math.log10(low), max: 0, title: "rate", ticks }, lines };
    },
    heading: (chart, at) => (at === null ? charts.metric(chart.protocol, "EER").title : `FMR, FNMR at ${at.toPrecision(3)}`),
    value: (chart, entry, at) => (at === null ? charts.number(charts.metric(chart.protocol, "EER"), charts.metric(chart.protocol, "EER").values[entry.key]) : rates(of(chart).cells[entry.key], at).map((rate) => `${(100 * rate).toFixed(2)} %`).join(", ")),
    tip: (chart, line, n) => {
      const [at] = line.points[n], [fmr, fnmr] = rates(of(chart).cells[line.entry.key], at);
      return `${line.entry.name}, ${line.part}: at ${at.toPrecision(3)}, FMR ${percent(fmr)}, FNMR ${percent(fnmr)}`;
    },
  });
}
