"use strict";
// Losses and other quantities of each training by epoch.
{
  const histories = cells.data?.histories ?? {}, words = (key) => key.replaceAll("_", " ");
  const keys = [...new Set(Object.values(histories).flatMap((one) => Object.keys(one)))];
  const order = (key) => (key === "validation_loss" ? 0 : key === "train_loss" ? 1 : 2);
  const epochs = (length) => {
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((one) => length / one <= 10) ?? length;
    return Array.from({ length }, (_, n) => n + 1).filter((epoch) => epoch === 1 || epoch % step === 0).map((epoch) => [epoch, String(epoch)]);
  };
  charts.define("learning", {
    listed: ["quantity"],
    entries: (chart) => charts.entries(Object.keys(histories).filter((n) => chart.state.quantity in histories[n]).map(Number)),
    controls: () => [{ name: "quantity", label: "Quantity ", options: [...keys].sort((a, b) => order(a) - order(b)).map((key) => [key, words(key)]) }],
    draw: (chart, entries) => {
      const key = chart.state.quantity, all = entries.flatMap((entry) => histories[entry.key][key].filter((value) => value !== null));
      const log = key.endsWith("loss") && all.length > 0 && Math.min(...all) > 0, place = (v) => (log ? Math.log10(v) : v);
      const lines = entries.map((entry) => {
        const points = histories[entry.key][key].map((value, n) => [n + 1, value]).filter(([, value]) => value !== null).map(([x, value]) => [x, place(value)]);
        return { entry, points, symbol: points.length === 1 ? "circle" : "none" };
      });
      const [low, high] = charts.around(all.length ? all.map(place) : [0, 1]), length = Math.max(2, ...entries.map((entry) => histories[entry.key][key].length));
      return {
        x: { min: 1, max: length, title: "epoch", ticks: epochs(length) },
        y: { min: low, max: high, title: words(key), ticks: log ? charts.logTicks(low, high) : undefined, text: (value) => String(Number(value.toPrecision(3))) },
        lines,
      };
    },
    heading: () => "last epoch",
    value: (chart, entry) => {
      const values = histories[entry.key][chart.state.quantity], last = values[values.length - 1];
      return last === null ? "–" : String(Number(last.toPrecision(4)));
    },
    tip: (chart, line, n) => {
      const epoch = line.points[n][0], value = histories[line.entry.key][chart.state.quantity][epoch - 1];
      return `${line.entry.name}: ${words(chart.state.quantity)} ${Number(value.toPrecision(4))} after epoch ${epoch}`;
    },
  });
}
