// The three pictures of one map: the text itself, the matrix, the lines. They share what is pointed at: (row, key).

const CJK = /^[\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7af]+$/;

function label(token, tag = "span") {
  const made = element(tag, token.special ? "special" : "");
  made.dir = "auto";
  if (token.text.startsWith("▁")) made.append(element("s", "", "▁"), token.text.slice(1));
  else made.textContent = token.text;
  made.title = token.text;
  return made;
}

// 256 colours through the stops --heat-0 .. --heat-3 of the style
function mixPalette() {
  const style = getComputedStyle(document.documentElement);
  const stops = [0, 1, 2, 3].map((i) => {
    const hex = style.getPropertyValue(`--heat-${i}`).trim();
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  });
  palette = Array.from({ length: 256 }, (_, i) => {
    const at = Math.min((i / 255) * 3, 2.9999);
    const [a, b, part] = [stops[Math.floor(at)], stops[Math.floor(at) + 1], at % 1];
    return a.map((value, channel) => Math.round(value + (b[channel] - value) * part));
  });
}

function drawStrips(picture) {
  for (const [id, list, axis] of [["strip-keys", picture.keys, "key"], ["strip-rows", picture.rows, "row"]]) {
    const words = list.map((token, at) => {
      const made = label(token);
      made.dataset[axis] = at;
      if (!token.space) made.classList.add("joined");
      return made;
    });
    $(id).replaceChildren(...words.flatMap((word) => (word.classList.contains("joined") ? [word] : [" ", word])));
  }
}

function drawMatrix(picture, paper = false) {
  const { rows, keys } = picture;
  $("columns").replaceChildren(
    ...keys.map((token, at) => {
      const bare = token.text.replace(/^▁/, "");
      const made = element("div", [...bare].length < 2 ? "flat" : CJK.test(bare) ? "upright" : "");
      made.append(label(token));
      made.dataset.key = at;
      return made;
    }),
  );
  $("rows").replaceChildren(
    ...rows.map((token, at) => {
      const made = element("div");
      made.append(label(token));
      made.dataset.row = at;
      return made;
    }),
  );
  Object.assign($("plane").dataset, { rows: rows.length, keys: keys.length });
  $("plane").style.setProperty("--rows", rows.length);
  $("plane").style.setProperty("--keys", keys.length);
  paint($("canvas"), picture.weights, rows.length, keys.length, picture.most);
  sizeMatrix(picture, paper);
}

function sizeMatrix(picture, paper = false) {
  const box = $("matrix");
  const room = paper ? 520 : box.clientWidth - $("rows").offsetWidth - 2;
  const [least, most] = paper ? [3, 22] : [12, 44];
  const cell = Math.max(least, Math.min(most, Math.floor(room / picture.keys.length)));
  box.style.setProperty("--cell", `${cell}px`);
  box.classList.toggle("fine", cell < 15);
}

const ROW = 28; // height of a word in the lines, as in the style

function thread(row, key, weight) {
  const path = $("thread").cloneNode(); // from the page itself, so that no namespace has to be spelled
  path.removeAttribute("id");
  const [from, to] = [(key + 0.5) * ROW, (row + 0.5) * ROW];
  path.setAttribute("d", `M0 ${from}C45 ${from} 55 ${to} 100 ${to}`);
  path.style.opacity = Math.max(0.05, weight).toFixed(3);
  path.style.strokeWidth = (1 + 3 * weight).toFixed(2);
  return path;
}

function drawLines(picture) {
  const fill = (id, list, axis) =>
    $(id).replaceChildren(
      ...list.map((token, at) => {
        const item = element("li");
        item.append(label(token));
        item.dataset[axis] = at;
        return item;
      }),
    );
  fill("left", picture.keys, "key");
  fill("right", picture.rows, "row");
  const height = ROW * Math.max(picture.rows.length, picture.keys.length);
  $("threads").setAttribute("viewBox", `0 0 100 ${height}`);
  $("threads").style.height = `${height}px`;
  const each = picture.weights.length > 4000 ? 3 : 12; // long texts: the strongest few of each row
  const paths = picture.rows.flatMap((_, row) => {
    const { weights, order } = lookedAt(picture, row);
    return order.slice(0, each).filter((key) => weights[key] >= 0.03).map((key) => thread(row, key, weights[key]));
  });
  $("base").replaceChildren(...paths);
}

// scroll a long text inside its box until a word is seen
function reveal(id, at) {
  const [box, word] = [$(id), $(id).children[at]];
  const line = parseFloat(getComputedStyle(box).lineHeight);
  const above = word.offsetTop - box.scrollTop;
  if (above < 0 || above > box.clientHeight - line / 2) box.scrollTop = Math.floor(word.offsetTop / line) * line;
}

// Light what is pointed at in all three pictures; row or key may be -1.
let lit = [];
function light(picture, row, key) {
  for (const node of lit) {
    node.classList.remove("on", "warm", "strong");
    node.style.removeProperty("--w");
  }
  lit = [];
  const mark = (node, name, weight) => {
    node.classList.add(name);
    if (weight !== undefined) {
      node.style.setProperty("--w", Math.min(1, weight).toFixed(3));
      node.classList.toggle("strong", weight > 0.55);
    }
    lit.push(node);
  };
  const nodes = (ids, at) => ids.map((id) => $(id).children[at]);
  if (row >= 0) nodes(["strip-rows", "rows", "right"], row).forEach((node) => mark(node, "on"));
  if (key >= 0) nodes(row >= 0 ? ["columns"] : ["strip-keys", "columns", "left"], key).forEach((node) => mark(node, "on"));
  const threads = [];
  if (row >= 0) {
    const { weights, order } = lookedAt(picture, row);
    reveal("strip-rows", row);
    reveal("strip-keys", order[0]);
    weights.forEach((weight, at) => {
      if (weight < 0.005) return;
      nodes(["strip-keys", "left"], at).forEach((node) => mark(node, "warm", weight));
      threads.push(thread(row, at, weight));
    });
  } else if (key >= 0) {
    wroteFrom(picture, key).forEach((weight, at) => {
      if (weight < 0.005) return;
      nodes(["strip-rows", "right"], at).forEach((node) => mark(node, "warm", weight));
      threads.push(thread(at, key, weight));
    });
  }
  $("lit").replaceChildren(...threads);
  $("threads").classList.toggle("quiet", threads.length > 0);
  const place = (id, shown, style) => {
    $(id).hidden = !shown;
    Object.assign($(id).style, style);
  };
  place("row-band", row >= 0, { top: `calc(var(--cell) * ${row})` });
  place("column-band", key >= 0, { left: `calc(var(--cell) * ${key})` });
  place("spot", row >= 0 && key >= 0, { top: `calc(var(--cell) * ${row})`, left: `calc(var(--cell) * ${key})` });
}
