// What is shown and how it is chosen: words of the page in two languages, the state, controls, the link, pointer and keys.

const WORDS = {
  en: {
    other: "한국어", otherLang: "ko",
    theme: { auto: "Auto", light: "Light", dark: "Dark" }, themeName: "Colours",
    photo: "The photo as the model saw it", guesses: "Prediction", truth: (name) => `Label: ${name}`,
    from: "Who looks", rollout: "Rollout, all layers", patch: "One patch",
    tokens: { 0: ["Mean of all patches"], 1: ["Class token"], 2: ["Class token", "Distillation token"] }[book.prefix],
    layer: (n, all) => `Layer ${n} of ${all}`, through: (n, all) => `Through layers 1 to ${n} of ${all}`,
    sheet: "Every layer and head", sheetAxes: "down: layers · across: the mean of the heads, then each head",
    rolled: "Through the layers", rolledAxes: "after layer 1, 2, …",
    mean: "mean", cell: (layer, head) => `Layer ${layer}, ${head ? `head ${head}` : "mean of the heads"}`,
    strength: "Heat over the photo", edge: "Edges", smooth: "Smooth",
    who: { 0: ["the mean patch"], 1: ["the class token"], 2: ["the class token", "the distillation token"] }[book.prefix],
    one: (row, column) => `the patch in row ${row}, column ${column}`,
    found: (place, who, share, half, all) => [place, ": ", who, " gave ", share, " of its look to the photo, half of that to ", half, ` of ${all} patches.`],
    foundRolled: (place, share, half, all) => [place, ": ", share, " of what reaches the classifier comes from the photo, half of that from ", half, ` of ${all} patches.`],
    distance: (far, even) => [" Between patches, attention here spans ", far, ` on average (if spread evenly: ${even}).`],
    tip: (row, column, weight) => `row ${row}, column ${column}: ${weight}`,
    caption: "Attention is where the model looked, not a proof of why it decided. Weights are taken in evaluation mode, before dropout. Each picture has its own scale.",
    help: "How to read this page",
    helps: [
      "The photo is cut into patches. In every layer each head shares one look, 100 %, out over all of them and over the model's own tokens. Bright patches got most.",
      "The classifier reads the class token (or the mean of all patches), so its look in the last layers is nearest to the answer. Rollout follows the attention of all layers down to the photo.",
      "A single bright patch far from any object is often a sink: a place where attention rests when nothing needs looking at.",
      "Click a patch, and the page shows what that patch looked at. Early heads often look at neighbours, as a convolution does.",
      "Keys: Tab to the photo, arrow keys to move, Enter to ask a patch, Escape to go back. In the sheet arrow keys change layer and head.",
      "The address of the page holds what is shown: copy the link to come back to it.",
    ],
    plates: "Figures", photoLabel: (rows, columns) => `Photo of ${rows} by ${columns} patches. Use the arrow keys; Enter asks a patch what it looked at.`,
    failed: (message) => `The weights of this page cannot be read (${message}). Open it in a current browser.`,
  },
  ko: {
    other: "English", otherLang: "en",
    theme: { auto: "자동", light: "밝게", dark: "어둡게" }, themeName: "색",
    photo: "모델이 본 사진", guesses: "예측", truth: (name) => `정답: ${name}`,
    from: "누가 보나", rollout: "롤아웃 (모든 층)", patch: "패치 하나",
    tokens: { 0: ["모든 패치의 평균"], 1: ["클래스 토큰"], 2: ["클래스 토큰", "증류 토큰"] }[book.prefix],
    layer: (n, all) => `${all}층 가운데 ${n}층`, through: (n, all) => `${all}층 가운데 1층부터 ${n}층까지`,
    sheet: "모든 층과 헤드", sheetAxes: "세로: 층 · 가로: 헤드의 평균, 그다음 각 헤드",
    rolled: "층을 지나며", rolledAxes: "1층, 2층, … 을 지난 뒤",
    mean: "평균", cell: (layer, head) => `${layer}층, ${head ? `헤드 ${head}` : "헤드의 평균"}`,
    strength: "사진 위의 색", edge: "경계", smooth: "부드럽게",
    who: { 0: ["패치들"], 1: ["클래스 토큰"], 2: ["클래스 토큰", "증류 토큰"] }[book.prefix],
    one: (row, column) => `${row}행 ${column}열의 패치`,
    found: (place, who, share, half, all) => [place, ": ", who, "의 시선 가운데 ", share, "가 사진에 갔고, 그 절반은 패치 ", `${all}개 가운데 `, half, "개에 모였습니다."],
    foundRolled: (place, share, half, all) => [place, ": 분류기에 닿는 것의 ", share, "가 사진에서 오고, 그 절반은 패치 ", `${all}개 가운데 `, half, "개에서 옵니다."],
    distance: (far, even) => [" 여기서 패치 사이의 어텐션은 평균 ", far, ` 떨어진 곳에 닿습니다 (고르게 보면 ${even}).`],
    tip: (row, column, weight) => `${row}행 ${column}열: ${weight}`,
    caption: "어텐션은 모델이 어디를 보았는지를 보여 줄 뿐, 왜 그렇게 판단했는지 증명하지 않습니다. 가중치는 평가 모드에서 드롭아웃을 적용하기 전의 값이며, 그림마다 눈금이 다릅니다.",
    help: "이 페이지를 읽는 법",
    helps: [
      "사진은 패치로 나뉩니다. 층마다 헤드마다 시선 100 %를 모든 패치와 모델의 토큰에 나누어 주며, 밝은 패치일수록 많이 받았습니다.",
      "분류기는 클래스 토큰(또는 모든 패치의 평균)을 읽으므로, 마지막 층의 시선이 답에 가장 가깝습니다. 롤아웃은 모든 층의 어텐션을 사진까지 따라 내려간 것입니다.",
      "물체에서 먼 패치 하나만 밝으면 대개 싱크입니다. 볼 것이 없을 때 주목이 쉬는 곳입니다.",
      "패치를 누르면 그 패치가 본 곳이 보입니다. 앞쪽 층의 헤드는 흔히 합성곱처럼 이웃을 봅니다.",
      "키보드: Tab으로 사진에 가서 화살표로 움직이고, Enter로 패치를 고르고, Esc로 돌아갑니다. 모음 그림에서는 화살표로 층과 헤드를 바꿉니다.",
      "페이지 주소에 지금 보이는 상태가 담깁니다. 링크를 복사해 두면 그대로 다시 볼 수 있습니다.",
    ],
    plates: "그림", photoLabel: (rows, columns) => `가로 ${columns}, 세로 ${rows} 패치의 사진입니다. 화살표 키로 움직이고 Enter로 패치를 고르세요.`,
    failed: (message) => `이 페이지의 가중치를 읽을 수 없습니다 (${message}). 최신 브라우저로 열어 주세요.`,
  },
};

const depth = book.layers.length;
// their numbers in the model, where only some are shown; 0 is the mean of the heads
const layerAt = (at) => book.numbers.layers[at];
const headAt = (at) => book.numbers.heads[at] ?? 0;
const through = (at) => words.through(layerAt(at), book.numbers.of);
const asked = book.layers.every((layer) => layer.patches); // single patches can be asked
const ROLLOUT = -1;
const state = {
  language: navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en",
  theme: "auto",
  from: 0, // a token of the prefix, then the patches; or ROLLOUT
  patch: Math.floor(rows / 2) * columns + Math.floor(columns / 2), // the patch asked last
  layer: depth - 1, head: -1, strength: 1, smooth: true,
};
let words = WORDS[state.language];
let row = new Float32Array(patches); // what is over the photo
const photo = $("plain");

const ofPatch = () => state.from >= tokens;

function drawTexts() {
  document.documentElement.lang = state.language;
  $("language").textContent = words.other;
  $("language").lang = words.otherLang;
  $("theme").textContent = `${words.themeName}: ${words.theme[state.theme]}`;
  $("model").textContent = book.model;
  $("model").hidden = !book.model;
  $("truth").textContent = book.truth === null ? "" : words.truth(book.truth);
  $("truth").hidden = book.truth === null;
  const rolled = state.from === ROLLOUT;
  for (const [id, text] of Object.entries({
    "guess-name": words.guesses, "from-name": words.from, "strength-name": words.strength, "edge-name": words.edge,
    "smooth-text": words.smooth, caption: words.caption, "help-name": words.help, "plates-name": words.plates,
    "sheet-name": rolled ? words.rolled : words.sheet, "sheet-axes": rolled ? words.rolledAxes : words.sheetAxes,
    "layer-name": (rolled ? words.through : words.layer)(layerAt(state.layer), book.numbers.of),
  })) $(id).textContent = text;
  $("help").replaceChildren(...words.helps.map((text) => element("li", "", text)));
  photo.alt = words.photo;
  $("photo").setAttribute("aria-label", words.photoLabel(rows, columns));
  $("strength").value = 100 * state.strength;
  $("smooth").checked = state.smooth;
  drawLink();
  $("guesses").replaceChildren(
    ...book.predictions.map(([name, share]) => {
      const item = element("li");
      const said = element("span", "", name);
      said.dir = "auto";
      item.style.setProperty("--p", share);
      item.append(said, element("output", "", percent(share)));
      return item;
    }),
  );
}

function drawPlates() {
  $("plates").replaceChildren(
    ...book.plates.map(({ name, png, captions }) => {
      const { title, text } = captions[state.language];
      const [made, image, said] = [element("figure", `card ${name}`), element("img"), element("figcaption", "", text)];
      image.setAttribute("src", png);
      image.alt = title;
      made.append(element("h2", "", title), image, said);
      return made;
    }),
  );
}

function drawControls() {
  const options = words.tokens.map((name, at) => [at, name]);
  options.push([ROLLOUT, words.rollout]);
  if (asked) options.push([tokens, words.patch]);
  choice("from", options, ofPatch() ? tokens : state.from, (value) => change({ from: value < tokens ? value : tokens + state.patch }));
  $("layer").max = depth;
  $("layer").value = state.layer + 1;
}

// ---- the sheet: a small map for each layer and head; for the rollout, one for each layer

let drawn = null; // whose maps the sheet shows, in which language
async function drawSheet() {
  const wanted = `${state.from} ${state.language}`;
  if (drawn !== wanted) {
    const rolled = state.from === ROLLOUT;
    const wide = rolled ? depth : 1 + book.heads;
    const cells = [];
    if (rolled) {
      const maps = await rolledOut();
      maps.forEach((_, at) => cells.push(element("span", "", layerAt(at))));
      maps.forEach((map, at) => cells.push(cell(map, at, -1, through(at))));
    } else {
      cells.push(element("span"));
      for (let head = -1; head < book.heads; head++) cells.push(element("span", "", head < 0 ? words.mean : headAt(head)));
      for (let layer = 0; layer < depth; layer++) {
        const maps = await looked(layer, state.from);
        cells.push(element("span", "", layerAt(layer)));
        [mean(maps), ...maps].forEach((map, at) => cells.push(cell(onPatches(map), layer, at - 1, words.cell(layerAt(layer), headAt(at - 1)))));
      }
    }
    if (wanted !== `${state.from} ${state.language}`) return;
    $("sheet").style.setProperty("--wide", wide);
    $("sheet").classList.toggle("numbered", !rolled);
    $("sheet").replaceChildren(...cells);
    drawn = wanted;
  }
  check($("sheet"), (button) => Number(button.dataset.layer) === state.layer && Number(button.dataset.head) === state.head);
}

async function moveInSheet(event) {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!step) return;
  event.preventDefault();
  const bound = (value, least, most) => Math.max(least, Math.min(most, value));
  if (state.from === ROLLOUT) await change({ layer: bound(state.layer + step[0] + step[1], 0, depth - 1) });
  else await change({ layer: bound(state.layer + step[0], 0, depth - 1), head: bound(state.head + step[1], -1, book.heads - 1) });
  $("sheet").querySelector('[aria-checked="true"]').focus();
}

// ---- the photo

function tell(share) {
  const bold = (text) => element("b", "", text);
  const half = bold(String(halfOn(row)));
  if (state.from === ROLLOUT) return words.foundRolled(through(state.layer), bold(percent(share)), half, patches);
  const who = ofPatch() ? words.one(...place(state.patch)) : words.who[state.from];
  const far = book.layers[state.layer].distance;
  const value = state.head < 0 ? far.reduce((a, b) => a + b) / far.length : far[state.head];
  const pixels = (count) => `${count.toFixed(count < 10 ? 1 : 0)}\u00a0px`;
  const said = words.found(words.cell(layerAt(state.layer), headAt(state.head)), who, bold(percent(share)), half, patches);
  return [...said, ...words.distance(bold(pixels(value)), pixels(book.even))];
}

function drawPhoto() {
  drawSight($("canvas"), photo, row, state.strength, state.smooth);
  $("most").textContent = percent(largest(row));
  $("found").replaceChildren(...tell(sum(row)));
  mark("asked", ofPatch() ? state.patch : -1);
}

// ---- the address

function writeLink() {
  const parts = {};
  if (ofPatch()) parts.patch = state.patch + 1;
  else if (state.from === ROLLOUT) parts.from = "rollout";
  else if (state.from > 0) parts.token = state.from + 1;
  if (state.layer !== depth - 1) parts.layer = state.layer + 1;
  if (state.head >= 0) parts.head = state.head + 1;
  linkSight(parts);
  writeAddress(parts);
}

function followLink() {
  const address = new Address();
  if (address.empty) return false;
  const rolled = address.says("from", "rollout");
  const patch = address.optional("patch", asked && !rolled ? patches : 0);
  const token = address.optional("token", rolled || patch >= 0 ? 0 : tokens, 0);
  const made = { from: rolled ? ROLLOUT : patch >= 0 ? tokens + patch : token, layer: address.optional("layer", depth, depth - 1) };
  made.head = address.optional("head", rolled ? 0 : book.heads);
  if (patch >= 0) made.patch = patch;
  Object.assign(made, readSight(address));
  if (address.right) Object.assign(state, made);
  return address.right;
}

// ---- what is shown

let latest = 0;
async function show() {
  const own = ++latest;
  delete document.body.dataset.ready;
  try {
    const { head } = state;
    const maps = state.from === ROLLOUT ? await rolledOut() : await looked(state.layer, state.from);
    if (own !== latest) return; // chosen anew while this was unpacked
    row = state.from === ROLLOUT ? maps[state.layer] : onPatches(head < 0 ? mean(maps) : maps[head]);
    drawTexts();
    drawControls();
    drawPhoto();
    writeLink();
    await drawSheet();
    document.body.dataset.ready = "yes";
  } catch (error) {
    $("failure").hidden = false;
    $("failure").textContent = words.failed(error.message);
  }
}

function change(values) {
  Object.assign(state, values);
  if (state.from === ROLLOUT) state.head = -1;
  return show();
}

const said = (patch) => words.tip(...place(patch), percent(row[patch]));

const ask = (patch) => asked && change({ patch, from: tokens + patch });

function leave() {
  mark("spot", -1);
  showTip(null, "");
}

function listen() {
  listenLink(() => followLink() && show());
  let now = state.patch;
  $("photo").addEventListener("pointermove", (event) => {
    now = under(event);
    mark("spot", now);
    showTip(event, said(now));
  });
  $("photo").addEventListener("pointerleave", leave);
  $("photo").addEventListener("blur", leave);
  $("photo").addEventListener("click", (event) => ask(under(event)));
  $("photo").addEventListener("keydown", async (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step && !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (step) {
      const [top, left] = place(now).map((number) => number - 1);
      const bound = (value, count) => Math.max(0, Math.min(count - 1, value));
      now = bound(top + step[0], rows) * columns + bound(left + step[1], columns);
    } else if (event.key === "Enter") await ask(now);
    else await change({ from: 0 });
    mark("spot", now);
    $("spoken").textContent = step ? said(now) : $("found").textContent;
  });
  $("sheet").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) change({ layer: Number(button.dataset.layer), head: Number(button.dataset.head) });
  });
  $("sheet").addEventListener("keydown", moveInSheet);
  $("layer").oninput = (event) => change({ layer: Number(event.target.value) - 1 });
  $("strength").oninput = (event) => change({ strength: Number(event.target.value) / 100 });
  $("smooth").onchange = (event) => change({ smooth: event.target.checked });
  $("language").onclick = () => {
    state.language = words.otherLang;
    words = WORDS[state.language];
    drawPlates();
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
listen();
followLink();
drawPlates();
photo.classList.toggle("tiny", Math.max(...book.size) < 128);
photo.onload = show;
photo.setAttribute("src", book.photo);
