// Values of a pair of sentences unpacked and joined to words, said in figures, and drawn: matrix, lines, strips.

// ---- values

// base64 of deflate of: one float32 scale, then int16 values (see pair_viewer.pack_signed)
async function unpackSigned(text, size) {
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const view = new DataView(await new Response(stream).arrayBuffer());
  return Float32Array.from({ length: size }, (_, i) => (view.getInt16(4 + 2 * i, true) * view.getFloat32(0, true)) / 32767);
}

// pieces joined on both sides, by the sum or by the mean: the laws of pair_viewer.py
function join(values, rows, keys, whole) {
  const out = new Float32Array(rows.list.length * keys.list.length);
  rows.of.forEach((row, i) =>
    keys.of.forEach((key, j) => {
      const part = whole ? 1 : 1 / (rows.list[row].count * keys.list[key].count);
      out[row * keys.list.length + key] += values[i * keys.of.length + j] * part;
    }),
  );
  return out;
}

const sum = (values) => values.reduce((a, b) => a + b, 0);
const largest = (values) => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
const rowOf = ({ values, keys }, row) => values.subarray(row * keys.length, (row + 1) * keys.length);
const columnOf = ({ values, keys, rows }, key) => Float32Array.from(rows, (_, row) => values[row * keys.length + key]);

// the mean of all layers, a layer's mean, or one head: of each sentence
async function selfMaps({ layers, sides }) {
  const chosen = state.layer < 0 ? layers : [layers[state.layer]];
  return Promise.all(
    sides.map(async (side, at) => {
      const size = side.pieces.length;
      const maps = await Promise.all(chosen.map((layer) => unpack(layer.data[at], layer.heads, size, size)));
      return reduce(state.head < 0 ? mean(maps.map(mean)) : maps[0][state.head], side, side, state.words, new Set());
    }),
  );
}

async function gather(given) {
  const { sides, cosines, contributions, layers } = given;
  const size = sides[0].pieces.length * sides[1].pieces.length;
  const adds = state.adds && contributions !== null;
  const [rows, keys] = sides.map((side) => tokens(side, state.words, new Set()));
  const alike = join(await unpackSigned(cosines, size), rows, keys, false);
  const values = adds ? join(await unpackSigned(contributions, size), rows, keys, true) : alike;
  const made = { rows: rows.list, keys: keys.list, values, most: largest(values), cosines: alike, adds };
  // a word's share is its sum; where cosines are shown, that with its nearest word
  const share = adds ? sum : (own) => Math.max(...own);
  made.shares = [rows.list.map((_, at) => share(rowOf(made, at))), keys.list.map((_, at) => share(columnOf(made, at)))];
  made.mostShare = Math.max(...made.shares.map(largest));
  made.nodes = [[], []];
  made.self = layers.length ? await selfMaps(given) : [];
  return made;
}

// ---- figures and sentences

// two digits, or three where `most` is small
function figure(value, most = shown.most) {
  const text = Math.abs(value).toFixed(most >= 0.05 ? 2 : 3);
  return (value < 0 && Number(text) ? "−" : "") + text;
}

const plain = (token) => token.text.replace(SPACE, "") || token.text;
function bold(token) {
  const made = element("b", "", plain(token));
  made.dir = "auto";
  return made;
}

function chips(list) {
  const made = element("span");
  list.forEach(([content, value], at) => made.append(at ? ", " : "", ...content, ` ${value}`));
  return made;
}

const strongest = (values, count, size = Math.abs) => [...values.keys()].sort((a, b) => size(values[b]) - size(values[a])).slice(0, count);

function tell(row, key) {
  const { rows, keys, values, cosines, adds, shares } = shown;
  const at = row * keys.length + key;
  if (row >= 0 && key >= 0) return words.cell(bold(rows[row]), bold(keys[key]), adds && figure(Math.abs(values[at]), Math.abs(values[at])), values[at] < 0, figure(cosines[at], 1));
  if (row < 0 && key < 0) {
    const best = strongest(values, 3, (value) => value).map((place) => {
      const [first, second] = [rows[Math.floor(place / keys.length)], keys[place % keys.length]];
      return [[bold(first), " · ", bold(second)], figure(values[place])];
    });
    return words.invite[adds ? "adds" : "cosine"](chips(best));
  }
  const side = row >= 0 ? 0 : 1;
  const [own, others, word] = side ? [columnOf(shown, key), rows, keys[key]] : [rowOf(shown, row), keys, rows[row]];
  const share = shares[side][side ? key : row];
  const list = chips(strongest(own, 4, adds ? Math.abs : (value) => value).map((place) => [[bold(others[place])], figure(own[place], Math.abs(share))]));
  return adds ? words.share(bold(word), figure(Math.abs(share), Math.abs(share)), share < 0, list) : words.near(bold(word), list);
}

function tellLook(side, at) {
  if (at < 0) return [words.lookInvite];
  const picture = shown.self[side];
  const { weights, order } = lookedAt(picture, at);
  const list = order.slice(0, 4).filter((key) => weights[key] >= 0.005).map((key) => [[bold(picture.keys[key])], percent(weights[key])]);
  return words.look(bold(picture.rows[at]), chips(list));
}

// ---- pictures

const part = (id, name) => $(id).querySelector(name);
const BOARDS = { matrix: 46, "self-0": 36, "self-1": 36 }; // each matrix and its widest cell

function makeBoard(id) {
  const plane = element("div", "plane");
  const marks = ["mesh", "band row", "band column", "spot"].map((name) => element("i", name));
  plane.append(element("canvas"), element("div", "figures"), ...marks);
  $(id).replaceChildren(element("div", "corner"), element("div", "columns"), element("div", "rows"), plane);
  for (const child of $(id).children) child.setAttribute("aria-hidden", "true");
}

function word(token, axis, at, made, ...more) {
  made.append(label(token), ...more);
  made.dataset[axis] = at;
  return made;
}

// `colours` are least first, from `least` to `most`
function drawBoard(id, axes, rows, keys, values, colours, least, most) {
  const kind = (text) => ([...text].length < 2 ? "flat" : CJK.test(text) ? "upright" : "");
  part(id, ".rows").replaceChildren(...rows.map((token, at) => word(token, axes[0], at, element("div"))));
  part(id, ".columns").replaceChildren(...keys.map((token, at) => word(token, axes[1], at, element("div", kind(token.text.replace(/^▁/, ""))))));
  part(id, ".plane").style.setProperty("--rows", rows.length);
  part(id, ".plane").style.setProperty("--keys", keys.length);
  palette = colours;
  paint(part(id, "canvas"), values.map((value) => value - least), rows.length, keys.length, most - least);
}

function sizeBoards(paper = false) {
  for (const [id, widest] of Object.entries(BOARDS)) {
    const room = paper ? 520 : $(id).clientWidth - part(id, ".rows").offsetWidth - 2;
    const wanted = Math.floor(room / part(id, ".columns").children.length);
    const cell = Math.max(paper ? 3 : 12, Math.min(paper ? 22 : widest, wanted));
    $(id).style.setProperty("--cell", `${cell}px`);
    $(id).classList.toggle("fine", cell < 15);
    $(id).classList.toggle("small", cell < 34); // no room for figures
  }
}

// relative luminance as WCAG 2 has it; below 0.179 white is read better than black, above it black
function luminance(color) {
  const [red, green, blue] = color.map((value) => (value <= 10 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function drawPictures() {
  const { rows, keys, values, self } = shown;
  const most = shown.most || 1;
  drawBoard("matrix", AXES, rows, keys, values, signed, -most, most);
  const figures = values.length > 900 ? [] : [...values].map((value) => {
    const text = figure(value);
    const deep = luminance(signed[Math.round((255 * (value + most)) / (2 * most))]) < 0.179;
    return element("span", deep ? "deep" : "", Number(text.replace("−", "")) ? text : "");
  });
  part("matrix", ".figures").replaceChildren(...figures);
  self.forEach((picture, side) => {
    drawBoard(`self-${side}`, [AXES[side], AXES[side]], picture.rows, picture.keys, picture.weights, heat, 0, picture.most);
    $(`self-most-${side}`).textContent = percent(picture.most);
  });
  [rows, keys].forEach((list, side) => {
    const items = list.map((token, at) => word(token, AXES[side], at, element("li"), element("small")));
    const strip = list.map((token, at) => {
      const made = label(token);
      made.removeAttribute("dir"); // the sentence as a whole has a direction
      made.dataset[AXES[side]] = at;
      if (!token.space) made.classList.add("joined");
      return made;
    });
    $(`strip-${side}`).replaceChildren(...strip.flatMap((made, at) => (list[at].space ? [" ", made] : [made])));
    $(side ? "right" : "left").replaceChildren(...items);
    shown.nodes[side] = items.map((item, at) => ({ shaded: [item.firstChild, strip[at]], small: item.lastChild }));
  });
  const height = ROW * Math.max(rows.length, keys.length);
  $("threads").setAttribute("viewBox", `0 0 100 ${height}`);
  $("threads").style.height = `${height}px`;
  // many cosines are large: only a word's nearest two are lines
  const each = !shown.adds ? 2 : values.length > 600 ? 3 : 8;
  const lines = rows.flatMap((_, row) => strongest(rowOf(shown, row), each).map((key) => line(row, key, 0.06)));
  $("base").replaceChildren(...lines.filter(Boolean));
}

function line(row, key, least, clear = 0.05) {
  const value = shown.values[row * shown.keys.length + key];
  const size = Math.abs(value) / (shown.most || 1);
  if (size < least) return null;
  const path = thread(key, row, size); // the first sentence is on the left
  Object.assign(path.style, { strokeWidth: (1 + 4 * size).toFixed(2), opacity: Math.max(clear, size).toFixed(3) });
  path.classList.toggle("minus", value < 0);
  return path;
}

function light(row, key) {
  const { rows, keys, shares, mostShare, most, nodes, self } = shown;
  for (const node of document.querySelectorAll("main .on")) node.classList.remove("on");
  [row, key].forEach((at, side) => {
    for (const node of document.querySelectorAll(`main [data-${AXES[side]}="${at}"]`)) node.classList.add("on");
    // what each word does with the word pointed at on the other side, else its own share
    const across = side ? row >= 0 && rowOf(shown, row) : key >= 0 && columnOf(shown, key);
    const [own, whole] = across ? [across, most] : [shares[side], mostShare];
    nodes[side].forEach(({ shaded, small }, place) => {
      for (const node of shaded) {
        node.classList.add("shade");
        node.classList.toggle("minus", own[place] < 0);
        node.style.setProperty("--w", (Math.abs(own[place]) / (whole || 1)).toFixed(3));
      }
      small.textContent = figure(own[place]);
    });
  });
  mark("matrix", row, key);
  self.forEach((_, side) => mark(`self-${side}`, [row, key][side], -1));
  const places = rows.flatMap((_, r) => keys.map((_, k) => [r, k])).filter(([r, k]) => (row < 0 || r === row) && (key < 0 || k === key));
  const some = row >= 0 || key >= 0;
  $("lit").replaceChildren(...(some ? places.map(([r, k]) => line(r, k, 0.01, 0.35)).filter(Boolean) : []));
  $("threads").classList.toggle("quiet", some);
}

function mark(id, row, key) {
  const [top, left] = [row, key].map((at) => `calc(var(--cell) * ${at})`);
  const put = (name, seen, style) => Object.assign(part(id, name), { hidden: !seen }) && Object.assign(part(id, name).style, style);
  put(".band.row", row >= 0, { top });
  put(".band.column", key >= 0, { left });
  put(".spot", row >= 0 && key >= 0, { top, left });
}

