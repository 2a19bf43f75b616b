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
