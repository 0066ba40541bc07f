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
    large.className = image.closest("figure").className;
    large.showModal();
  };
}

// heat maps: the cell under the pointer, or that of the arrow keys, is named below the figure
for (const source of document.querySelectorAll("script.cells")) {
  const panels = JSON.parse(source.textContent), button = source.parentNode.querySelector("button");
  const said = document.createElement("output"), mark = document.createElement("span");
  const hint = "Point at a cell for its value, or use the arrow keys.";
  said.textContent = hint;
  said.id = source.parentNode.id + "-value";
  mark.className = "mark";
  mark.hidden = true;
  button.append(mark);
  button.setAttribute("aria-describedby", said.id);
  button.after(said);
  let at = null;
  const show = (panel, row, column) => {
    at = [panel, row, column];
    const {box: [left, top, width, height], rows, columns, values, decimals, title} = panels[panel];
    const value = values[row][column];
    const wide = width / columns.length, tall = height / rows.length;
    Object.assign(mark.style, {
      left: `${100 * (left + column * wide)}%`, top: `${100 * (top + row * tall)}%`,
      width: `${100 * wide}%`, height: `${100 * tall}%`,
    });
    mark.hidden = false;
    const number = value === null ? "no value" : (value / 10 ** decimals).toFixed(decimals);
    said.textContent = `${title ? title + ": " : ""}${rows[row]}, ${columns[column]}: ${number}`;
  };
  button.addEventListener("pointermove", event => {
    const image = button.querySelector("img").getBoundingClientRect();
    const x = (event.clientX - image.left) / image.width, y = (event.clientY - image.top) / image.height;
    panels.forEach(({box: [left, top, width, height], rows, columns}, panel) => {
      const across = (x - left) / width, down = (y - top) / height;
      if (across >= 0 && across < 1 && down >= 0 && down < 1) {
        show(panel, Math.floor(down * rows.length), Math.floor(across * columns.length));
      }
    });
  });
  button.addEventListener("keydown", event => {
    const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
    if (!step) return;
    event.preventDefault();
    if (!at) return show(0, 0, 0);
    let [panel, row, column] = [at[0], at[1] + step[0], at[2] + step[1]];
    if (column < 0 || column >= panels[panel].columns.length) { // on to the panel beside
      panel = (panel + step[1] + panels.length) % panels.length;
      column = step[1] > 0 ? 0 : panels[panel].columns.length - 1;
    }
    show(panel, Math.max(0, Math.min(row, panels[panel].rows.length - 1)), column);
  });
}
