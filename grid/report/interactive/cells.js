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

  const apply = () => {
    const off = [...filter.querySelectorAll("input:not(:checked)")].map((input) => [input.name, input.value]);
    hidden.clear();
    data.cells.forEach((cell, n) => {
      if ((limit && !limit.has(n)) || off.some(([axis, level]) => cell.levels[axis] === level)) hidden.add(n);
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
    filter.querySelector(".every").addEventListener("click", () => {
      limit = null;
      for (const input of filter.querySelectorAll("input")) input.checked = true;
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
