// Which input is shown: its pages are put together from their parts, and dressed and spoken as this one is.

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

const book = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const state = { language: navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en", theme: "auto", at: 0 };
let words = WORDS[state.language];

const count = book.inputs.length;
const frames = book.models.map((name, at) => {
  const section = document.createElement("section");
  const heading = document.createElement("h2");
  const frame = document.createElement("iframe");
  heading.id = `model-${at + 1}`;
  heading.dir = "auto";
  heading.textContent = name;
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
      const settled = () => (agree(frame), fit(frame), tell());
      new frame.contentWindow.MutationObserver(settled).observe(body, { attributeFilter: ["data-ready"] });
      settled();
    };
    frame.srcdoc = page.replace("</head>", () => `${FRAMED}</head>`);
  });
  draw();
}

function draw() {
  const [what, previous, next] = words[book.kind];
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

const CAN_LINK = location.protocol !== "about:"; // a frame of a notebook has no address of its own

function go(at) {
  state.at = (at + count) % count;
  if (CAN_LINK) history.replaceState(null, "", `#${book.kind}=${state.at + 1}`);
  $("spoken").textContent = `${words.of(state.at + 1, count)}: ${book.inputs[state.at].name}`;
  show();
}

// an address that names none of the inputs is ignored
function follow() {
  const at = Number(new URLSearchParams(location.hash.slice(1)).get(book.kind)) - 1;
  if (!Number.isInteger(at) || at < 0 || at >= count || at === state.at) return false;
  state.at = at;
  return true;
}

function dress() {
  if (state.theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = state.theme;
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
  dress();
  draw();
  frames.forEach(agree);
};
addEventListener("hashchange", () => follow() && show());
document.body.classList.toggle("beside", frames.length > 1);
follow();
show();
