document.documentElement.classList.add("js");
const list = document.getElementById("list");
const buttons = [...document.querySelectorAll("button[data-key]")];
for (const button of buttons) {
  button.onclick = () => {
    const again = button.getAttribute("aria-pressed") === "true";
    const ascending = again ? button.dataset.now !== "ascending" : button.dataset.first === "ascending";
    buttons.forEach(other => other.setAttribute("aria-pressed", other === button));
    button.dataset.now = ascending ? "ascending" : "descending";
    const key = button.dataset.key, sign = ascending ? 1 : -1;
    const missing = item => !(key in item.dataset);
    list.append(...[...list.children].sort(
      (a, b) => missing(a) - missing(b) || (missing(a) ? 0 : sign * (a.dataset[key] - b.dataset[key]))));
  };
}
