// What is shown and how it is chosen: words of the page in two languages, the state, controls, pointer and keys.

const WORDS = {
  en: {
    other: "한국어", otherLang: "ko",
    theme: { auto: "Auto", light: "Light", dark: "Dark" }, themeName: "Colours",
    source: "Source", output: "Output", reference: "Reference", sentence: "Sentence", previous: "Previous sentence", next: "Next sentence",
    kindName: "Attention",
    kind: { cross: "Output → source", encoder: "Source → source", decoder: "Output → output" },
    kindTitle: { cross: "cross-attention", encoder: "encoder self-attention", decoder: "decoder self-attention" },
    unitName: "Unit", words: "Words", pieces: "Subwords",
    layerName: "Layer", headName: (n) => `Heads of layer ${n}`, layersName: "Layers, each the mean of its heads", average: "Average",
    head: (n) => `Head ${n}`, layer: (n) => `Layer ${n}`,
    sinkName: "Sinks", noSinks: "none here",
    sinkText: (names, share) => `Hide ${names} (${share} of all weight)`,
    matrix: "Matrix", lines: "Lines",
    across: { source: "across: source", read: "across: what was written so far" },
    down: { target: "down: output", source: "down: source" },
    left: { source: "Source", read: "Written so far" }, right: { target: "Output", source: "Source" },
    strip: { source: "Source", target: "Output", read: "So far" },
    wrote: (row, list, spread) => [`When it wrote `, row, ` it looked at `, list, `. Spread over about ${spread}.`],
    read: (row, list, spread) => [`To understand `, row, ` it looked at `, list, `. Spread over about ${spread}.`],
    used: (key, list) => [key, ` was looked at most for `, list, `.`],
    nothing: (row) => [row, " looked at hidden sinks only."],
    many: (n, words) => `${n} ${words ? "word" : "subword"}${n === "1.0" ? "" : "s"}`,
    invite: "Point at a word, or tap it, to see what it looked at.",
    tip: (row, key, weight) => `${row} looked ${weight} at ${key}`,
    caption: "Attention is where the model looked, not a proof of why it wrote a word. Row i is the step that wrote word i; weights are taken in evaluation mode, before dropout.",
    help: "How to read this page",
    helps: [
      "Each row of the matrix sums to 100 %: how one step shared its attention out. Dark cells got most.",
      "A word's weight is the sum over its subwords; a word of the output is the mean over the steps that wrote it. ▁ marks a space.",
      "A sink is where attention rests when nothing needs looking at: a begin or end token, a comma, a full stop. Hiding sinks stretches the rest to 100 %.",
      "Keys: Tab to a picture, arrow keys to move, Enter to hold a word, Escape to let go.",
    ],
    matrixLabel: (rows, keys) => `Matrix of ${rows} rows and ${keys} columns. Use the arrow keys.`,
    linesLabel: "Lines between the words. Use the up and down keys.",
    failed: (message) => `The weights of this page cannot be read (${message}). Open it in a current browser.`,
  },
  ko: {
    other: "English", otherLang: "en",
    theme: { auto: "자동", light: "밝게", dark: "어둡게" }, themeName: "색",
    source: "원문", output: "출력", reference: "정답", sentence: "문장", previous: "이전 문장", next: "다음 문장",
    kindName: "어텐션",
    kind: { cross: "출력 → 원문", encoder: "원문 → 원문", decoder: "출력 → 출력" },
    kindTitle: { cross: "교차 어텐션", encoder: "인코더 셀프 어텐션", decoder: "디코더 셀프 어텐션" },
    unitName: "단위", words: "단어", pieces: "서브워드",
    layerName: "층", headName: (n) => `${n}층의 헤드`, layersName: "층마다 헤드를 평균한 그림", average: "평균",
    head: (n) => `헤드 ${n}`, layer: (n) => `${n}층`,
    sinkName: "싱크", noSinks: "없음",
    sinkText: (names, share) => `${names} 숨기기 (전체 가중치의 ${share})`,
    matrix: "행렬", lines: "선",
    across: { source: "가로: 원문", read: "가로: 지금까지 쓴 것" },
    down: { target: "세로: 출력", source: "세로: 원문" },
    left: { source: "원문", read: "지금까지 쓴 것" }, right: { target: "출력", source: "원문" },
    strip: { source: "원문", target: "출력", read: "쓴 것" },
    wrote: (row, list, spread) => [row, " 쓸 때 본 곳: ", list, `. 약 ${spread}에 퍼져 있습니다.`],
    read: (row, list, spread) => [row, " 이해할 때 본 곳: ", list, `. 약 ${spread}에 퍼져 있습니다.`],
    used: (key, list) => [key, " 가장 많이 본 곳: ", list, "."],
    nothing: (row) => [row, " 숨긴 싱크만 보았습니다."],
    many: (n, words) => `${words ? "단어" : "서브워드"} ${n}개`,
    invite: "단어를 가리키거나 누르면 그 단어가 어디에 주목했는지 보입니다.",
    tip: (row, key, weight) => `${row} → ${key} ${weight}`,
    caption: "어텐션은 모델이 어디를 보았는지를 보여 줄 뿐, 왜 그 단어를 썼는지 증명하지 않습니다. i번째 행은 i번째 단어를 쓴 단계이며, 가중치는 평가 모드에서 드롭아웃을 적용하기 전의 값입니다.",
    help: "이 페이지를 읽는 법",
    helps: [
      "행렬의 각 행은 합이 100 %입니다. 한 단계가 주목을 어떻게 나누었는지 나타내며, 진한 칸일수록 많이 본 곳입니다.",
      "단어의 가중치는 그 서브워드들의 합이고, 출력 단어는 그 단어를 쓴 단계들의 평균입니다. ▁는 띄어쓰기입니다.",
      "싱크는 볼 것이 없을 때 주목이 쉬는 곳입니다. 시작·끝 토큰, 쉼표, 마침표가 그렇습니다. 숨기면 나머지가 100 %로 늘어납니다.",
      "키보드: Tab으로 그림에 가서 화살표로 움직이고, Enter로 고정하고, Esc로 풉니다.",
    ],
    matrixLabel: (rows, keys) => `${rows}행 ${keys}열의 행렬입니다. 화살표 키를 쓰세요.`,
    linesLabel: "단어 사이의 선입니다. 위아래 화살표 키를 쓰세요.",
    failed: (message) => `이 페이지의 가중치를 읽을 수 없습니다 (${message}). 최신 브라우저로 열어 주세요.`,
  },
};

const state = {
  language: navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en",
  theme: "auto", sentence: 0, kind: 0, layer: -1, head: -1, words: true, hide: false,
  held: [-1, -1], // (row, key) kept by a click
};
let picture = null;
let words = WORDS[state.language];
const sentence = () => book.sentences[state.sentence];
const kind = () => sentence().kinds[state.kind];

// ---- controls

function change(values) {
  Object.assign(state, values, { held: [-1, -1] });
  return show();
}

function drawTexts() {
  const { texts, model } = sentence();
  document.documentElement.lang = state.language;
  $("language").textContent = words.other;
  $("language").lang = words.otherLang;
  $("theme").textContent = `${words.themeName}: ${words.theme[state.theme]}`;
  $("model").textContent = model;
  $("model").hidden = !model;
  const parts = ["source", "output", "reference"].filter((name) => texts[name] !== null && texts[name] !== book.title);
  $("texts").replaceChildren(
    ...parts.flatMap((name) => {
      const said = element("dd", name, texts[name]);
      said.dir = "auto";
      return [element("dt", "", words[name]), said];
    }),
  );
  for (const [id, text] of Object.entries({
    "kind-name": words.kindName, "unit-name": words.unitName, "sink-name": words.sinkName, "layer-name": words.layerName,
    "matrix-name": words.matrix, "lines-name": words.lines, caption: words.caption, "help-name": words.help,
    "matrix-axes": `${words.across[kind().keys]} · ${words.down[kind().rows]}`,
    "lines-axes": `${words.left[kind().keys]} ↔ ${words.right[kind().rows]}`,
  })) $(id).textContent = text;
  $("help").replaceChildren(...words.helps.map((text) => element("li", "", text)));
  $("sentences").hidden = book.sentences.length < 2;
  $("sentence").setAttribute("aria-label", words.sentence);
  $("previous").setAttribute("aria-label", words.previous);
  $("next").setAttribute("aria-label", words.next);
  $("sentence").replaceChildren(
    ...book.sentences.map((each, at) => {
      const option = element("option", "", `${at + 1}. ${each.texts.source}`);
      option.value = at;
      option.selected = at === state.sentence;
      return option;
    }),
  );
}

function drawControls() {
  const kinds = sentence().kinds.map((each, at) => [at, words.kind[each.kind], element("small", "", words.kindTitle[each.kind])]);
  choice("kind", kinds, state.kind, (value) => change({ kind: value, layer: -1, head: -1 }));
  choice("unit", [[true, words.words], [false, words.pieces]], state.words, (value) => change({ words: value }));
  const layers = kind().layers.map((layer, at) => [at, String(at + 1)]);
  choice("layer", [[-1, words.average], ...layers], state.layer, (value) => change({ layer: value, head: -1 }));
  [...$("layer").children].forEach((button, at) => (button.title = at ? kind().layers[at - 1].name : ""));
  const { sinks, share, keys } = kind();
  const names = [...new Set(sinks.map((at) => `“${sentence().sides[keys].pieces[at].replace(SPACE, "")}”`))].join(" ");
  $("sink-field").classList.toggle("off", !sinks.length);
  $("hide").disabled = !sinks.length;
  $("hide").checked = state.hide && sinks.length > 0;
  $("sink-text").textContent = sinks.length ? words.sinkText(names, percent(share)) : words.noSinks;
}

// Small pictures to choose a head by; for the average of all layers, the layers.
async function drawThumbs() {
  const shown = kind();
  const [rows, keys] = [shown.rows, shown.keys].map((side) => sentence().sides[side].pieces.length);
  const whole = state.layer < 0;
  $("head-name").textContent = whole ? words.layersName : words.headName(state.layer + 1);
  const maps = whole
    ? (await Promise.all(shown.layers.map((_, at) => layerMaps(sentence(), shown, at)))).map(mean)
    : await layerMaps(sentence(), shown, state.layer);
  if (shown !== kind()) return;
  const thumb = (map, name) => {
    const canvas = element("canvas", rows > 56 || keys > 64 ? "large" : "");
    let most = 0;
    for (const weight of map) most = Math.max(most, weight);
    paint(canvas, map, rows, keys, most);
    return [canvas, element("span", "", name)];
  };
  const each = maps.map((map, at) => [at, ...thumb(map, whole ? words.layer(at + 1) : words.head(at + 1))]);
  if (whole) choice("head", each, -1, (value) => change({ layer: value, head: -1 }));
  else choice("head", [[-1, ...thumb(mean(maps), words.average)], ...each], state.head, (value) => change({ head: value }));
}

async function show() {
  try {
    const maps = await layerMaps(sentence(), kind(), state.layer);
    const map = state.head < 0 ? mean(maps) : maps[state.head];
    const { sides } = sentence();
    const hidden = new Set(state.hide ? kind().sinks : []);
    picture = reduce(map, sides[kind().rows], sides[kind().keys], state.words, hidden);
    drawTexts();
    drawControls();
    drawStrips(picture);
    for (const [id, side] of [["strip-keys", kind().keys], ["strip-rows", kind().rows]]) $(id).dataset.name = words.strip[side];
    $("views").classList.toggle("stacked", picture.keys.length > 34);
    drawMatrix(picture);
    drawLines(picture);
    $("most").textContent = percent(picture.most);
    $("matrix").setAttribute("aria-label", words.matrixLabel(picture.rows.length, picture.keys.length));
    $("lines").setAttribute("aria-label", words.linesLabel);
    point(...state.held);
    await drawThumbs();
    document.body.dataset.ready = "yes";
  } catch (error) {
    $("failure").hidden = false;
    $("failure").textContent = words.failed(error.message);
  }
}

// ---- pointing

const shownText = (token) => token.text.replace(SPACE, "") || token.text;
const bold = (token) => {
  const made = element("b", "", shownText(token));
  made.dir = "auto";
  return made;
};

function tell(row, key) {
  if (row < 0 && key < 0) return [words.invite];
  const chips = (list) => {
    const made = element("span");
    list.forEach(([token, weight], at) => made.append(at ? ", " : "", bold(token), ` ${percent(weight)}`));
    return made;
  };
  if (row < 0) {
    const own = wroteFrom(picture, key);
    const order = [...own.keys()].sort((a, b) => own[b] - own[a]).slice(0, 4).filter((at) => own[at] >= 0.005);
    return words.used(bold(picture.keys[key]), chips(order.map((at) => [picture.rows[at], own[at]])));
  }
  const { weights, order, spread } = lookedAt(picture, row);
  const best = order.slice(0, 4).filter((at) => weights[at] >= 0.005);
  if (!best.length) return words.nothing(bold(picture.rows[row]));
  const sentenceOf = kind().kind === "encoder" ? words.read : words.wrote;
  const list = chips(best.map((at) => [picture.keys[at], weights[at]]));
  return sentenceOf(bold(picture.rows[row]), list, words.many(spread.toFixed(1), state.words));
}

let now = [-1, -1];
function point(row, key, speak = false) {
  now = [row, key];
  light(picture, row, key);
  $("found").replaceChildren(...tell(row, key));
  if (speak) $("spoken").textContent = (row >= 0 && key >= 0 ? `${cellText(row, key)}. ` : "") + $("found").textContent;
}

function cellText(row, key) {
  const weight = picture.weights[row * picture.keys.length + key];
  return words.tip(shownText(picture.rows[row]), shownText(picture.keys[key]), percent(weight));
}

function tip(event, row, key) {
  showTip(event, row >= 0 && key >= 0 ? cellText(row, key) : "");
}

// (row, key) under the pointer: a cell of the matrix, or a word of any picture
function under(event) {
  const plane = event.target.closest("#plane");
  if (plane) {
    const box = plane.getBoundingClientRect();
    const at = (place, size, count) => Math.max(0, Math.min(count - 1, Math.floor((place / size) * count)));
    return [
      at(event.clientY - box.top, box.height, picture.rows.length),
      at(event.clientX - box.left, box.width, picture.keys.length),
    ];
  }
  const word = event.target.closest("[data-row], [data-key]");
  return word ? [Number(word.dataset.row ?? -1), Number(word.dataset.key ?? -1)] : [-1, -1];
}

const same = (a, b) => a[0] === b[0] && a[1] === b[1];

function recolor(theme) {
  dress(theme);
  mixPalette();
}

function listen() {
  document.querySelector("main").addEventListener("pointermove", (event) => {
    if (!picture) return;
    const place = under(event);
    const next = same(place, [-1, -1]) ? state.held : place;
    tip(event, ...(event.target.closest("#plane") ? place : [-1, -1]));
    if (!same(next, now)) point(...next);
  });
  document.querySelector("main").addEventListener("pointerleave", () => {
    $("tip").hidden = true;
    point(...state.held);
  });
  document.querySelector("main").addEventListener("click", (event) => {
    const place = under(event);
    if (same(place, [-1, -1])) return;
    state.held = same(place, state.held) ? [-1, -1] : place;
    point(...place, true);
    tip(event, ...(event.target.closest("#plane") ? place : [-1, -1]));
  });
  for (const [id, flat] of [["matrix", false], ["lines", true]]) {
    $(id).addEventListener("keydown", (event) => move(event, flat));
    $(id).addEventListener("blur", () => ($("tip").hidden = true));
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
  addEventListener("beforeprint", () => (recolor("light"), picture && drawMatrix(picture, true), point(...now)));
  addEventListener("afterprint", () => (recolor(state.theme), picture && drawMatrix(picture), point(...now)));
  const go = (at) => change({ sentence: (at + book.sentences.length) % book.sentences.length, kind: 0, layer: -1, head: -1 });
  $("previous").onclick = () => go(state.sentence - 1);
  $("next").onclick = () => go(state.sentence + 1);
  $("sentence").onchange = (event) => go(Number(event.target.value));
  $("hide").onchange = (event) => change({ hide: event.target.checked });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (mixPalette(), show()));
  new ResizeObserver(() => picture && !matchMedia("print").matches && sizeMatrix(picture)).observe($("matrix"));
}

function move(event, flat) {
  const [row, key] = now;
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (event.key === "Escape") state.held = [-1, -1];
  else if (event.key === "Enter") state.held = now;
  else if (!step || (flat && step[1])) return;
  event.preventDefault();
  if (!step) return point(...state.held, true);
  const bound = (value, count) => Math.max(0, Math.min(count - 1, value));
  const next = [bound(row + step[0], picture.rows.length), flat ? -1 : bound(key + step[1], picture.keys.length)];
  point(...next, true);
  (flat ? $("right") : $("rows")).children[next[0]].scrollIntoView({ block: "nearest", inline: "nearest" });
  if (!flat) $("columns").children[next[1]].scrollIntoView({ block: "nearest", inline: "nearest" });
}

mixPalette();
listen();
show();
