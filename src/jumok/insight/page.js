// What is shown and how it is chosen: the state and the controls. A place is (row, key), -1 for none.

const NONE = [-1, -1];
const panes = [];
const state = {
  language: navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en",
  theme: "auto", sentence: 0, kind: "", words: true, hide: false,
  held: NONE, side: 0, // a place kept by a click, and in which pane
  step: -1, // the row that the player is at
};
let words = WORDS[state.language];

// a step is a row of the cross-attention, in both models the same one, and what follows is faint
const player = new Player({
  steps: () => (state.kind === "cross" ? Math.max(0, ...panes.map((pane) => pane.picture?.rows.length ?? 0)) : 0),
  now: () => state.step,
  wrote: (step) => panes.map((pane) => pane.picture?.rows[step]).filter(Boolean).map(shownText).join(" · "),
  go(step) {
    Object.assign(state, { step, held: NONE, side: 0 });
    rest(true);
    writeLink();
  },
});

// kinds of attention that either model has
const kindsOf = (at) => ["cross", "encoder", "decoder"].filter((name) => book.models.some((model) => model[at].kinds.some(({ kind }) => kind === name)));
const same = (a, b) => a[0] === b[0] && a[1] === b[1];

// ---- controls

function change(values, pane = null) {
  player.pause();
  Object.assign(state, { held: NONE, step: -1, side: 0 });
  Object.assign(pane ?? state, values);
  return show();
}

function drawTexts() {
  const { texts, model } = panes[0].sentence;
  const two = panes.length > 1;
  document.documentElement.lang = state.language;
  drawLink();
  $("language").textContent = words.other;
  $("language").lang = words.otherLang;
  $("theme").textContent = `${words.themeName}: ${words.theme[state.theme]}`;
  $("model").textContent = model;
  $("model").hidden = !model || two;
  const wrote = kindsOf(state.sentence).includes("cross");
  const known = (name) => texts[name] !== null && texts[name] !== book.title && (texts[name] || name !== "output" || wrote);
  const parts = ["source", ...(two ? [] : ["output"]), "reference"].filter(known);
  $("texts").replaceChildren(
    ...parts.flatMap((name) => {
      const said = element("dd", name, texts[name]);
      said.dir = "auto";
      return [element("dt", "", words[name]), said];
    }),
  );
  for (const [id, text] of Object.entries({
    "kind-name": words.kindName, "unit-name": words.unitName, "sink-name": words.sinkName, caption: words.caption, "help-name": words.help,
  })) $(id).textContent = text;
  $("help").replaceChildren(...words.helps.map((text) => element("li", "", text)));
  $("sentences").hidden = book.models[0].length < 2;
  $("sentence").setAttribute("aria-label", words.sentence);
  $("previous").setAttribute("aria-label", words.previous);
  $("next").setAttribute("aria-label", words.next);
  $("sentence").replaceChildren(
    ...book.models[0].map((each, at) => Object.assign(element("option", "", `${at + 1}. ${each.texts.source}`), { value: at, selected: at === state.sentence })),
  );
}

function drawControls() {
  const kinds = kindsOf(state.sentence).map((name) => [name, words.kind[name], element("small", "", words.kindTitle[name])]);
  choice("kind", kinds, state.kind, (kind) => {
    for (const pane of panes) pane.layer = pane.head = -1;
    return change({ kind });
  });
  choice("unit", [[true, words.words], [false, words.pieces]], state.words, (value) => change({ words: value }));
  const some = panes.filter((pane) => pane.kind?.sinks.length);
  const names = new Set(some.flatMap((pane) => pane.kind.sinks.map((at) => `“${pane.side("keys").pieces[at].replace(SPACE, "")}”`)));
  $("sink-field").classList.toggle("off", !some.length);
  $("hide").disabled = !some.length;
  $("hide").checked = state.hide && some.length > 0;
  const shares = some.map((pane) => percent(pane.kind.share)).join(" · ");
  $("sink-text").textContent = some.length ? words.sinkText([...names].join(" "), shares) : words.noSinks;
  player.draw();
}

// What stands in a pane beside its pictures.
function drawPane(pane) {
  const { texts, model } = pane.sentence;
  const { kind, picture } = pane;
  pane.$("who").hidden = pane.$("said").hidden = panes.length < 2;
  pane.$("who").textContent = model || words.model(pane.number + 1);
  pane.$("said").textContent = texts.output;
  pane.$("lacks").hidden = !!kind;
  pane.$("lacks").textContent = words.noKind(words.kindTitle[state.kind]);
  if (!kind) return;
  for (const [name, text] of Object.entries({
    "layer-name": words.layerName, "matrix-name": words.matrix, "lines-name": words.lines,
    "matrix-axes": `${words.across[kind.keys]} · ${words.down[kind.rows]}`,
    "lines-axes": `${words.left[kind.keys]} ↔ ${words.right[kind.rows]}`,
  })) pane.$(name).textContent = text;
  const layers = kind.layers.map(({ number }, at) => [at, String(number)]);
  choice(pane.id("layer"), [[-1, words.average], ...layers], pane.layer, (layer) => change({ layer, head: -1 }, pane));
  [...pane.$("layer").children].forEach((button, at) => (button.title = at ? kind.layers[at - 1].name : ""));
  for (const [name, axis] of [["strip-keys", "keys"], ["strip-rows", "rows"]]) pane.$(name).dataset.name = words.strip[kind[axis]];
  pane.$("matrix").setAttribute("aria-label", words.matrixLabel(picture.rows.length, picture.keys.length));
  pane.$("lines").setAttribute("aria-label", words.linesLabel);
}

// Small pictures to choose a head by, each over its entropy; for the average of all layers, the layers.
async function drawThumbs(pane, turn) {
  const { kind, layer } = pane;
  if (!kind) return;
  const whole = layer < 0;
  pane.$("head-name").textContent = whole ? words.layersName : words.headName(kind.layers[layer].number);
  const { maps, rows, keys } = await smallMaps(pane.sentence, kind, layer);
  if (turn !== turns) return;
  const most = Math.log2(pane.side("keys").pieces.length);
  const middle = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const bits = whole ? kind.layers.map((each) => middle(each.entropy)) : kind.layers[layer].entropy;
  const thumb = (map, name, entropy) => {
    const canvas = element("canvas", rows > 56 || keys > 56 ? "large" : "");
    let largest = 0;
    for (const weight of map) largest = Math.max(largest, weight);
    paint(canvas, map, rows, keys, largest);
    const bar = element("i", "spread");
    bar.style.setProperty("--e", most ? Math.min(1, entropy / most).toFixed(3) : 0);
    bar.title = words.entropy(entropy.toFixed(2), most.toFixed(2));
    return [canvas, bar, element("span", "", name)];
  };
  const named = (at) => (whole ? words.layer(kind.layers[at].number) : words.head(kind.layers[layer].numbers[at]));
  const each = maps.map((map, at) => [at, ...thumb(map, named(at), bits[at])]);
  const all = whole ? each : [[-1, ...thumb(mean(maps), words.average, middle(bits))], ...each];
  choice(pane.id("head"), all, whole ? -1 : pane.head, (value) => change(whole ? { layer: value, head: -1 } : { head: value }, pane));
  for (const button of pane.$("head").children) {
    button.title = button.querySelector(".spread").title;
    button.setAttribute("aria-label", `${button.textContent}, ${button.title}`);
    if (whole && button === pane.$("head").firstChild) button.tabIndex = 0; // none is chosen, yet the group is reached
  }
}

// what was chosen for another sentence, as far as this one has it
function settle() {
  if (!kindsOf(state.sentence).includes(state.kind)) state.kind = kindsOf(state.sentence)[0];
  for (const pane of panes) {
    if (pane.layer >= (pane.kind?.layers.length ?? 0)) pane.layer = pane.head = -1;
    if (pane.head >= (pane.kind?.layers[pane.layer]?.heads ?? 0)) pane.head = -1;
  }
}

let turns = 0;
async function show() {
  const turn = ++turns;
  delete document.body.dataset.ready;
  try {
    settle();
    const pictures = await Promise.all(panes.map((pane) => pane.gather()));
    if (turn !== turns) return; // chosen anew while this was unpacked
    drawTexts();
    panes.forEach((pane, at) => {
      pane.draw(pictures[at]);
      drawPane(pane);
    });
    drawControls();
    rest();
    writeLink();
    await Promise.all(panes.map((pane) => drawThumbs(pane, turn)));
    if (turn === turns) drawn();
  } catch (error) {
    $("failure").hidden = false;
    $("failure").textContent = words.failed(error.message);
  }
}

// how long the first draw took, for benchmarks/page.py: the task after the frame that shows it
function drawn() {
  document.body.dataset.ready = "yes";
  requestAnimationFrame(() => setTimeout(() => (document.body.dataset.drawn ??= performance.now().toFixed(1))));
}

function recolor(theme) {
  dress(theme);
  mixPalette();
}

function listen() {
  listenPointer();
  listenLink(() => {
    if (!followLink()) return;
    player.pause();
    show();
  });
  $("language").onclick = () => {
    state.language = words.otherLang;
    words = WORDS[state.language];
    show();
  };
  $("theme").onclick = () => {
    state.theme = { auto: "light", light: "dark", dark: "auto" }[state.theme];
    recolor(state.theme);
    show();
  };
  // paper is white and narrow
  const redraw = (theme, paper) => {
    recolor(theme);
    for (const pane of panes.filter((each) => each.picture)) pane.drawMatrix(paper);
    rest();
  };
  addEventListener("beforeprint", () => redraw("light", true));
  addEventListener("afterprint", () => redraw(state.theme, false));
  const count = book.models[0].length;
  const go = (at) => change({ sentence: (at + count) % count });
  $("previous").onclick = () => go(state.sentence - 1);
  $("next").onclick = () => go(state.sentence + 1);
  $("sentence").onchange = (event) => go(Number(event.target.value));
  $("hide").onchange = (event) => change({ hide: event.target.checked });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (mixPalette(), show()));
}

panes.push(...book.models.map((_, number) => new Pane(number)));
$("panes").classList.toggle("two", panes.length > 1);
document.body.classList.toggle("beside", panes.length > 1);
mixPalette();
listen();
followLink();
show();
