"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = id => document.getElementById(id);
const BATCH = 150;  // cards that are added at a time
let set, run, sprite, list, chosen = 0, visible = [], drawn = 0, selected = -1;
let marked = new Set();

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
const number = value => value === null ? "\u2013" : String(value).replace("-", "\u2212");
const file = item => set.path[item].split("/").pop();
const named = label => label === null || label < 0 ? "no label" : set.classes[label] ?? String(label);

function picture(item, side, box) {
  const canvas = element("canvas", {width: side, height: side});
  const field = Math.ceil(set.tile / 8) * 8, [top, left, height, width] = box || [0, 0, 1, 1];
  const x = item % set.columns * field, y = Math.floor(item / set.columns) * field;
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  const draw = image => pen.drawImage(image, x + left * set.tile, y + top * set.tile, width * set.tile,
    height * set.tile, 0, 0, side, side);
  sprite.then(draw, () => {});
  if (gain(item)) canvas.style.filter = `brightness(${gain(item)})`;
  return canvas;
}

const gain = item => set.gain && set.gain[item];

// The image that a tile is of, as far as its tiles are in the page, with the tile marked.
function scan(item) {
  const [image, ...box] = set.place[item], [width, height] = set.extent[image], scale = 290 / Math.max(width, height);
  const canvas = element("canvas", {id: "scan", width: Math.round(width * scale), height: Math.round(height * scale)});
  const pen = canvas.getContext("2d"), field = Math.ceil(set.tile / 8) * 8;
  const at = place => place.map(length => length * scale);
  pen.fillStyle = "#ddd";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  sprite.then(sheet => {
    set.place.forEach(([other, ...place], tile) => {
      if (other !== image) return;
      const x = tile % set.columns * field, y = Math.floor(tile / set.columns) * field;
      pen.drawImage(sheet, x, y, set.tile, set.tile, ...at(place));
    });
    pen.strokeStyle = "#d55e00";
    pen.lineWidth = 3;
    pen.strokeRect(...at(box));
  }, () => {});
  return canvas;
}

function showLists() {
  const all = element("button", {type: "button"}, `All images: ${set.images}`);
  const buttons = set.lists.filter(one => one.count).map(one => {
    const made = element("button", {type: "button"}, `${one.title}: ${one.count}`);
    made.addEventListener("click", () => open(one));
    return made;
  });
  all.addEventListener("click", () => open(null));
  at("lists").replaceChildren(...(set.lists.length ? [...buttons, all] : []));
}

function open(one) {
  list = one;
  const shown = set.lists.filter(other => other.count).indexOf(one);
  [...at("lists").children].forEach((button, i, all) =>
    button.setAttribute("aria-pressed", String(i === (one === null ? all.length - 1 : shown))));
  at("lines").replaceChildren(...(one ? one.lines : []).map(line => element("li", {}, line)));
  filter();
}

function mark(item) {
  if (!marked.delete(item)) marked.add(item);
  showMarked();
}

function showMarked() {
  at("marking").hidden = marked.size === 0;
  at("marked").textContent = `${marked.size} selected`;
  [...at("grid").children].forEach((made, i) => {
    const on = marked.has(visible[i]);
    made.classList.toggle("marked", on);
    made.querySelector(".mark").textContent = on ? "\u2611" : "\u2610";
  });
}

function choose() {
  const [i, j] = at("run").value.split(" ").map(Number);
  if (set !== data.datasets[i]) {
    set = data.datasets[i];
    document.body.style.setProperty("--picture", `${Math.max(96, set.tile)}px`);
    document.body.style.setProperty("--card", `${Math.max(92, Math.min(set.tile, 180) + 14)}px`);
    const image = new Image();
    image.src = set.sprite;
    sprite = image.decode().then(() => image);
    const classes = [element("option", {value: ""}, "all")];
    at("class").disabled = set.label === null;
    [...new Set(set.label ?? [])].sort((a, b) => a - b).forEach(
      label => classes.push(element("option", {value: String(label)}, named(label))));
    at("class").replaceChildren(...classes);
    at("group").disabled = set.group === null;
    at("group").value = "";
    at("sentence").textContent = set.sentence;
    marked = new Set();
    showLists();
    list = set.lists.find(one => one.items.length) ?? null;
  }
  run = set.runs[j];
  at("score").replaceChildren(...run.labels.map((name, i) => element("option", {value: String(i)}, name)));
  at("judged").disabled = run.correct === null || run.correct.every(value => value === null);
  if (at("judged").disabled) at("judged").value = "";
  at("keys").textContent = "Keys: arrows, Home, End move; x selects; s turns the order; "
    + (at("judged").disabled ? "" : "r right, w wrong, a all; ") + "/ search.";
  open(list);
}

function filter() {
  const turn = Number(at("order").value), label = at("class").value, judged = at("judged").value;
  const text = at("search").value.toLowerCase(), groups = at("group").value !== "";
  chosen = Number(at("score").value);
  const score = run.scores[chosen];
  visible = (list ? list.items : set.index.map((_, item) => item)).filter(item =>
    (label === "" || set.label[item] === Number(label)) &&
    (!groups || set.group[item] !== null) &&
    (judged === "" || run.correct[item] === (judged === "right")) &&
    set.path[item].toLowerCase().includes(text));
  // Without a score comes last, in either order.
  if (!list || groups) visible.sort((a, b) => (groups && set.group[a] - set.group[b]) || (score[a] === null) - (score[b] === null) || turn * (score[a] - score[b]) || a - b);
  const part = set.index.length < set.images ? ` (${set.index.length} of ${set.images} are in this page)` : "";
  const rest = list && list.items.length < list.count ? ` (${list.count} in all: the rest is in the table)` : "";
  at("count").textContent = list ? `${visible.length} images, in the order of the list${rest}`
    : `${visible.length} of ${set.index.length} images${part}, by ${run.labels[chosen]}`;
  at("explained").textContent = list ? list.sentence : run.explained[chosen];
  at("warning").textContent = !list && chosen === run.warned ? run.warning : "";
  at("grid").replaceChildren();
  drawn = 0;
  selected = -1;
  more();
  if (visible.length) select(0, false); else at("detail").replaceChildren();
}

function more(upto = drawn + BATCH) {
  const cards = [];
  for (; drawn < Math.min(upto, visible.length); drawn++) cards.push(card(drawn));
  at("grid").append(...cards);
  showMarked();
}

function card(place) {
  const item = visible[place], wrong = run.correct !== null && run.correct[item] === false;
  const made = element("button", {type: "button", className: wrong ? "card wrong" : "card", tabIndex: -1},
    picture(item, set.tile),
    element("span", {className: "name"}, set.label === null ? file(item) : named(set.label[item])),
    element("span", {className: "value"}, number(run.scores[chosen][item])));
  if (gain(item)) made.append(element("span", {className: "gain"}, `shown ${number(gain(item))} times brighter`));
  if (set.group && set.group[item] !== null && (list || at("group").value !== ""))
    made.prepend(element("span", {className: "group"}, `group ${set.group[item]}${set.keep && set.keep[item] ? ": keep" : ""}`));
  made.prepend(element("span", {className: "mark", title: "select"}, "\u2610"));
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", "false");
  made.title = set.path[item];
  made.addEventListener("click", event => {
    if (event.target.className === "mark") mark(item);
    select(place, true);
  });
  return made;
}

function select(place, focus) {
  place = Math.max(0, Math.min(visible.length - 1, place));
  if (place >= drawn) more(place + BATCH);
  const cards = at("grid").children;
  if (selected >= 0) {
    cards[selected].setAttribute("aria-selected", "false");
    cards[selected].tabIndex = -1;
  }
  selected = place;
  cards[place].setAttribute("aria-selected", "true");
  cards[place].tabIndex = 0;
  if (focus) {
    cards[place].focus({preventScroll: true});
    cards[place].scrollIntoView({block: "nearest"});
  }
  detail(visible[place]);
}

function detail(item) {
  const rows = run.labels.map((name, i) => [name, number(run.scores[i][item])]);
  if (set.group !== null && set.group[item] !== null) rows.push(["copies", `group ${set.group[item]}`]);
  if (set.label !== null) rows.unshift(["class", named(set.label[item])]);
  if (run.predicted) rows.splice(1, 0, ["predicted", named(run.predicted[item])]);
  const judged = run.correct === null ? null : run.correct[item];
  if (judged !== null) rows.splice(2, 0, ["prediction", judged ? "right" : "wrong"]);
  const table = element("table", {}, element("tbody", {}, ...rows.map(
    row => element("tr", {}, ...row.map(text => element("td", {}, text))))));
  const pictures = element("div", {className: "pictures"}, picture(item, Math.max(192, set.tile)));
  const crops = run.crops && run.crops[item];
  if (crops) ["least certain crop", "most certain crop"].forEach((name, i) => {
    if (crops[i][4] === null) return;
    const area = Math.round(100 * crops[i][2] * crops[i][3]);
    pictures.append(element("figure", {}, picture(item, 88, crops[i]), element("figcaption", {}, name,
      element("br"), `${run.labels[0]} ${number(crops[i][4])}`, element("br"), `${area} % of it`)));
  });
  const parts = [element("h2", {}, `Image ${set.index[item]}`), pictures, table];
  if (gain(item)) parts.push(element("p", {}, `A dark image, shown ${number(gain(item))} times brighter.`));
  if (set.place) parts.push(element("p", {}, "Place in its image:"), scan(item));
  const link = set.link && set.link[item];
  parts.push(element("p", {className: "path"},
    link ? element("a", {href: link, target: "_blank", rel: "noopener"}, set.path[item]) : set.path[item]));
  at("detail").replaceChildren(...parts);
}

function perRow() {
  return getComputedStyle(at("grid")).gridTemplateColumns.split(" ").length;
}

addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches("select, input")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const steps = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -perRow(), ArrowDown: perRow(),
    Home: -Infinity, End: Infinity};
  const judged = {r: "right", w: "wrong", a: ""};
  if (event.key in steps) {
    if (visible.length) select(selected + steps[event.key], true);
  } else if (event.key === "s") {
    at("order").value = String(-Number(at("order").value));
    open(null);
  } else if (event.key in judged) {
    if (!at("judged").disabled) { at("judged").value = judged[event.key]; filter(); }
  } else if (event.key === "x") {
    if (selected >= 0) mark(visible[selected]);
  } else if (event.key === "/") {
    at("search").focus();
  } else return;
  event.preventDefault();
});
addEventListener("scroll", () => {
  if (innerHeight + scrollY > document.documentElement.scrollHeight - 900) more();
}, {passive: true});
data.datasets.forEach((dataset, i) => dataset.runs.forEach((one, j) =>
  at("run").append(element("option", {value: `${i} ${j}`}, `${dataset.name}: ${one.name}`))));
at("run").addEventListener("change", choose);
at("controls").addEventListener("submit", event => event.preventDefault());
["class", "judged"].forEach(id => at(id).addEventListener("change", filter));
["order", "score", "group"].forEach(id => at(id).addEventListener("change", () => open(null)));
at("clear").addEventListener("click", () => { marked.clear(); showMarked(); });
at("save").addEventListener("click", () => {
  const text = [...marked].sort((a, b) => a - b).map(item => set.path[item] + "\n").join("");
  const url = URL.createObjectURL(new Blob([text], {type: "text/plain"}));
  element("a", {href: url, download: "selected.txt"}).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
});
at("search").addEventListener("input", filter);
choose();
