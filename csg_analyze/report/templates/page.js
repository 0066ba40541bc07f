for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.onclick = () => {
      const sign = head.getAttribute("aria-sort") === "descending" ? 1 : -1;
      table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const cells = [...table.tBodies[0].rows].map(row => row.cells[column]);
      const missing = cell => cell.textContent === "–";
      cells.sort((a, b) => missing(a) - missing(b) || sign * (a.dataset.v && b.dataset.v
        ? a.dataset.v - b.dataset.v
        : a.textContent.localeCompare(b.textContent, "en", {numeric: true})));
      table.tBodies[0].append(...cells.map(cell => cell.parentNode));
    };
  });
}
const longEnough = table => table.tBodies[0].rows.length >= 12;
for (const table of [...document.querySelectorAll("table.sortable")].filter(longEnough)) {
  const box = Object.assign(document.createElement("input"), {type: "search", className: "filter", placeholder: "filter rows"});
  box.setAttribute("aria-label", "Filter the rows of this table");
  box.oninput = () => {
    const words = box.value.toLowerCase().split(/\s+/);
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
    }
  };
  table.parentNode.before(box);
}

// only what scrolls is a stop of the tab key
const scrolling = () => document.querySelectorAll(".scroll, nav").forEach(box => {
  const scrolls = box.scrollWidth > box.clientWidth;
  scrolls ? box.setAttribute("tabindex", 0) : box.removeAttribute("tabindex");
});
new ResizeObserver(scrolling).observe(document.body);

const unfold = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && target.closest("details");
  if (folded) {
    folded.open = true;
    target.scrollIntoView();
  }
};
addEventListener("hashchange", unfold);
unfold();

let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach(each => { each.open = true; });
});
addEventListener("afterprint", () => folded.forEach(each => { each.open = false; }));

const large = document.querySelector("dialog");
large.onclick = () => large.close();
for (const image of document.querySelectorAll("figure img")) {
  const button = document.createElement("button");
  button.setAttribute("aria-label", "Open large: " + image.alt.slice(0, 80));
  image.before(button);
  button.append(image);
  button.onclick = () => {
    Object.assign(large.querySelector("img"), {src: image.src, alt: image.alt});
    large.showModal();
  };
}
