"use strict";
// Sorting: a click on a column's title; rows without a number stay last.
for (const table of document.querySelectorAll("table.main")) {
  const body = table.tBodies[0];
  for (const button of table.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th"), key = head.dataset.key;
      const before = head.getAttribute("aria-sort");
      const up = before === "none" ? head.dataset.first === "ascending" : before === "descending";
      for (const other of table.querySelectorAll("th[aria-sort]")) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      table.classList.add("sorted");
      table.classList.remove("plan");
      const value = (row) => row.querySelector(`[data-key="${key}"]`)?.dataset.value ?? "";
      const rows = [...body.rows].map((row, place) => ({ row, place, value: value(row) }));
      rows.sort((a, b) => {
        if (a.value === "" || b.value === "") return (a.value === "") - (b.value === "") || a.row.dataset.row - b.row.dataset.row;
        const order = Number(a.value) - Number(b.value);
        return (up ? order : -order) || a.row.dataset.row - b.row.dataset.row;
      });
      body.append(...rows.map((one) => one.row));
    });
  }
}
// Highlighting: whatever stands for a cell lights up all that stands for it.
const heat = (row, on) => {
  for (const one of document.querySelectorAll(`[data-row="${row}"]`)) one.classList.toggle("hot", on);
  for (const figure of document.querySelectorAll("figure.roc")) figure.classList.toggle("any-hot", on);
};
for (const one of document.querySelectorAll("tr[data-row], .curve[data-row]")) {
  one.addEventListener("mouseenter", () => heat(one.dataset.row, true));
  one.addEventListener("mouseleave", () => heat(one.dataset.row, false));
}
// The FAR axis, and a cursor that reads TAR off every curve.
for (const figure of document.querySelectorAll("figure.roc")) {
  const svg = figure.querySelector("svg.plot"), cursor = figure.querySelector(".cursor"), head = figure.querySelector(".read");
  const box = svg.dataset, left = Number(box.left), width = Number(box.width), top = Number(box.top), height = Number(box.height);
  const cells = [...figure.querySelectorAll(".legend td[data-auc]")];
  const read = new Map();
  const scale = () => (figure.classList.contains("on-linear") ? "linear" : "log");
  const points = (line) => {
    if (!read.has(line)) read.set(line, line.getAttribute("points").split(" ").map((pair) => pair.split(",").map(Number)));
    return read.get(line);
  };
  const rest = () => {
    cursor.style.visibility = "hidden";
    head.textContent = "AUC";
    for (const cell of cells) cell.textContent = cell.dataset.auc;
  };
  for (const input of figure.closest("section").querySelectorAll("input[type=radio]")) {
    input.addEventListener("change", () => figure.classList.toggle("on-linear", input.value === "linear"));
  }
  svg.addEventListener("mouseleave", rest);
  svg.addEventListener("mousemove", (event) => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const x = (place.x - left) / width;
    if (x < 0 || x > 1) return rest();
    const far = scale() === "linear" ? x : Math.pow(10, (x - 1) * Number(box.decades));
    cursor.setAttribute("x1", place.x);
    cursor.setAttribute("x2", place.x);
    cursor.style.visibility = "visible";
    head.textContent = `TAR at FAR ${(100 * far).toPrecision(2)} %`;
    for (const cell of cells) {
      const line = figure.querySelector(`.${scale()} .curve[data-row="${cell.closest("tr").dataset.row}"]`);
      let y = top + height;
      for (const point of points(line)) {
        if (point[0] > place.x) break;
        y = point[1];
      }
      cell.textContent = `${(100 * (1 - (y - top) / height)).toFixed(1)} %`;
    }
  });
}
