// What every page of the house has: its data, weights unpacked, colours, a choice among buttons, a word at the pointer.

const book = JSON.parse(document.getElementById("data").textContent);

const $ = (id) => document.getElementById(id);

function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

// base64 of deflate of: one float32 scale a head, then a byte a weight (see viewer.pack)
async function unpack(text, heads, rows, keys) {
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = await new Response(stream).arrayBuffer();
  const view = new DataView(bytes);
  const size = rows * keys;
  return Array.from({ length: heads }, (_, head) => {
    const scale = view.getFloat32(4 * head, true) / 255;
    return Float32Array.from(new Uint8Array(bytes, 4 * heads + head * size, size), (step) => step * scale);
  });
}

function mean(maps) {
  const out = new Float32Array(maps[0].length);
  for (const map of maps) for (let i = 0; i < out.length; i++) out[i] += map[i] / maps.length;
  return out;
}

function percent(weight) {
  const value = 100 * weight;
  return (value >= 9.95 || value === 0 ? value.toFixed(0) : value.toFixed(1)) + "\u00a0%";
}

let palette = []; // 256 colours, least first

// a cell a pixel; the style makes the pixels large and keeps them crisp
function paint(canvas, weights, rows, keys, most) {
  canvas.width = keys;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(keys, rows);
  for (let i = 0; i < weights.length; i++) {
    const [red, green, blue] = palette[Math.min(255, Math.round((255 * weights[i]) / (most || 1)))];
    image.data.set([red, green, blue, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

function choice(id, options, chosen, choose) {
  const buttons = options.map(([value, ...content], at) => {
    const button = element("button");
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", value === chosen);
    button.tabIndex = value === chosen ? 0 : -1;
    button.append(...content);
    button.onclick = () => choose(value);
    button.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = (at + step + options.length) % options.length;
      Promise.resolve(choose(options[next][0])).then(() => $(id).children[next]?.focus());
    };
    return button;
  });
  $(id).replaceChildren(...buttons);
}

// a word beside the pointer; "" hides it
function showTip(event, text) {
  $("tip").hidden = !text;
  if (!text) return;
  $("tip").textContent = text;
  const { offsetWidth: width, offsetHeight: height } = $("tip");
  const left = Math.max(8, Math.min(event.clientX + 14, innerWidth - width - 8));
  const top = event.clientY - height - 12 < 8 ? event.clientY + 18 : event.clientY - height - 12;
  Object.assign($("tip").style, { left: `${left}px`, top: `${top}px` });
}

function dress(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
