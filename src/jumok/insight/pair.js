// Why two sentences are near: words of the page in two languages, pairs of words, the attention of each, the link, pointer
// and keys.
// A place is (row, key): a word of the first sentence, a word of the second, -1 for none.

const WORDS = {
  en: {
    other: "한국어", otherLang: "ko",
    theme: { auto: "Auto", light: "Light", dark: "Dark" }, themeName: "Colours",
    sides: ["First", "Second"], pair: "Pair of sentences", previous: "Previous pair", next: "Next pair",
    score: "Similarity: the cosine of the two vectors, −1 to 1",
    showName: "Between two words", adds: "What they add to the similarity", cosine: "Cosine of their tokens",
    noSum: "The vectors of this model are no sum over tokens, so there is no share of the similarity for each word; cosines of tokens are shown instead.",
    unitName: "Unit", words: "Words", pieces: "Subwords",
    matrix: "Matrix", lines: "Lines", axes: "down: first · across: second",
    linesAxes: { adds: "thick: adds much · dashed: takes away", cosine: "thick: much alike · dashed: below 0" },
    least: (value, adds) => (adds ? `takes away ${value}` : value), most: (value, adds) => (adds ? `${value} adds` : value),
    sum: (cells, rest, all) => (rest ? `All cells add up to ${cells}; ${rest} belongs to no pair of tokens here; together ${all}, the similarity.` : `All cells add up to ${all}, the similarity.`),
    mean: "A word's cosine is the mean over its subwords. Cosines do not add up to the similarity.",
    invite: { adds: (list) => ["These pairs add most: ", list, ". Point at a word, or tap it, to see what it adds."], cosine: (list) => ["Nearest: ", list, ". Point at a word, or tap it, to see what it is near to."] },
    share: (word, value, less, list) => [word, less ? " takes away " : " adds ", value, ": with ", list, "."],
    near: (word, list) => [word, " is nearest to ", list, "."],
    cell: (a, b, value, less, cosine) => [a, " with ", b, ...(value ? [less ? " takes away " : " adds ", value, "; their"] : [":"]), " cosine is ", cosine, "."],
    tip: (a, b, value) => `${a} · ${b}: ${value}`,
    self: "What each sentence looked at in itself", selfAxes: "self-attention · down: the word that looks · across: what it looked at",
    noSelf: "This model has no self-attention: no word looks at another before they are added up.",
    layerName: "Layer", headName: "Head", average: "Average",
    look: (word, list) => ["To understand ", word, " it looked at ", list, "."], looks: (a, b, value) => `${a} looked ${value} at ${b}`,
    lookInvite: "Point at a word to see what it looked at.",
    caption: "A token's vector holds something of the whole sentence, so what a word adds is also its neighbours' doing. Attention is where the model looked, not a proof of why. Both are taken in evaluation mode, before dropout.",
    captionBare: "A token's vector knows nothing of the other words here. Values are taken in evaluation mode, before dropout.",
    help: "How to read this page",
    helps: [
      "The vector of a sentence is made of those of its tokens, so the similarity of two sentences is a sum over pairs of tokens, one of each. Blue pairs bring the sentences together, orange ones push them apart.",
      "What a word adds is the sum over its row or column, and over its subwords. The shades and the figures beside the words say it. ▁ marks a space.",
      "The cosine of two tokens says how alike they are, whatever their length and weight in the sum. Two alike tokens may add little.",
      "Each row of the attention sums to 100 %: a word's weight is the sum over its subwords, its row their mean.",
      "Keys: Tab to a sentence or a picture, arrow keys to move, Enter to hold a word, Escape to let go.",
      "The address of the page holds the pair and what is shown of it: copy the link to come back to it.",
    ],
    stripLabel: (side) => `${side} sentence. Use the left and right keys.`,
    matrixLabel: (rows, keys) => `Matrix of ${rows} rows and ${keys} columns. Use the arrow keys.`,
    linesLabel: "Lines between the words. Up and down keys move in a sentence, left and right keys change it.",
    failed: (message) => `The values of this page cannot be read (${message}). Open it in a current browser.`,
  },
  ko: {
    other: "English", otherLang: "en",
    theme: { auto: "자동", light: "밝게", dark: "어둡게" }, themeName: "색",
    sides: ["첫째", "둘째"], pair: "문장 쌍", previous: "이전 쌍", next: "다음 쌍",
    score: "유사도: 두 벡터의 코사인, −1에서 1까지",
    showName: "두 단어 사이", adds: "유사도에 더하는 값", cosine: "토큰끼리의 코사인",
    noSum: "이 모델의 벡터는 토큰의 합이 아니므로 단어마다 유사도의 몫을 나눌 수 없습니다. 대신 토큰끼리의 코사인을 보입니다.",
    unitName: "단위", words: "단어", pieces: "서브워드",
    matrix: "행렬", lines: "선", axes: "세로: 첫째 · 가로: 둘째",
    linesAxes: { adds: "굵은 선: 많이 더함 · 점선: 뺌", cosine: "굵은 선: 많이 닮음 · 점선: 0보다 작음" },
    least: (value, adds) => (adds ? `뺌 ${value}` : value), most: (value, adds) => (adds ? `${value} 더함` : value),
    sum: (cells, rest, all) => (rest ? `모든 칸의 합은 ${cells}, 여기 있는 어느 쌍에도 속하지 않는 값은 ${rest}이며, 더하면 유사도 ${all}입니다.` : `모든 칸의 합은 유사도 ${all}입니다.`),
    mean: "단어의 코사인은 그 서브워드들의 평균입니다. 코사인을 더해도 유사도가 되지는 않습니다.",
    invite: { adds: (list) => ["유사도에 가장 많이 더한 쌍: ", list, ". 단어를 가리키거나 누르면 그 단어가 더하는 값이 보입니다."], cosine: (list) => ["가장 가까운 쌍: ", list, ". 단어를 가리키거나 누르면 무엇과 가까운지 보입니다."] },
    share: (word, value, less, list) => [word, less ? " 유사도에서 빼는 값 " : " 유사도에 더하는 값 ", value, ". 짝마다: ", list, "."],
    near: (word, list) => [word, " 가장 가까운 단어: ", list, "."],
    cell: (a, b, value, less, cosine) => [a, " · ", b, ": ", ...(value ? [less ? "빼는 값 " : "더하는 값 ", value, ", "] : []), "코사인 ", cosine, "."],
    tip: (a, b, value) => `${a} · ${b}: ${value}`,
    self: "문장마다 자기 안에서 본 곳", selfAxes: "셀프 어텐션 · 세로: 보는 단어 · 가로: 본 곳",
    noSelf: "이 모델에는 셀프 어텐션이 없습니다. 단어들은 더해지기 전에 서로를 보지 않습니다.",
    layerName: "층", headName: "헤드", average: "평균",
    look: (word, list) => [word, " 이해할 때 본 곳: ", list, "."], looks: (a, b, value) => `${a} → ${b} ${value}`,
    lookInvite: "단어를 가리키면 그 단어가 어디를 보았는지 보입니다.",
    caption: "토큰의 벡터에는 문장 전체의 뜻이 조금씩 들어 있으므로, 한 단어가 더하는 값은 이웃 단어들의 몫이기도 합니다. 어텐션은 모델이 어디를 보았는지를 보여 줄 뿐, 까닭을 증명하지 않습니다. 둘 다 평가 모드에서 드롭아웃을 적용하기 전의 값입니다.",
    captionBare: "이 모델에서 토큰의 벡터는 다른 단어를 알지 못합니다. 값은 평가 모드에서 드롭아웃을 적용하기 전의 것입니다.",
    help: "이 페이지를 읽는 법",
    helps: [
      "문장의 벡터는 토큰의 벡터로 만들어지므로, 두 문장의 유사도는 토큰 쌍마다 나온 값의 합입니다. 파란 쌍은 두 문장을 가깝게 하고, 주황 쌍은 멀게 합니다.",
      "단어가 더하는 값은 그 행이나 열의 합이며, 서브워드들의 합입니다. 단어의 바탕색과 옆의 숫자가 그 값입니다. ▁는 띄어쓰기입니다.",
      "토큰끼리의 코사인은 길이나 합에서의 비중과 상관없이 얼마나 닮았는지를 나타냅니다. 닮았어도 더하는 값은 작을 수 있습니다.",
      "어텐션의 각 행은 합이 100 %입니다. 단어의 가중치는 서브워드들의 합이고, 단어의 행은 서브워드들의 평균입니다.",
      "키보드: Tab으로 문장이나 그림에 가서 화살표로 움직이고, Enter로 고정하고, Esc로 풉니다.",
      "페이지 주소에 문장 쌍과 지금 보이는 상태가 담깁니다. 링크를 복사해 두면 그대로 다시 볼 수 있습니다.",
    ],
    stripLabel: (side) => `${side} 문장입니다. 좌우 화살표 키를 쓰세요.`,
    matrixLabel: (rows, keys) => `${rows}행 ${keys}열의 행렬입니다. 화살표 키를 쓰세요.`,
    linesLabel: "단어 사이의 선입니다. 위아래 화살표 키로 움직이고 좌우 키로 문장을 바꿉니다.",
    failed: (message) => `이 페이지의 값을 읽을 수 없습니다 (${message}). 최신 브라우저로 열어 주세요.`,
  },
};

const NONE = [-1, -1];
const AXES = ["row", "key"]; // of the first sentence, of the second
const state = {
  language: navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en",
  theme: "auto", pair: 0, adds: true, words: true, layer: -1, head: -1, held: NONE,
};
let words = WORDS[state.language];
let shown = null; // what `gather` gives, and `nodes`: the elements of each word that are shaded
let now = NONE;
const pair = () => book.pairs[state.pair];

// ---- controls

function drawTexts() {
  const { texts, model, similarity, rest, contributions, layers } = pair();
  const { rows, keys, values, most, adds, self } = shown;
  document.documentElement.lang = state.language;
  drawLink();
  $("language").lang = words.otherLang;
  $("model").hidden = !model;
  for (const [id, text] of Object.entries({
    language: words.other, theme: `${words.themeName}: ${words.theme[state.theme]}`, model,
    "score-name": words.score, score: figure(similarity, 0), "show-name": words.showName, "unit-name": words.unitName,
    "no-sum": contributions ? "" : words.noSum, "matrix-name": words.matrix, "matrix-axes": words.axes,
    least: words.least(figure(-most), adds), most: words.most(figure(most), adds), "lines-name": words.lines, "lines-axes": words.linesAxes[adds ? "adds" : "cosine"],
    sum: adds ? words.sum(figure(sum(values), 0), Math.abs(rest) < 0.0005 ? "" : figure(rest, 0), figure(similarity, 0)) : words.mean,
    "self-name": words.self, "self-axes": layers.length ? words.selfAxes : words.noSelf, "layer-name": words.layerName,
    "head-name": words.headName, "self-name-0": words.sides[0], "self-name-1": words.sides[1],
    caption: layers.length ? words.caption : words.captionBare, "help-name": words.help,
  })) $(id).textContent = text;
  const shownText = (text) => Object.assign(element("dd", "", text), { dir: "auto" });
  $("texts").replaceChildren(...texts.flatMap((text, side) => [element("dt", "", words.sides[side]), shownText(text)]));
  // the first two are on the sum, the fourth on attention
  const helps = words.helps.filter((_, at) => (contributions || at > 1) && (layers.length || at !== 3));
  $("help").replaceChildren(...helps.map((text) => element("li", "", text)));
  const named = { matrix: words.matrixLabel(rows.length, keys.length), lines: words.linesLabel, sentence: words.pair, previous: words.previous, next: words.next };
  words.sides.forEach((name, side) => {
    $(`strip-${side}`).dataset.name = name;
    named[`strip-${side}`] = words.stripLabel(name);
    if (self.length) named[`self-${side}`] = `${name}: ${words.matrixLabel(self[side].rows.length, self[side].rows.length)}`;
  });
  for (const [id, text] of Object.entries(named)) $(id).setAttribute("aria-label", text);
  $("self").hidden = !layers.length;
  $("sentences").hidden = book.pairs.length < 2;
  const option = (each, at) => Object.assign(element("option", "", `${at + 1}. ${each.texts.map((text) => `\u2068${text}\u2069`).join(" / ")} (${figure(each.similarity, 1)})`), { value: at, selected: at === state.pair });
  $("sentence").replaceChildren(...book.pairs.map(option));
}

function drawControls() {
  const { contributions, layers } = pair();
  const numbered = (numbers) => [[-1, words.average], ...numbers.map((number, at) => [at, number])];
  $("show").parentNode.hidden = !contributions;
  choice("show", [[true, words.adds], [false, words.cosine]], shown.adds, (adds) => change({ adds }));
  choice("unit", [[true, words.words], [false, words.pieces]], state.words, (value) => change({ words: value, held: NONE }));
  choice("layer", numbered(layers.map(({ number }) => number)), state.layer, (layer) => change({ layer, head: -1 }));
  $("head").parentNode.hidden = state.layer < 0;
  choice("head", numbered(layers[state.layer]?.numbers ?? []), state.head, (head) => change({ head }));
  layers.forEach(({ name }, at) => ($("layer").children[at + 1].title = name));
}

// ---- the address

function writeLink() {
  const parts = book.pairs.length > 1 ? { pair: state.pair + 1 } : {};
  if (!state.adds) parts.show = "cosine";
  if (!state.words) parts.unit = "subwords";
  if (state.layer >= 0) parts.layer = state.layer + 1;
  if (state.head >= 0) parts.head = state.head + 1;
  writeAddress(parts);
}

function followLink() {
  const address = new Address();
  if (address.empty) return false;
  const made = { pair: address.optional("pair", book.pairs.length, 0), held: NONE };
  const layers = book.pairs[made.pair]?.layers ?? [];
  made.adds = !address.says("show", "cosine");
  made.words = !address.says("unit", "subwords");
  made.layer = address.optional("layer", layers.length);
  made.head = address.optional("head", layers[made.layer]?.heads ?? 0);
  if (address.right) Object.assign(state, made);
  return address.right;
}

// what was chosen for another pair, as far as this one has it
function settle() {
  const { layers } = pair();
  if (state.layer >= layers.length) state.layer = state.head = -1;
  if (state.head >= (layers[state.layer]?.heads ?? 0)) state.head = -1;
}

let latest = 0;
async function show() {
  const own = ++latest;
  delete document.body.dataset.ready;
  settle();
  try {
    const made = await gather(pair());
    if (own !== latest) return; // chosen anew while this was unpacked
    shown = made;
    drawTexts();
    drawControls();
    drawPictures();
    $("views").classList.toggle("stacked", shown.keys.length > 30);
    sizeBoards();
    point(...state.held);
    writeLink();
    document.body.dataset.ready = "yes";
  } catch (error) {
    if (own !== latest) return;
    $("failure").hidden = false;
    $("failure").textContent = words.failed(error.message);
  }
}

function change(values) {
  Object.assign(state, values);
  return show();
}

// ---- pointing

// `spoken`: the element whose text is read aloud
function point(row, key, spoken) {
  now = [row, key];
  light(row, key);
  $("found").replaceChildren(...tell(row, key));
  shown.self.forEach((_, side) => $(`looked-${side}`).replaceChildren(...tellLook(side, now[side])));
  if (spoken) $("spoken").textContent = $(spoken).textContent;
}

const same = (a, b) => a[0] === b[0] && a[1] === b[1];
const bound = (value, count) => Math.max(0, Math.min(count - 1, value));
const placed = (side, at) => (side ? [-1, at] : [at, -1]);

// what is under the pointer, and the words beside it
function under(event) {
  const plane = event.target.closest(".plane");
  if (!plane) {
    const { row = -1, key = -1 } = event.target.closest("[data-row], [data-key]")?.dataset ?? {};
    return [[Number(row), Number(key)], ""];
  }
  const box = plane.getBoundingClientRect();
  const side = Number(plane.parentNode.id.split("-")[1] ?? -1);
  const { rows, keys, values, weights } = shown.self[side] ?? shown;
  const down = bound(Math.floor(((event.clientY - box.top) / box.height) * rows.length), rows.length);
  const over = bound(Math.floor(((event.clientX - box.left) / box.width) * keys.length), keys.length);
  const at = down * keys.length + over;
  const names = [plain(rows[down]), plain(keys[over])];
  return side < 0 ? [[down, over], words.tip(...names, figure(values[at]))] : [placed(side, down), words.looks(...names, percent(weights[at]))];
}

const said = (id) => (id.startsWith("self") ? `looked-${id.at(-1)}` : "found");

// strips and attention move in one sentence, the lines in either, the matrix in both
function move(id, down, over) {
  const counts = [shown.rows.length, shown.keys.length];
  let next = [bound(now[0] + down, counts[0]), bound(now[1] + over, counts[1])];
  if (id !== "matrix") {
    const turn = id === "lines" && over; // to the other sentence
    const side = id !== "lines" ? Number(id.at(-1)) : turn ? Number(over > 0) : Number(now[0] < 0 && now[1] >= 0);
    const ahead = getComputedStyle($(id)).direction === "rtl" ? -over : over;
    next = placed(side, bound(turn ? Math.max(...now) : now[side] + down + ahead, counts[side]));
  }
  point(...next, said(id));
  for (const node of $(id).querySelectorAll(".on")) node.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function byKey(event, id) {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!shown || !(step || ["Escape", "Enter"].includes(event.key))) return;
  event.preventDefault();
  if (step) return move(id, ...step);
  state.held = event.key === "Enter" ? now : NONE;
  point(...state.held, said(id));
}

let heat = [];
let signed = [];
function recolor(theme) {
  dress(theme);
  mixPalette();
  heat = palette;
  const style = getComputedStyle(document.documentElement);
  const stops = ["less-3", "less-2", "less-1", "none", "more-1", "more-2", "more-3"].map((name) => {
    const hex = style.getPropertyValue(`--${name}`).trim();
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  });
  signed = Array.from({ length: 256 }, (_, i) => {
    const at = Math.min((i / 255) * 6, 5.9999);
    return stops[Math.floor(at)].map((from, channel) => Math.round(from + (stops[Math.floor(at) + 1][channel] - from) * (at % 1)));
  });
}

function listen() {
  listenLink(() => followLink() && show());
  const main = document.querySelector("main");
  main.addEventListener("pointermove", (event) => {
    if (!shown) return;
    const [place, text] = under(event);
    showTip(event, text);
    const next = same(place, NONE) ? state.held : place;
    if (!same(next, now)) point(...next);
  });
  main.addEventListener("pointerleave", () => (showTip(null, ""), shown && point(...state.held)));
  main.addEventListener("click", (event) => {
    const [place, text] = shown ? under(event) : [NONE, ""];
    if (same(place, NONE)) return;
    state.held = same(place, state.held) ? NONE : place;
    point(...place, "found");
    showTip(event, text);
  });
  for (const id of ["strip-0", "strip-1", "lines", ...Object.keys(BOARDS)]) {
    $(id).addEventListener("keydown", (event) => byKey(event, id));
    // come by the keyboard: the first word
    $(id).addEventListener("focus", () => shown && same(now, NONE) && $(id).matches(":focus-visible") && move(id, 1, 0));
    $(id).addEventListener("blur", () => (showTip(null, ""), shown && point(...state.held)));
  }
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
  const redraw = (theme, paper) => (recolor(theme), shown && (drawPictures(), sizeBoards(paper), point(...now)));
  addEventListener("beforeprint", () => redraw("light", true));
  addEventListener("afterprint", () => redraw(state.theme, false));
  const go = (at) => change({ pair: (at + book.pairs.length) % book.pairs.length, held: NONE });
  $("previous").onclick = () => go(state.pair - 1);
  $("next").onclick = () => go(state.pair + 1);
  $("sentence").onchange = (event) => go(Number(event.target.value));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (recolor(state.theme), show()));
  new ResizeObserver(() => shown && !matchMedia("print").matches && sizeBoards()).observe(main);
}

Object.keys(BOARDS).forEach(makeBoard);
recolor(state.theme);
listen();
followLink();
show();
