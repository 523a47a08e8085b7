"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = id => document.getElementById(id);
const BATCH = 150;  // cards that are added at a time
let set, run, sprite, chosen = 0, visible = [], drawn = 0, selected = -1;

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
  return canvas;
}

function choose() {
  const [i, j] = at("run").value.split(" ").map(Number);
  if (set !== data.datasets[i]) {
    set = data.datasets[i];
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
  }
  run = set.runs[j];
  at("score").replaceChildren(...run.labels.map((name, i) => element("option", {value: String(i)}, name)));
  at("warning").textContent = run.warning;
  at("judged").disabled = run.correct === null || run.correct.every(value => value === null);
  if (at("judged").disabled) at("judged").value = "";
  filter();
}

function filter() {
  const turn = Number(at("order").value), label = at("class").value, judged = at("judged").value;
  const text = at("search").value.toLowerCase(), groups = at("group").value !== "";
  chosen = Number(at("score").value);
  const score = run.scores[chosen];
  visible = set.index.map((_, item) => item).filter(item =>
    (label === "" || set.label[item] === Number(label)) &&
    (!groups || set.group[item] !== null) &&
    (judged === "" || run.correct[item] === (judged === "right")) &&
    set.path[item].toLowerCase().includes(text));
  // Without a score comes last, in either order.
  visible.sort((a, b) => (groups && set.group[a] - set.group[b]) || (score[a] === null) - (score[b] === null) || turn * (score[a] - score[b]) || a - b);
  const part = set.index.length < set.images ? ` (${set.index.length} of ${set.images} are in this page)` : "";
  at("count").textContent = `${visible.length} of ${set.index.length} images${part}, by ${run.labels[chosen]}`;
  at("explained").textContent = run.explained[chosen];
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
}

function card(place) {
  const item = visible[place], wrong = run.correct !== null && run.correct[item] === false;
  const made = element("button", {type: "button", className: wrong ? "card wrong" : "card", tabIndex: -1},
    picture(item, set.tile),
    element("span", {className: "name"}, set.label === null ? file(item) : named(set.label[item])),
    element("span", {className: "value"}, number(run.scores[chosen][item])));
  if (at("group").value !== "") made.prepend(element("span", {className: "group"}, `group ${set.group[item]}`));
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", "false");
  made.title = set.path[item];
  made.addEventListener("click", () => select(place, true));
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
  if (set.group !== null && set.group[item] !== null) rows.push(["near-duplicates", `group ${set.group[item]}`]);
  if (set.label !== null) rows.unshift(["class", named(set.label[item])]);
  if (run.predicted) rows.splice(1, 0, ["predicted", named(run.predicted[item])]);
  const judged = run.correct === null ? null : run.correct[item];
  if (judged !== null) rows.splice(2, 0, ["prediction", judged ? "right" : "wrong"]);
  const table = element("table", {}, element("tbody", {}, ...rows.map(
    row => element("tr", {}, ...row.map(text => element("td", {}, text))))));
  const pictures = element("div", {className: "pictures"}, picture(item, 192));
  const crops = run.crops && run.crops[item];
  if (crops) ["least certain crop", "most certain crop"].forEach((name, i) => {
    if (crops[i][4] === null) return;
    const area = Math.round(100 * crops[i][2] * crops[i][3]);
    pictures.append(element("figure", {}, picture(item, 88, crops[i]), element("figcaption", {}, name,
      element("br"), `${run.labels[0]} ${number(crops[i][4])}`, element("br"), `${area} % of it`)));
  });
  const parts = [element("h2", {}, `Image ${set.index[item]}`), pictures, table];
  parts.push(element("p", {className: "path"}, set.path[item]));
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
    filter();
  } else if (event.key in judged) {
    if (!at("judged").disabled) { at("judged").value = judged[event.key]; filter(); }
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
["order", "class", "judged", "score", "group"].forEach(id => at(id).addEventListener("change", filter));
at("search").addEventListener("input", filter);
choose();
