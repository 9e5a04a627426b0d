// One model's pictures of one map: the text itself, the matrix, the lines. They share what is pointed at: (row, key);
// either may be -1. The first pane has the ids of the page, the second the same with "-2".

const LIT = 60; // threads lit at once, the strongest
const FAINT = 0.005; // weights below stay dark

class Pane {
  constructor(number) {
    this.number = number;
    this.suffix = number ? "-2" : "";
    this.layer = this.head = -1;
    this.picture = null;
    this.now = [-1, -1];
    this.marked = [];
    if (number) this.copyFirst();
  }

  id(name) {
    return name + this.suffix;
  }

  $(name) {
    return $(name + this.suffix);
  }

  copyFirst() {
    const copy = $("pane").cloneNode(true);
    for (const node of [copy, ...copy.querySelectorAll("[id]")]) node.id += this.suffix;
    for (const node of copy.querySelectorAll("[aria-labelledby]")) node.setAttribute("aria-labelledby", node.getAttribute("aria-labelledby") + this.suffix);
    $("panes").append(copy);
  }

  get sentence() {
    return book.models[this.number][state.sentence];
  }

  get kind() {
    return this.sentence.kinds.find((each) => each.kind === state.kind);
  }

  side(axis) {
    return this.sentence.sides[this.kind[axis]];
  }

  // rows and keys as drawn, and which of them a piece belongs to
  tokens() {
    const hidden = new Set(state.hide ? this.kind.sinks : []);
    return { hidden, rows: tokens(this.side("rows"), state.words, new Set()), keys: tokens(this.side("keys"), state.words, hidden) };
  }

  async gather() {
    if (!this.kind) return null;
    const maps = await layerMaps(this.sentence, this.kind, this.layer);
    const map = this.head < 0 ? mean(maps) : maps[this.head];
    const { hidden, rows, keys } = this.tokens();
    const made = reduce(map, this.side("rows"), this.side("keys"), state.words, hidden);
    return Object.assign(made, { rowOf: rows.of, keyOf: keys.of });
  }

  draw(picture) {
    this.picture = picture;
    this.marked = [];
    this.$("body").hidden = !picture;
    if (!picture) return;
    this.drawStrips();
    this.$("views").classList.toggle("stacked", picture.keys.length > 34);
    this.drawMatrix();
    this.drawLines();
    this.$("most").textContent = percent(picture.most);
  }

  drawStrips() {
    for (const [name, list, axis] of [["strip-keys", this.picture.keys, "key"], ["strip-rows", this.picture.rows, "row"]]) {
      const made = list.map((token, at) => {
        const word = label(token);
        if (token.special) word.dir = "ltr";
        else word.removeAttribute("dir"); // the sentence as a whole has a direction
        word.dataset[axis] = at;
        if (!token.space) word.classList.add("joined");
        return word;
      });
      this.$(name).replaceChildren(...made.flatMap((word) => (word.classList.contains("joined") ? [word] : [" ", word])));
    }
  }

  drawMatrix(paper = false) {
    const { rows, keys, weights, most } = this.picture;
    const named = (token, axis, at, name) => {
      const made = element("div", name);
      made.append(label(token));
      made.dataset[axis] = at;
      return made;
    };
    const shape = (bare) => ([...bare].length < 2 ? "flat" : CJK.test(bare) ? "upright" : "");
    this.$("columns").replaceChildren(...keys.map((token, at) => named(token, "key", at, shape(token.text.replace(/^▁/, "")))));
    this.$("rows").replaceChildren(...rows.map((token, at) => named(token, "row", at, "")));
    const plane = this.$("plane");
    Object.assign(plane.dataset, { rows: rows.length, keys: keys.length });
    plane.style.setProperty("--rows", rows.length);
    plane.style.setProperty("--keys", keys.length);
    paint(this.$("canvas"), weights, rows.length, keys.length, most);
    this.sizeMatrix(paper);
  }

  // Long texts are seen whole, in small cells with a label here and there.
  sizeMatrix(paper = false) {
    const box = this.$("matrix");
    const count = this.picture.keys.length;
    const room = paper ? 520 : box.clientWidth - this.$("rows").offsetWidth - 2;
    const [least, most] = paper ? [1, 22] : [Math.max(2, Math.min(12, 768 / count)), 44];
    const cell = Math.max(Math.floor(least), Math.min(most, Math.floor(room / count)));
    box.style.setProperty("--cell", `${cell}px`);
    box.classList.toggle("fine", cell < 15);
    box.classList.toggle("thin", cell < 12);
    box.classList.toggle("tiny", cell < 8);
    const every = Math.ceil(13 / cell); // pixels that a label needs
    for (const name of ["rows", "columns"]) {
      [...this.$(name).children].forEach((node, at) => node.classList.toggle("seen", at % every === 0));
    }
  }

  drawLines() {
    const { rows, keys, weights } = this.picture;
    const fill = (name, list, axis) =>
      this.$(name).replaceChildren(
        ...list.map((token, at) => {
          const item = element("li");
          item.append(label(token));
          item.dataset[axis] = at;
          return item;
        }),
      );
    fill("left", keys, "key");
    fill("right", rows, "row");
    const height = ROW * Math.max(rows.length, keys.length);
    this.$("threads").setAttribute("viewBox", `0 0 100 ${height}`);
    this.$("threads").style.height = `${height}px`;
    const long = weights.length > 4000;
    this.$("lines").classList.toggle("long", long);
    const found = [];
    for (let row = 0; row < rows.length; row++) {
      const own = weights.subarray(row * keys.length, (row + 1) * keys.length);
      const seen = [...own.keys()].filter((key) => own[key] >= 0.03).sort((a, b) => own[b] - own[a]);
      // of long texts the strongest few of each row
      for (const key of seen.slice(0, long ? 3 : 12)) found.push([row, key, own[key]]);
    }
    this.$("base").replaceChildren(...(found.length > 250 ? bundles(found) : found.map((each) => thread(...each))));
  }

  // Light what is pointed at in all pictures.
  point(row, key) {
    this.now = [row, key];
    if (!this.picture) return;
    const byRow = row >= 0;
    const own = byRow ? lookedAt(this.picture, row).weights : key >= 0 ? wroteFrom(this.picture, key) : [];
    const order = [...own.keys()].filter((at) => own[at] >= FAINT).sort((a, b) => own[b] - own[a]);
    // places are measured before anything changes: the layout need not be made twice
    if (byRow) this.reveal("strip-rows", row);
    if (byRow && order.length) this.reveal("strip-keys", order[0]);
    for (const node of this.marked) {
      node.classList.remove("on", "warm");
      node.style.removeProperty("--w");
    }
    this.marked = [];
    const mark = (names, at, name, weight) => {
      for (const each of names) {
        const node = this.$(each).children[at];
        node.classList.add(name);
        if (weight !== undefined) node.style.setProperty("--w", Math.min(1, weight).toFixed(3));
        this.marked.push(node);
      }
    };
    if (byRow) mark(["strip-rows", "rows", "right"], row, "on");
    if (key >= 0) mark(byRow ? ["columns"] : ["strip-keys", "columns", "left"], key, "on");
    for (const at of order) mark(byRow ? ["strip-keys", "left"] : ["strip-rows", "right"], at, "warm", own[at]);
    const lit = order.slice(0, LIT).map((at) => (byRow ? thread(row, at, own[at]) : thread(at, key, own[at])));
    this.$("lit").replaceChildren(...lit);
    this.$("threads").classList.toggle("quiet", lit.length > 0);
    const place = (name, shown, style) => {
      this.$(name).hidden = !shown;
      Object.assign(this.$(name).style, style);
    };
    const [top, left] = [row, key].map((at) => `calc(var(--cell) * ${at})`);
    place("row-band", byRow, { top });
    place("column-band", key >= 0, { left });
    place("spot", byRow && key >= 0, { top, left });
  }

  // scroll a long text inside its box until a word is seen
  reveal(name, at) {
    const box = this.$(name);
    const word = box.children[at];
    const line = parseFloat(getComputedStyle(box).lineHeight);
    const above = word.offsetTop - box.scrollTop;
    if (above < 0 || above > box.clientHeight - line / 2) box.scrollTop = Math.floor(word.offsetTop / line) * line;
  }

  // what this step had not written yet
  fade(step) {
    if (!this.picture) return;
    for (const name of ["strip-rows", "right"]) {
      [...this.$(name).children].forEach((node, at) => node.classList.toggle("later", step >= 0 && at > step));
    }
  }

  // The place here of a source word pointed at in another pane: words are the same by number, where they are equal.
  linked(other) {
    if (!this.picture || !other.picture) return [-1, -1];
    const matched = (axis, at) => {
      if (at < 0 || this.kind[axis] !== "source") return -1;
      const [theirs, ours] = [other.side(axis), this.side(axis)];
      const piece = other.picture[`${axis === "rows" ? "row" : "key"}Of`].indexOf(at);
      const word = theirs.words[piece];
      if (theirs.labels[word] !== ours.labels[word]) return -1;
      const same = ours.pieces[piece] === theirs.pieces[piece] && ours.words[piece] === word;
      const found = same ? piece : ours.words.indexOf(word);
      return this.picture[`${axis === "rows" ? "row" : "key"}Of`][found] ?? -1;
    };
    const [row, key] = other.now;
    return [matched("rows", row), matched("keys", key)];
  }
}
