"use strict";
// The cells of the page: which are shown, by the levels of their factors, and which one is pointed at, in tables and charts.
const cells = (() => {
  const box = document.getElementById("chart-data"), filter = document.querySelector(".filter");
  const data = box ? JSON.parse(box.textContent) : null, hidden = new Set(), listeners = [];
  let limit = null, pointed = null;
  const standing = (n) => document.querySelectorAll(`[data-row="${n}"], [data-cells~="${n}"]`);
  const tell = () => listeners.forEach((listener) => listener());

  const point = (n) => {
    if (n === pointed) return;
    if (pointed !== null) standing(pointed).forEach((one) => one.classList.remove("hot"));
    pointed = n;
    if (n !== null) standing(n).forEach((one) => one.classList.add("hot"));
    document.dispatchEvent(new CustomEvent("cell-pointed", { detail: n }));
  };
  document.addEventListener("mouseover", (event) => {
    const row = event.target.closest?.("[data-row]");
    if (row) point(Number(row.dataset.row));
    else if (!event.target.closest?.(".chart .plot")) point(null);
  });

  // A range of every number: cells outside it, or without the number, are hidden.
  const ranges = [];
  const numbers = data ? [
    ...data.metrics.map((one) => ({ title: `${one.title}${new Set(data.metrics.map(({ protocol }) => protocol)).size > 1 ? `, ${one.protocol}` : ""}${one.scale === 100 ? " [%]" : ""}`, values: one.values, scale: one.scale })),
    ...data.costs.map((one) => ({ title: one.title, values: one.values, scale: 1 })),
  ] : [];
  const addRange = (box, { title, values, scale }) => {
    const known = values.filter((value) => value !== null).map((value) => value * scale), label = document.createElement("span");
    if (known.length < 2) return;
    const inputs = [["from", Math.min(...known)], ["to", Math.max(...known)]].map(([word, end]) => {
      const input = Object.assign(document.createElement("input"), { type: "number", step: "any", placeholder: Number(end.toPrecision(4)), autocomplete: "off" });
      input.setAttribute("aria-label", `${title} ${word}`);
      input.addEventListener("change", () => apply());
      return input;
    });
    label.append(title, " ", inputs[0], " to ", inputs[1]);
    box.append(label);
    ranges.push({ inputs, outside: (n) => {
      const [low, high] = inputs.map((input) => input.value === "" ? null : Number(input.value)), value = values[n] ?? null;
      if (low === null && high === null) return false;
      return value === null || (low !== null && value * scale < low - 1e-9) || (high !== null && value * scale > high + 1e-9);
    } });
  };

  const apply = () => {
    const off = [...filter.querySelectorAll("input[type=checkbox]:not(:checked)")].map((input) => [input.name, input.value]);
    hidden.clear();
    data.cells.forEach((cell, n) => {
      if ((limit && !limit.has(n)) || ranges.some((range) => range.outside(n)) || off.some(([axis, level]) => cell.levels[axis] === level)) hidden.add(n);
    });
    for (const one of document.querySelectorAll("[data-row]")) one.classList.toggle("filtered", hidden.has(Number(one.dataset.row)));
    for (const one of document.querySelectorAll("[data-cells]")) one.classList.toggle("filtered", Boolean(one.dataset.cells) && one.dataset.cells.split(" ").every((n) => hidden.has(Number(n))));
    filter.querySelector(".shown").textContent = `${data.cells.length - hidden.size} of ${data.cells.length}`;
    filter.querySelector(".limit").hidden = limit === null;
    filter.classList.toggle("active", hidden.size > 0);
    tell();
  };
  if (data && filter) {
    for (const input of filter.querySelectorAll("input")) input.addEventListener("change", apply);
    for (const one of numbers) addRange(filter.querySelector(".ranges"), one);
    filter.querySelector(".every").addEventListener("click", () => {
      limit = null;
      for (const input of filter.querySelectorAll("input[type=checkbox]")) input.checked = true;
      for (const { inputs } of ranges) inputs.forEach((input) => (input.value = ""));
      apply();
    });
    filter.hidden = false;
  }
  return {
    data, hidden, point,
    pointed: () => pointed,
    limit: (numbers) => ((limit = numbers), apply()),
    listen: (listener) => listeners.push(listener),
  };
})();
