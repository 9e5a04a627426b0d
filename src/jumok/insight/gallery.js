// Which input is shown: its pages are put together from their parts, dressed and spoken as this one is, and show of it what
// they showed of the last: layer, head, view. All of that stands in the address.

const WORDS = {
  en: {
    other: "한국어", otherLang: "ko",
    theme: { auto: "Auto", light: "Light", dark: "Dark" }, themeName: "Colours",
    photo: ["Photo", "Previous photo", "Next photo"], pair: ["Pair of sentences", "Previous pair", "Next pair"],
    of: (at, all) => `${at} of ${all}`,
  },
  ko: {
    other: "English", otherLang: "en",
    theme: { auto: "자동", light: "밝게", dark: "어둡게" }, themeName: "색",
    photo: ["사진", "이전 사진", "다음 사진"], pair: ["문장 쌍", "이전 쌍", "다음 쌍"],
    of: (at, all) => `${all}개 가운데 ${at}번째`,
  },
};
// in a frame a page has no heading and no settings of its own, and all the height it wants: none is measured by a window
const FRAMED = `<style>
  .top, h1 { display: none !important; }
  body { max-width: none; padding: 2px; }
  .sight { position: static; }
  .photo { width: min(100%, 520px * var(--aspect)); }
  .plates img, .matrix, .lines { max-height: none; }
</style>`;

const state = { language: navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en", theme: "auto", at: 0 };
let words = WORDS[state.language];

const count = book.inputs.length;
const views = book.models.map(() => ""); // of each page what its own address would say
const frames = book.models.map((name, at) => {
  const section = element("section");
  const heading = element("h2", "", name);
  const frame = element("iframe");
  heading.id = `model-${at + 1}`;
  heading.dir = "auto";
  heading.hidden = book.models.length < 2;
  section.append(heading, frame);
  $("frames").append(section);
  new ResizeObserver(() => fit(frame)).observe(frame); // another width makes another height
  return frame;
});

const inside = (frame) => frame.contentDocument; // null where pages are kept apart, as in a notebook

function fit(frame) {
  const body = inside(frame)?.body;
  if (!body) return;
  body.parentNode.style.overflowY = "hidden"; // it has its height: no bar, which would make it narrower and higher
  const height = Math.ceil(body.getBoundingClientRect().height) + 4;
  if (Math.abs(frame.offsetHeight - height) > 1) frame.style.height = `${height}px`;
}

// a page is told by its own buttons
function agree(frame) {
  const page = inside(frame);
  if (!page?.body?.dataset.ready) return;
  if (page.documentElement.lang !== state.language) page.getElementById("language").click();
  for (let turn = 0; turn < 3 && (page.documentElement.dataset.theme ?? "auto") !== state.theme; turn++) page.getElementById("theme").click();
}

// this page is ready when all in it are
function tell() {
  if (frames.every((frame) => !inside(frame) || inside(frame).body?.dataset.ready)) document.body.dataset.ready = "yes";
}

// what the pages show now; that of the second has names that end in -2
function remember() {
  frames.forEach((frame, model) => {
    if (inside(frame)?.body?.dataset.ready) views[model] = inside(frame).querySelector('meta[name="view"]').content;
  });
  writeLink();
}

function writeLink() {
  const named = views.flatMap((view, model) => [...new URLSearchParams(view)].map(([name, value]) => [model ? `${name}-${model + 1}` : name, value]));
  writeAddress([[book.kind, state.at + 1], ...named]);
}

function show() {
  delete document.body.dataset.ready;
  const { name, pages } = book.inputs[state.at];
  frames.forEach((frame, model) => {
    const page = pages[model].map((part) => book.parts[part]).join("");
    frame.title = book.models.length > 1 ? `${book.models[model]}: ${name}` : name;
    frame.onload = () => {
      const body = inside(frame)?.body;
      if (!body) return tell();
      new frame.contentWindow.ResizeObserver(() => fit(frame)).observe(body);
      const settled = () => (agree(frame), fit(frame), remember(), tell());
      new frame.contentWindow.MutationObserver(settled).observe(body, { attributeFilter: ["data-ready"] });
      settled();
    };
    const view = `<meta name="view" content="${views[model].replaceAll("&", "&amp;")}">`;
    frame.srcdoc = page.replace("</head>", () => `${view}${FRAMED}</head>`);
  });
  draw();
}

function draw() {
  const [what, previous, next] = words[book.kind];
  drawLink();
  document.documentElement.lang = state.language;
  $("language").textContent = words.other;
  $("language").lang = words.otherLang;
  $("theme").textContent = `${words.themeName}: ${words.theme[state.theme]}`;
  $("sentences").hidden = count < 2;
  $("sentence").setAttribute("aria-label", what);
  $("previous").setAttribute("aria-label", previous);
  $("next").setAttribute("aria-label", next);
  $("sentence").replaceChildren(...book.inputs.map(({ name }, at) => new Option(`${at + 1}. ${name}`, at, false, at === state.at)));
}

function go(at) {
  state.at = (at + count) % count;
  writeLink();
  $("spoken").textContent = `${words.of(state.at + 1, count)}: ${book.inputs[state.at].name}`;
  show();
}

// an address that names none of the inputs is ignored; the rest is for the pages to take
function follow() {
  const address = new Address();
  const at = address.optional(book.kind, count, NaN);
  if (Number.isNaN(at)) return false;
  const parts = views.map(() => new URLSearchParams());
  for (const [name, value] of address.parts) {
    const [, own, model] = /^(.*?)(?:-(\d))?$/.exec(name);
    parts[(model ?? 1) - 1]?.append(own, value);
  }
  state.at = at;
  parts.forEach((own, model) => (views[model] = own.toString()));
  return true;
}

$("previous").onclick = () => go(state.at - 1);
$("next").onclick = () => go(state.at + 1);
$("sentence").onchange = (event) => go(Number(event.target.value));
$("language").onclick = () => {
  state.language = words.otherLang;
  words = WORDS[state.language];
  draw();
  frames.forEach(agree);
};
$("theme").onclick = () => {
  state.theme = { auto: "light", light: "dark", dark: "auto" }[state.theme];
  dress(state.theme);
  draw();
  frames.forEach(agree);
};
listenLink(() => follow() && show());
document.body.classList.toggle("beside", frames.length > 1);
follow();
show();
