// Ordering the methods by a figure, at its name; the page is complete without it.
for (const table of document.querySelectorAll("table.sortable")) {
  const rows = [...table.rows], figures = [...table.tBodies[0].rows];
  for (const row of figures) {
    const head = row.cells[0], button = document.createElement("button");
    button.type = "button";
    button.append(head.querySelector(".metric"));
    head.prepend(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      // The first click brings the best to the front.
      const first = row.dataset.better === "low" ? "ascending" : "descending";
      const other = first === "descending" ? "ascending" : "descending";
      const order = before === first ? other : first;
      figures.forEach((each) => each.cells[0].removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const columns = [...row.cells].map((cell, column) => column).slice(1);
      columns.sort((a, b) => compare(row.cells[a], row.cells[b], order === "descending" ? -1 : 1));
      rows.map((each) => [each, columns.map((column) => each.cells[column])]).forEach(([each, cells]) => each.append(...cells));
    });
  }
}

function compare(a, b, sign) {
  const costless = (cell) => cell.classList.contains("baseline"); // stay behind the methods
  const x = parseFloat(a.dataset.value), y = parseFloat(b.dataset.value);
  if (costless(a) !== costless(b)) return costless(a) - costless(b);
  if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y); // no figure: always last
  return sign * (x - y);
}
