"use strict";
// without this the page shows everything; with it tables sort by their heads, and long ones filter
const LONG = 12;
for (const table of document.querySelectorAll("table[data-list]")) {
  const body = table.tBodies[0];
  const value = (row, at) => row.cells[at].dataset.v;
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") !== "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const isNumber = head.classList.contains("n");
      const compare = (a, b) => {
        const [x, y] = [value(a, at), value(b, at)];
        // what has no value stands last either way
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = isNumber ? x - y : x.localeCompare(y);
        return falling ? -order : order;
      };
      body.append(...[...body.rows].sort(compare));
    });
  });
  if (body.rows.length > LONG) {
    const filter = document.createElement("input");
    filter.className = "filter";
    filter.type = "search";
    filter.placeholder = "filter rows";
    filter.setAttribute("aria-label", "filter rows of " + table.dataset.list);
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase();
      for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(words);
    });
    table.closest("figure").prepend(filter);
  }
}
