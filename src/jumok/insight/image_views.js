// Rows of weights of a page with a photo, the pictures of one row, over the photo and as a small map, and its places.

const [rows, columns] = book.grid;
const patches = rows * columns;
const tokens = Math.max(book.prefix, 1);
const opened = new Map(); // base64 -> promise of rows; each is unpacked once

function rowsOf(text, count, keys) {
  if (!opened.has(text)) opened.set(text, unpack(text, count, 1, keys));
  return opened.get(text);
}

// What a query of a layer gave to all keys, a row a head. Query: a token of the prefix, then the patches.
async function looked(layer, query) {
  const { tokens: own, patches: theirs } = book.layers[layer];
  const [text, each, at] = query < tokens ? [own, tokens, query] : [theirs, patches, query - tokens];
  const rows = await rowsOf(text, book.heads * each, book.prefix + patches);
  return Array.from({ length: book.heads }, (_, head) => rows[head * each + at]);
}

const rolledOut = () => rowsOf(book.rollout, book.layers.length, patches);

const onPatches = (row) => row.subarray(row.length - patches);

function sum(row) {
  let total = 0;
  for (const weight of row) total += weight;
  return total;
}

const largest = (row) => row.reduce((most, weight) => Math.max(most, weight), 0);

// how many patches, most looked at first, share half of the weight
function halfOn(row) {
  const sorted = Float32Array.from(row).sort().reverse();
  const half = sum(sorted) / 2;
  let [count, total] = [0, 0];
  while (count < sorted.length && total < half) total += sorted[count++];
  return count;
}

// patch before a pixel, and the share of the next: bilinear between centres, flat beyond the outer ones
function between(pixels, count, smooth) {
  return Array.from({ length: pixels }, (_, pixel) => {
    const at = ((pixel + 0.5) * count) / pixels - 0.5;
    if (!smooth) return [Math.round(at), 0];
    const inside = Math.max(0, Math.min(count - 1, at));
    const first = Math.min(Math.floor(inside), count - 1);
    return [first, first + 1 < count ? inside - first : 0];
  });
}

// the photo under its veil of heat, as image_figures.overlay draws it
function drawSight(canvas, photo, row, strength, smooth, side = 640) {
  const [height, width] = book.size;
  const scale = side / Math.max(width, height);
  [canvas.width, canvas.height] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = scale < 4; // a tiny photo is shown pixel by pixel
  context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  const most = largest(row) || 1;
  const [down, across] = [between(canvas.height, rows, smooth), between(canvas.width, columns, smooth)];
  let at = 0;
  for (const [top, low] of down) {
    for (const [left, right] of across) {
      const corner = top * columns + left;
      let weight = row[corner] * (1 - low) * (1 - right);
      if (right) weight += row[corner + 1] * (1 - low) * right;
      if (low) weight += row[corner + columns] * low * (1 - right);
      if (low && right) weight += row[corner + columns + 1] * low * right;
      const share = Math.min(1, weight / most);
      const veil = strength * (book.veil[0] + (book.veil[1] - book.veil[0]) * share);
      const color = palette[Math.round(255 * share)];
      for (let channel = 0; channel < 3; channel++) {
        image.data[at + channel] = image.data[at + channel] * (1 - veil) + color[channel] * veil;
      }
      at += 4;
    }
  }
  context.putImageData(image, 0, 0);
}

function smallMap(row) {
  const canvas = element("canvas");
  paint(canvas, row, rows, columns, largest(row));
  return canvas;
}

// a small map of a layer and head that can be chosen
function cell(map, layer, head, name) {
  const button = element("button");
  button.type = "button";
  button.setAttribute("role", "radio");
  button.setAttribute("aria-label", name);
  button.title = name;
  Object.assign(button.dataset, { layer, head });
  button.append(smallMap(map));
  return button;
}

// which of the buttons in a group is the chosen one
function check(group, chosen) {
  for (const button of group.querySelectorAll("button")) {
    const on = chosen(button);
    button.setAttribute("aria-checked", on);
    button.tabIndex = on ? 0 : -1;
  }
}

// row and column of a patch, from 1
const place = (patch) => [Math.floor(patch / columns) + 1, (patch % columns) + 1];

// a frame around a patch of the photo; none below 0
function mark(id, patch) {
  $(id).hidden = patch < 0;
  const [top, left] = place(Math.max(patch, 0)).map((number) => number - 1);
  Object.assign($(id).style, { top: `${(100 * top) / rows}%`, left: `${(100 * left) / columns}%` });
}

// the patch under the pointer
function under(event) {
  const box = $("photo").getBoundingClientRect();
  const at = (pixel, size, count) => Math.max(0, Math.min(count - 1, Math.floor((pixel / size) * count)));
  return at(event.clientY - box.top, box.height, rows) * columns + at(event.clientX - box.left, box.width, columns);
}

// how the heat lies over the photo, as parts of the address
function linkSight(parts) {
  if (state.strength < 1) parts.heat = Math.round(100 * state.strength);
  if (!state.smooth) parts.edges = "sharp";
}

function readSight(address) {
  const strength = address.has("heat") ? (address.number(address.take("heat"), 100, 0) + 1) / 100 : 1;
  return { strength, smooth: !address.says("edges", "sharp") };
}

function setUp() {
  palette = book.colors.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  $("photo").style.setProperty("--rows", rows);
  $("photo").style.setProperty("--columns", columns);
  $("photo").style.setProperty("--aspect", book.size[1] / book.size[0]);
  paint($("ramp"), Float32Array.from(palette, (_, step) => step), 1, palette.length, palette.length - 1);
}
