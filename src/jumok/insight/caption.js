// The words that were written and where each looked: words of the page in two languages, the state, controls and keys.

// a reader's words are single characters
const letters = book.words.every(([text, special]) => special || [...text].length === 1);
const unit = letters ? "character" : "word";
const WORDS = {
  en: {
    other: "한국어", otherLang: "ko",
    theme: { auto: "Auto", light: "Light", dark: "Dark" }, themeName: "Colours",
    written: `What it wrote: choose a ${unit}`, truth: (text) => `Wanted: ${text}`,
    play: "▶ Play", stop: "❚❚ Pause", before: `the ${unit} before`, after: `the next ${unit}`, count: (n, all) => `${n} / ${all}`,
    sheet: `Every layer and head, for this ${unit}`,
    sheetAxes: "top: the mean of all layers · down: layers · across: the mean of the heads, then each head",
    mean: "mean", all: "all", whole: "Mean of all layers and heads",
    cell: (layer, head) => `Layer ${layer}, ${head ? `head ${head}` : "mean of the heads"}`,
    reel: letters ? "Character by character" : "Word by word", strength: "Heat over the photo", edge: "Edges", smooth: "Smooth",
    found: (word, place, share, half, all) => [word, `${place} gave `, share, " of its look to the photo, half of that to ", half, ` of ${all} places.`],
    tip: (row, column, weight) => `row ${row}, column ${column}: ${weight}`,
    caption: "Attention is where the model looked while it wrote, not a proof of why it wrote what it did. Weights are taken in evaluation mode, before dropout. Each picture has its own scale.",
    help: "How to read this page",
    helps: [
      "The encoder turns the photo into a grid of features. To write a word the decoder shares one look, 100 %, out over these places. Bright places got most.",
      "A look of several layers and heads differs from one to the next; the mean of all is shown first. Choose one in the sheet.",
      "Nouns mostly look at things. Words like “a” and “of”, and the end, need no place: their look often spreads out, or rests on one spot.",
      "Features know more than their own place: a convolution sees its surroundings, a Transformer the whole photo. So a look may fall beside the thing.",
      `Keys: arrow keys go from ${unit} to ${unit}, the space bar plays and pauses, Home and End go to the first and last ${unit}.`,
    ],
    photoLabel: (rows, columns) => `Photo of ${rows} by ${columns} places. The pointer shows the weight of each.`,
    failed: (message) => `The weights of this page cannot be read (${message}). Open it in a current browser.`,
  },
  ko: {
    other: "English", otherLang: "en",
    theme: { auto: "자동", light: "밝게", dark: "어둡게" }, themeName: "색",
    written: `모델이 쓴 글: ${letters ? "글자를" : "낱말을"} 고르세요`, truth: (text) => `정답: ${text}`,
    play: "▶ 재생", stop: "❚❚ 멈춤", before: letters ? "앞 글자" : "앞 낱말", after: letters ? "다음 글자" : "다음 낱말", count: (n, all) => `${n} / ${all}`,
    sheet: `이 ${letters ? "글자" : "낱말"}의 모든 층과 헤드`,
    sheetAxes: "맨 위: 모든 층의 평균 · 세로: 층 · 가로: 헤드의 평균, 그다음 각 헤드",
    mean: "평균", all: "전체", whole: "모든 층과 헤드의 평균",
    cell: (layer, head) => `${layer}층, ${head ? `헤드 ${head}` : "헤드의 평균"}`,
    reel: `${letters ? "글자" : "낱말"}마다 본 곳`, strength: "사진 위의 색", edge: "경계", smooth: "부드럽게",
    found: (word, place, share, half, all) => [word, `${place}: 시선 가운데 `, share, "가 사진에 갔고, 그 절반은 자리 ", `${all}곳 가운데 `, half, "곳에 모였습니다."],
    tip: (row, column, weight) => `${row}행 ${column}열: ${weight}`,
    caption: "어텐션은 모델이 글을 쓸 때 어디를 보았는지를 보여 줄 뿐, 왜 그렇게 썼는지 증명하지 않습니다. 가중치는 평가 모드에서 드롭아웃을 적용하기 전의 값이며, 그림마다 눈금이 다릅니다.",
    help: "이 페이지를 읽는 법",
    helps: [
      "인코더는 사진을 격자 모양의 특징으로 바꿉니다. 디코더는 낱말을 하나 쓸 때마다 시선 100 %를 이 자리들에 나누어 주며, 밝은 자리일수록 많이 받았습니다.",
      "층과 헤드마다 보는 곳이 다릅니다. 처음에는 모두의 평균이 보이며, 모음 그림에서 하나를 고를 수 있습니다.",
      "이름을 가리키는 말은 대개 그 물건을 봅니다. 조사나 관사, 문장의 끝은 볼 자리가 없어 시선이 흩어지거나 한곳에서 쉽니다.",
      "특징은 제자리보다 많은 것을 압니다. 합성곱은 둘레를, 트랜스포머는 사진 전체를 보므로, 시선이 물건 옆에 놓이기도 합니다.",
      "키보드: 화살표로 앞뒤로 옮기고, 스페이스로 재생하고 멈추며, Home과 End로 처음과 끝에 갑니다.",
    ],
    photoLabel: (rows, columns) => `가로 ${columns}, 세로 ${rows} 자리의 사진입니다. 가리키면 그 자리의 가중치가 보입니다.`,
    failed: (message) => `이 페이지의 가중치를 읽을 수 없습니다 (${message}). 최신 브라우저로 열어 주세요.`,
  },
};

const PACE = 900; // milliseconds a word
const depth = book.layers.length;
const count = book.words.length;
const ALL = -1; // the mean of the layers, or of the heads
const state = {
  language: navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en",
  theme: "auto", word: 0, layer: ALL, head: ALL, strength: 1, smooth: true,
};
let words = WORDS[state.language];
let row = new Float32Array(patches); // what is over the photo
let clock = null; // while it plays
const photo = $("plain");

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
  return ` (${state.layer === ALL ? words.whole : words.cell(state.layer + 1, state.head + 1)})`;
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
    "help-name": words.help, count: words.count(state.word + 1, count),
  })) $(id).textContent = text;
  $("help").replaceChildren(...words.helps.map((text) => element("li", "", text)));
  $("photo").setAttribute("aria-label", words.photoLabel(rows, columns));
  for (const id of ["before", "after"]) $(id).setAttribute("aria-label", words[id]);
  $("before").disabled = state.word === 0;
  $("after").disabled = state.word === count - 1;
  drawPlay();
}

const drawPlay = () => ($("play").textContent = clock === null ? words.play : words.stop);

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
  for (const id of ["written", "reel"]) check($(id), (button) => Number(button.dataset.word) === state.word);
}

async function drawReel() {
  const rows = await Promise.all(book.words.map((_, word) => look(word, state.layer, state.head)));
  const canvases = $("reel").querySelectorAll("canvas");
  rows.forEach((own, word) => drawSight(canvases[word], photo, onPatches(own), state.strength, state.smooth, 240));
}

async function drawSheet() {
  $("choices").hidden = depth * book.heads === 1; // one map is no choice
  const cells = [element("span")];
  for (let head = ALL; head < book.heads; head++) cells.push(element("span", "", head === ALL ? words.mean : head + 1));
  if (depth > 1) {
    cells.push(element("span", "", words.all), cell(onPatches(await look(state.word, ALL, ALL)), ALL, ALL, words.whole));
    for (let head = 0; head < book.heads; head++) cells.push(element("span"));
  }
  for (let layer = 0; layer < depth; layer++) {
    const maps = await looks(layer, state.word);
    cells.push(element("span", "", layer + 1));
    [mean(maps), ...maps].forEach((map, at) => cells.push(cell(onPatches(map), layer, at - 1, words.cell(layer + 1, at))));
  }
  return cells;
}

function drawPhoto() {
  drawSight($("canvas"), photo, row, state.strength, state.smooth);
  const bold = (text) => element("b", "", text);
  $("most").textContent = percent(largest(row));
  const said = bold(book.words[state.word][0]);
  $("found").replaceChildren(...words.found(said, where(), bold(percent(sum(row))), bold(String(halfOn(row))), patches));
}

let latest = 0;
let strip = ""; // what the reel shows
async function show() {
  const own = ++latest;
  delete document.body.dataset.ready;
  try {
    const next = await look(state.word, state.layer, state.head);
    const cells = await drawSheet();
    if (own !== latest) return; // chosen anew while this was unpacked
    row = onPatches(next);
    drawTexts();
    drawPhoto();
    drawChosen();
    $("sheet").style.setProperty("--wide", 1 + book.heads);
    $("sheet").replaceChildren(...cells);
    check($("sheet"), (button) => Number(button.dataset.layer) === state.layer && Number(button.dataset.head) === state.head);
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
const go = (word) => change({ word: bound(word, 0, count - 1) });

function pause() {
  clearInterval(clock);
  clock = null;
  drawPlay();
}

function play() {
  if (clock !== null) return pause();
  if (state.word === count - 1) go(0);
  clock = setInterval(() => (state.word < count - 1 ? go(state.word + 1) : pause()), PACE);
  drawPlay();
}

async function byKey(event) {
  const group = event.target.closest?.(".written, .reel");
  // elsewhere keys have their own use: ranges, the sheet, buttons
  if (!group && event.target !== document.body && event.target !== $("photo")) return;
  const to = { ArrowRight: state.word + 1, ArrowDown: state.word + 1, ArrowLeft: state.word - 1, ArrowUp: state.word - 1, Home: 0, End: count - 1 }[event.key];
  if (to === undefined && event.key !== " ") return;
  if (!group && ["ArrowUp", "ArrowDown"].includes(event.key)) return; // the page scrolls
  event.preventDefault();
  if (to === undefined) return play();
  pause();
  await go(to);
  group?.querySelector('[aria-checked="true"]').focus();
  $("spoken").textContent = $("found").textContent;
}

async function inSheet(event) {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!step) return;
  event.preventDefault();
  const layer = bound(state.layer + step[0], depth > 1 ? ALL : 0, depth - 1);
  await change({ layer, head: layer === ALL ? ALL : bound(state.head + step[1], ALL, book.heads - 1) });
  $("sheet").querySelector('[aria-checked="true"]').focus();
}

function leave() {
  mark("spot", -1);
  showTip(null, "");
}

function listen() {
  for (const id of ["written", "reel"]) {
    $(id).addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      pause();
      go(Number(button.dataset.word));
    });
  }
  document.addEventListener("keydown", byKey);
  $("before").onclick = () => (pause(), go(state.word - 1));
  $("after").onclick = () => (pause(), go(state.word + 1));
  $("play").onclick = play;
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

if (depth === 1) state.layer = 0;
setUp();
$("sheet").style.setProperty("--aspect", book.size[1] / book.size[0]);
$("reel").style.setProperty("--least", book.size[1] > 2 * book.size[0] ? "200px" : "130px");
drawWritten();
listen();
photo.onload = show;
photo.setAttribute("src", book.photo);
