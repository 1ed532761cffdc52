// Sorting by a column's head; the page is complete without it.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      // A column's first click brings its best to the top; names go up.
      const first = column > 0 && head.dataset.better !== "low" ? "descending" : "ascending";
      const other = first === "descending" ? "ascending" : "descending";
      const order = before === first ? other : first;
      heads.forEach((cell) => cell.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      for (const body of table.tBodies) {
        const rows = [...body.rows].filter((row) => !row.classList.contains("divider"));
        rows.sort((a, b) => compare(a.cells[column], b.cells[column], order === "descending" ? -1 : 1));
        body.append(...rows);
      }
    });
  });
}

function compare(a, b, sign) {
  if (a.tagName === "TH") return sign * a.textContent.localeCompare(b.textContent);
  const x = parseFloat(a.dataset.value), y = parseFloat(b.dataset.value);
  if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y); // no figure: always last
  return sign * (x - y);
}
