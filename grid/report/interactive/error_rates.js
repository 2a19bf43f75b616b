"use strict";
// ROC curves, with FAR on a logarithmic or a linear axis, and DET curves.
{
  const RATES = [0.00001, 0.0001, 0.001, 0.01, 0.05, 0.2, 0.5]; // ticks of a DET curve
  // The normal deviate of a probability (P. J. Acklam's rational approximation; relative error below 1.2e-9).
  const deviate = (p) => {
    const a = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239];
    const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572];
    const c = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
    const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
    const of = (terms, x) => terms.reduce((sum, term) => sum * x + term, 0), end = (q) => of(c, q) / (of(d, q) * q + 1);
    if (p < 0.02425) return end(Math.sqrt(-2 * Math.log(p)));
    if (p > 1 - 0.02425) return -end(Math.sqrt(-2 * Math.log(1 - p)));
    const q = p - 0.5, r = q * q;
    return (of(a, r) * q) / (of(b, r) * r + 1);
  };
  const inverse = (z) => { // by bisection: only the pointer needs it
    let low = 1e-12, high = 1 - 1e-12;
    for (let n = 0; n < 60; n++) [low, high] = deviate((low + high) / 2) < z ? [(low + high) / 2, high] : [low, (low + high) / 2];
    return low;
  };
  const curves = (chart) => cells.data.curves[chart.protocol].cells;
  const impostors = (chart) => Math.max(2, ...Object.values(curves(chart)).map((one) => one.pairs[1]));
  const percent = (share) => `${Number((100 * share).toPrecision(3))} %`;
  const far = (chart, x) => ({ log: (v) => 10 ** v, linear: (v) => v / 100, det: inverse })[chart.state.scale](x);
  // The last point whose FAR is not above the given one.
  const reached = (curve, rate) => {
    let low = 0, high = curve.far.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (curve.far[middle] <= rate * (1 + 1e-9)) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  const at = (curve, n) => (curve.threshold[n] === null ? "" : `, threshold ${curve.threshold[n].toPrecision(3)}`);
  charts.define("roc", {
    reads: true,
    entries: (chart) => charts.entries(Object.keys(curves(chart)).map(Number), chart.protocol),
    controls: () => [{ name: "scale", label: "Curve ", options: [["log", "ROC, logarithmic FAR"], ["linear", "ROC, linear FAR"], ["det", "DET"]] }],
    draw: (chart, entries) => {
      const most = impostors(chart), scale = chart.state.scale, decades = Math.log10(most), low = 0.5 / most;
      const point = {
        log: (curve, n) => [Math.log10(Math.max(curve.far[n], 1 / most)), 100 * curve.tar[n]],
        linear: (curve, n) => [100 * curve.far[n], 100 * curve.tar[n]],
        det: (curve, n) => [curve.far[n], 1 - curve.tar[n]].map((rate) => deviate(Math.min(1 - low, Math.max(low, rate)))),
      }[scale];
      const share = { min: 0, max: 100, title: "TAR", text: (value) => `${value} %` };
      const powers = Array.from({ length: Math.floor(decades) + 1 }, (_, n) => [-n, percent(10 ** -n)]);
      const deviates = { min: deviate(low), max: deviate(0.6), ticks: RATES.filter((rate) => rate >= low).map((rate) => [deviate(rate), percent(rate)]) };
      const sides = {
        log: { x: { min: -decades, max: 0, title: "FAR", ticks: powers }, y: share },
        linear: { x: { ...share, title: "FAR" }, y: share },
        det: { x: { ...deviates, title: "FMR (FAR)" }, y: { ...deviates, title: "FNMR (FRR)" } },
      }[scale];
      const lines = entries.map((entry) => {
        const curve = curves(chart)[entry.key];
        return { entry, points: curve.far.map((_, n) => point(curve, n)) };
      });
      return { ...sides, lines, more: scale === "linear" ? [[[0, 0], [100, 100]]] : [] };
    },
    heading: (chart, x) => (x === null ? charts.metric(chart.protocol, "AUC").title : `${chart.state.scale === "det" ? "FNMR" : "TAR"} at FAR ${percent(Number(far(chart, x).toPrecision(2)))}`),
    value: (chart, entry, x) => {
      if (x === null) return charts.number(charts.metric(chart.protocol, "AUC"), charts.metric(chart.protocol, "AUC").values[entry.key]);
      const curve = curves(chart)[entry.key], tar = curve.tar[reached(curve, far(chart, x))];
      return `${(100 * (chart.state.scale === "det" ? 1 - tar : tar)).toFixed(1)} %`;
    },
    tip: (chart, line, n) => {
      const curve = curves(chart)[line.entry.key];
      return `${line.entry.name}: TAR ${percent(curve.tar[n])} at FAR ${percent(curve.far[n])}${at(curve, n)}`;
    },
  });
}
