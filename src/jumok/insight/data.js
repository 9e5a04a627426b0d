// Weights of the page: unpacked when asked for, joined to words, without sinks. The laws are those of maps.py.

const unpacked = new Map(); // base64 -> promise of heads, the last asked for last
const MOST = 16e6; // weights kept unpacked; a layer of a long text is millions
let holding = 0;

function kept(text, heads, rows, keys) {
  const found = unpacked.get(text) ?? { maps: unpack(text, heads, rows, keys), size: heads * rows * keys };
  holding += unpacked.delete(text) ? 0 : found.size;
  unpacked.set(text, found);
  for (const [oldest, { size }] of unpacked) {
    if (holding <= MOST || oldest === text) break;
    unpacked.delete(oldest);
    holding -= size;
  }
  return found.maps;
}

function sizeOf(sentence, kind) {
  return [kind.rows, kind.keys].map((side) => sentence.sides[side].pieces.length);
}

function layerMaps(sentence, kind, layer) {
  const [text, heads] = layer < 0 ? [kind.average, 1] : [kind.layers[layer].data, kind.layers[layer].heads];
  return kept(text, heads, ...sizeOf(sentence, kind));
}

// Small maps to choose by: the heads of a layer, or for the average the layers. Of a long text they were made before.
async function smallMaps(sentence, kind, layer) {
  const whole = layer < 0;
  const small = (whole ? kind : kind.layers[layer]).thumbs;
  const [rows, keys] = sizeOf(sentence, kind).map((size) => (small ? Math.min(size, 64) : size));
  if (small) return { maps: await unpack(small, whole ? kind.layers.length : kind.layers[layer].heads, rows, keys), rows, keys };
  const maps = whole ? (await Promise.all(kind.layers.map((_, at) => layerMaps(sentence, kind, at)))).map(mean) : await layerMaps(sentence, kind, layer);
  return { maps, rows, keys };
}

const SPACE = /^[▁Ġ ]/;

// One side of a map as tokens to draw: pieces or words, without the hidden ones. `of[piece]` is its token, or -1.
function tokens(side, words, hidden) {
  const list = [];
  const of = side.pieces.map(() => -1);
  let last = null;
  side.pieces.forEach((piece, at) => {
    if (hidden.has(at)) return;
    const word = words ? side.words[at] : at;
    if (word !== last) {
      const text = words ? side.labels[side.words[at]] : piece;
      list.push({ text, special: !!side.special[at], space: SPACE.test(piece) || !!side.special[at], count: 0 });
      last = word;
    }
    list[list.length - 1].count++;
    of[at] = list.length - 1;
  });
  return { list, of };
}

// Hidden keys dropped and rows stretched to sum to 1; then the sum over a word's keys, the mean over its rows.
function reduce(map, rowSide, keySide, words, hidden) {
  const rows = tokens(rowSide, words, new Set());
  const keys = tokens(keySide, words, hidden);
  const width = keySide.pieces.length;
  const out = new Float32Array(rows.list.length * keys.list.length);
  rows.of.forEach((row, i) => {
    let total = 1;
    if (hidden.size) {
      total = 0;
      for (let j = 0; j < width; j++) if (keys.of[j] >= 0) total += map[i * width + j];
    }
    if (total <= 0) return;
    const scale = 1 / (total * rows.list[row].count);
    for (let j = 0; j < width; j++) {
      if (keys.of[j] >= 0) out[row * keys.list.length + keys.of[j]] += map[i * width + j] * scale;
    }
  });
  let most = 0;
  for (const weight of out) most = Math.max(most, weight);
  return { rows: rows.list, keys: keys.list, weights: out, most };
}

// What a row looked at, most first; and over how many keys it is spread: 2 to the entropy.
function lookedAt(picture, row) {
  const width = picture.keys.length;
  const own = picture.weights.subarray(row * width, (row + 1) * width);
  const order = [...own.keys()].sort((a, b) => own[b] - own[a]);
  let bits = 0;
  for (const weight of own) if (weight > 0) bits -= weight * Math.log2(weight);
  return { weights: own, order, spread: 2 ** bits };
}

function wroteFrom(picture, key) {
  return Float32Array.from(picture.rows, (_, row) => picture.weights[row * picture.keys.length + key]);
}
