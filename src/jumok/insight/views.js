// What pictures of text are made of: a word, the colours, a thread between two words.

const CJK = /^[\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7af]+$/;

function label(token, tag = "span") {
  const made = element(tag, token.special ? "special" : "");
  made.dir = "auto";
  if (token.text.startsWith("▁")) made.append(element("s", "", "▁"), token.text.slice(1));
  else made.textContent = token.text;
  made.title = token.text;
  return made;
}

// 256 colours through the stops --heat-0 .. --heat-3 of the style
function mixPalette() {
  const style = getComputedStyle(document.documentElement);
  const stops = [0, 1, 2, 3].map((i) => {
    const hex = style.getPropertyValue(`--heat-${i}`).trim();
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  });
  palette = Array.from({ length: 256 }, (_, i) => {
    const at = Math.min((i / 255) * 3, 2.9999);
    const [a, b, part] = [stops[Math.floor(at)], stops[Math.floor(at) + 1], at % 1];
    return a.map((value, channel) => Math.round(value + (b[channel] - value) * part));
  });
}

const ROW = 28; // height of a word in the lines, as in the style

function thread(row, key, weight) {
  const path = $("thread").cloneNode(); // from the page itself, so that no namespace has to be spelled
  path.removeAttribute("id");
  const [from, to] = [(key + 0.5) * ROW, (row + 0.5) * ROW];
  path.setAttribute("d", `M0 ${from}C45 ${from} 55 ${to} 100 ${to}`);
  path.style.opacity = Math.max(0.05, weight).toFixed(3);
  path.style.strokeWidth = (1 + 3 * weight).toFixed(2);
  return path;
}

// Many threads as a few paths, one for each shade: a page of long texts stays quick.
function bundles(threads) {
  const shades = new Map();
  for (const [row, key, weight] of threads) {
    const shade = Math.max(0.5, Math.round(8 * weight)) / 8;
    if (!shades.has(shade)) shades.set(shade, []);
    shades.get(shade).push([row, key]);
  }
  return [...shades].map(([shade, places]) => {
    const whole = thread(0, 0, shade);
    whole.setAttribute("d", places.map(([row, key]) => thread(row, key, shade).getAttribute("d")).join(""));
    return whole;
  });
}
