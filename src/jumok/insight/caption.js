// The words that were written and where each looked: the state, the controls, the player, the link and keys.

const depth = book.layers.length;
const count = book.words.length;
const ALL = -1; // the mean of the layers, or of the heads
// a map's name by the numbers of the model, where only some layers and heads are shown; head 0 is the mean
const named = (layer, head) => words.cell(book.layers[layer].number, book.numbers[head] ?? 0);
const START = depth === 1 ? 0 : ALL; // the layer shown first
const state = {
  language: navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en",
  theme: "auto", step: 0, layer: START, head: ALL, strength: 1, smooth: true, // the step is a word
};
let words = WORDS[state.language];
let row = new Float32Array(patches); // what is over the photo
const photo = $("plain");

const player = new Player({
  steps: () => count,
  now: () => state.step,
  wrote: (step) => book.words[step][0],
  async go(step) {
    await change({ step });
    $("spoken").textContent = $("found").textContent;
  },
});

// what a word looked at in a layer, a row a head
async function looks(layer, word) {
  const all = await rowsOf(book.layers[layer].rows, book.heads * count, book.prefix + patches);
  return Array.from({ length: book.heads }, (_, head) => all[head * count + word]);
}

async function look(word, layer, head) {
  if (layer === ALL) return mean(await Promise.all(book.layers.map(async (_, at) => mean(await looks(at, word)))));
  const rows = await looks(layer, word);
  return head === ALL ? mean(rows) : rows[head];
}

function label(word) {
  const [text, special] = book.words[word];
  return element("span", special ? "special" : "", text);
}

// which map is seen; where there is but one, nothing needs saying
function where() {
  if (depth * book.heads === 1) return "";
  return ` (${state.layer === ALL ? words.whole : named(state.layer, state.head)})`;
}

function drawTexts() {
  document.documentElement.lang = state.language;
  $("language").textContent = words.other;
  $("language").lang = words.otherLang;
  $("theme").textContent = `${words.themeName}: ${words.theme[state.theme]}`;
  $("model").textContent = book.model;
  $("model").hidden = !book.model;
  $("truth").textContent = book.truth === null ? "" : words.truth(book.truth);
  $("truth").hidden = book.truth === null;
  for (const [id, text] of Object.entries({
    "written-name": words.written, "sheet-name": words.sheet, "sheet-axes": words.sheetAxes, "reel-name": words.reel,
    "strength-name": words.strength, "edge-name": words.edge, "smooth-text": words.smooth, caption: words.caption,
    "help-name": words.help,
  })) $(id).textContent = text;
  $("help").replaceChildren(...words.helps.map((text) => element("li", "", text)));
  $("photo").setAttribute("aria-label", words.photoLabel(rows, columns));
  $("strength").value = 100 * state.strength;
  $("smooth").checked = state.smooth;
  drawLink();
  player.draw();
}

function wordButton(word) {
  const button = element("button");
  button.type = "button";
  button.setAttribute("role", "radio");
  button.dataset.word = word;
  return button;
}

function drawWritten() {
  $("written").replaceChildren();
  book.words.forEach(([, , spaced], word) => {
    const button = wordButton(word);
    button.append(label(word));
    $("written").append(spaced && word ? " " : "", button);
  });
  if (!$("reel").children.length) {
    $("reel").append(
      ...book.words.map((_, word) => {
        const button = wordButton(word);
        button.append(element("canvas"), label(word));
        return button;
      }),
    );
  }
}

function drawChosen() {
  for (const id of ["written", "reel"]) check($(id), (button) => Number(button.dataset.word) === state.step);
  // what this step had not written yet
  for (const button of $("written").querySelectorAll("button")) button.classList.toggle("later", Number(button.dataset.word) > state.step);
}

async function drawReel() {
  const rows = await Promise.all(book.words.map((_, word) => look(word, state.layer, state.head)));
  const canvases = $("reel").querySelectorAll("canvas");
  rows.forEach((own, word) => drawSight(canvases[word], photo, onPatches(own), state.strength, state.smooth, 240));
}

async function drawSheet() {
  $("choices").hidden = depth * book.heads === 1; // one map is no choice
  const cells = [element("span")];
  for (let head = ALL; head < book.heads; head++) cells.push(element("span", "", head === ALL ? words.mean : book.numbers[head]));
  if (depth > 1) {
    cells.push(element("span", "", words.all), cell(onPatches(await look(state.step, ALL, ALL)), ALL, ALL, words.whole));
    for (let head = 0; head < book.heads; head++) cells.push(element("span"));
  }
  for (let layer = 0; layer < depth; layer++) {
    const maps = await looks(layer, state.step);
    cells.push(element("span", "", book.layers[layer].number));
    [mean(maps), ...maps].forEach((map, at) => cells.push(cell(onPatches(map), layer, at - 1, named(layer, at - 1))));
  }
  return cells;
}

function drawPhoto() {
  drawSight($("canvas"), photo, row, state.strength, state.smooth);
  const bold = (text) => element("b", "", text);
  $("most").textContent = percent(largest(row));
  const said = bold(book.words[state.step][0]);
  $("found").replaceChildren(...words.found(said, where(), bold(percent(sum(row))), bold(String(halfOn(row))), patches));
}

// ---- the address

function writeLink() {
  const parts = { step: state.step + 1 };
  if (state.layer !== START) parts.layer = state.layer + 1;
  if (state.head !== ALL) parts.head = state.head + 1;
  linkSight(parts);
  writeAddress(parts);
}

function followLink() {
  const address = new Address();
  if (address.empty) return false;
  const made = { step: address.number(address.take("step"), count, 1, 0), layer: address.optional("layer", depth, START) };
  made.head = address.optional("head", made.layer === ALL ? 0 : book.heads);
  Object.assign(made, readSight(address));
  if (address.right) Object.assign(state, made);
  return address.right;
}

// ---- what is shown, and how it is chosen

let latest = 0;
let strip = ""; // what the reel shows
async function show() {
  const own = ++latest;
  delete document.body.dataset.ready;
  try {
    const next = await look(state.step, state.layer, state.head);
    const cells = await drawSheet();
    if (own !== latest) return; // chosen anew while this was unpacked
    row = onPatches(next);
    drawTexts();
    drawPhoto();
    drawChosen();
    writeLink();
    $("sheet").style.setProperty("--wide", 1 + book.heads);
    const focused = $("sheet").contains(document.activeElement);
    $("sheet").replaceChildren(...cells);
    check($("sheet"), (button) => Number(button.dataset.layer) === state.layer && Number(button.dataset.head) === state.head);
    if (focused) $("sheet").querySelector('[aria-checked="true"]').focus();
    const wanted = [state.layer, state.head, state.strength, state.smooth].join();
    if (strip !== wanted) await drawReel();
    strip = wanted;
    if (own === latest) document.body.dataset.ready = "yes";
  } catch (error) {
    $("failure").hidden = false;
    $("failure").textContent = words.failed(error.message);
  }
}

function change(values) {
  Object.assign(state, values);
  return show();
}

const bound = (value, least, most) => Math.max(least, Math.min(most, value));

async function byKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const group = event.target.closest?.(".written, .reel");
  const ahead = getComputedStyle($("written")).direction === "rtl" ? -1 : 1;
  const step = { ArrowRight: ahead, ArrowLeft: -ahead, ArrowDown: 1, ArrowUp: -1, Home: -count, End: count }[event.key];
  if (!group && event.target !== $("photo")) {
    // elsewhere keys have their own use: ranges, the sheet, buttons; on the page itself only these scroll nothing
    if (event.target !== document.body || !["ArrowRight", "ArrowLeft"].includes(event.key)) return;
  } else if (!player.plays(event) && !step) return;
  event.preventDefault();
  if (!step) return;
  await player.stopAt(state.step + step);
  group?.querySelector('[aria-checked="true"]').focus();
}

function inSheet(event) {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!step) return;
  event.preventDefault();
  const layer = bound(state.layer + step[0], START, depth - 1);
  change({ layer, head: layer === ALL ? ALL : bound(state.head + step[1], ALL, book.heads - 1) });
}

function leave() {
  mark("spot", -1);
  showTip(null, "");
}

function listen() {
  for (const id of ["written", "reel"]) {
    $(id).addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) player.stopAt(Number(button.dataset.word));
    });
  }
  document.addEventListener("keydown", byKey);
  listenLink(() => {
    if (!followLink()) return;
    player.pause();
    show();
  });
  $("photo").addEventListener("pointermove", (event) => {
    const patch = under(event);
    mark("spot", patch);
    showTip(event, words.tip(...place(patch), percent(row[patch])));
  });
  $("photo").addEventListener("pointerleave", leave);
  $("sheet").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) change({ layer: Number(button.dataset.layer), head: Number(button.dataset.head) });
  });
  $("sheet").addEventListener("keydown", inSheet);
  $("strength").oninput = (event) => change({ strength: Number(event.target.value) / 100 });
  $("smooth").onchange = (event) => change({ smooth: event.target.checked });
  $("language").onclick = () => {
    state.language = words.otherLang;
    words = WORDS[state.language];
    show();
  };
  $("theme").onclick = () => {
    state.theme = { auto: "light", light: "dark", dark: "auto" }[state.theme];
    dress(state.theme);
    drawTexts();
  };
  addEventListener("beforeprint", () => dress("light"));
  addEventListener("afterprint", () => dress(state.theme));
}

setUp();
$("sheet").style.setProperty("--aspect", book.size[1] / book.size[0]);
$("reel").style.setProperty("--least", book.size[1] > 2 * book.size[0] ? "200px" : "130px");
drawWritten();
listen();
followLink();
photo.onload = show;
photo.setAttribute("src", book.photo);
