"use strict";
// Parallel coordinates: a line per cell through its levels, its numbers and its costs. A range drawn along an axis selects cells.
{
  const WIDTH = 92; // least distance of two axes in pixels
  const scales = (chart) => [
    ...cells.data.factors.map((one) => ({ title: one.title, levels: one.levels, value: (n) => cells.data.cells[n].levels[one.axis] })),
    ...charts.metrics(chart.protocol).map(([one]) => ({ title: one.title + (one.scale === 100 ? " [%]" : ""), inverse: one.lower, value: (n) => (one.values[n] ?? null) === null ? null : Number((one.scale * one.values[n]).toFixed(one.digits)) })),
    ...cells.data.costs.map((one) => ({ title: one.title, inverse: true, value: (n) => one.values[n] ?? null })),
  ];
  const broken = (title) => title.replace(/(.{9,}?) /g, "$1\n");
  charts.define("parallel", {
    first: 60,
    entries: (chart) => charts.entries(charts.metrics(chart.protocol).length ? cells.data.cells.map((_, n) => n).filter((n) => charts.metrics(chart.protocol).some(([one]) => (one.values[n] ?? null) !== null)) : [], chart.protocol),
    controls: () => [],
    draw: (chart, entries) => {
      const shown = scales(chart);
      chart.canvas.style.minWidth = `${WIDTH * shown.length}px`;
      chart.echart.resize();
      chart.order = entries;
      const axis = shown.map((one, dim) => ({
        dim, name: broken(one.title), nameLocation: one.inverse ? "start" : "end", nameTextStyle: { color: charts.color("ink"), fontSize: 11.5, lineHeight: 14 },
        ...(one.levels ? { type: "category", data: one.levels } : { type: "value", scale: true, inverse: Boolean(one.inverse), splitNumber: 4, axisLabel: { formatter: (value) => String(Number(value.toPrecision(4))) } }),
      }));
      const soft = { color: charts.color("soft"), fontSize: 11 };
      return {
        option: {
          animation: false,
          parallel: {
            left: 44, right: 56, top: 58, bottom: 22,
            parallelAxisDefault: { axisLine: { lineStyle: { color: charts.color("faint") } }, axisTick: { show: false }, splitLine: { show: false }, axisLabel: { ...soft, textBorderColor: charts.color("card"), textBorderWidth: 3 }, nameTruncate: { maxWidth: WIDTH + 10 }, areaSelectStyle: { width: 18, color: charts.color("accent"), borderColor: charts.color("accent"), opacity: 0.25 } },
          },
          parallelAxis: axis.map((one) => ({ ...one, axisLabel: { ...soft, textBorderColor: charts.color("card"), textBorderWidth: 3, ...one.axisLabel } })),
          series: [{
            type: "parallel", animation: false, inactiveOpacity: 0.06, activeOpacity: 1,
            lineStyle: { width: 1.6, opacity: 0.85 }, emphasis: { lineStyle: { width: 3.4, opacity: 1 } },
            data: entries.map((entry) => ({ value: shown.map((one) => one.value(entry.key) ?? "-"), lineStyle: { color: charts.color(`c${entry.hue}`), type: charts.dashes(entry.dash).length ? charts.dashes(entry.dash) : "solid" } })),
          }],
        },
      };
    },
    heading: (chart) => charts.main(chart.protocol)?.title ?? "",
    value: (chart, entry) => charts.number(charts.main(chart.protocol), charts.main(chart.protocol).values[entry.key]),
    tip: (chart, line) => line.entry.name,
    listen: (chart) => {
      chart.mark = (key) => {
        const place = key === null ? -1 : chart.order.findIndex((entry) => entry.key === key);
        chart.echart.dispatchAction({ type: "downplay", seriesIndex: 0 });
        if (place >= 0) chart.echart.dispatchAction({ type: "highlight", seriesIndex: 0, dataIndex: place });
        chart.marked = key;
      };
      chart.echart.on("mouseover", (event) => {
        if (event.componentType !== "series") return;
        const entry = chart.order[event.dataIndex], line = { entry };
        chart.mark(entry.key);
        chart.say({ line, point: 0 }, event.event.offsetX - chart.plot.scrollLeft, event.event.offsetY);
        cells.point(entry.cell);
      });
      chart.echart.on("mouseout", () => chart.leave());
      const only = chart.controls.appendChild(charts.make("button", "", "Show only the selected cells on the page"));
      only.type = "button";
      only.disabled = true;
      chart.echart.on("axisareaselected", () => {
        const series = chart.echart.getModel().getSeries()[0], active = series.getRawIndicesByActiveState("active");
        chart.active = active.map((n) => chart.order[n].cell);
        only.disabled = !active.length || active.length === chart.order.length;
        only.textContent = only.disabled ? "Show only the selected cells on the page" : `Show only the ${active.length} selected cells on the page`;
      });
      only.addEventListener("click", () => cells.limit(new Set(chart.active)));
    },
  });
}
