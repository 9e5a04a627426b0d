// The address restores the view: what is shown stands behind its "#", numbers from 1. A wrong one is ignored whole.

const CAN_LINK = location.protocol !== "about:"; // a frame of a notebook has no address of its own

function writeLink() {
  const parts = new URLSearchParams({ sentence: state.sentence + 1, kind: state.kind });
  for (const pane of panes) {
    if (pane.layer >= 0) parts.set(pane.id("layer"), pane.layer + 1);
    if (pane.head >= 0) parts.set(pane.id("head"), pane.head + 1);
  }
  if (!state.words) parts.set("unit", "subwords");
  if (state.hide) parts.set("sinks", "hidden");
  if (state.step >= 0) parts.set("step", state.step + 1);
  else if (!same(state.held, NONE)) {
    parts.set("cell", state.held.map((at) => at + 1).join("-")); // 0 for none
    if (state.side) parts.set("side", state.side + 1);
  }
  if (CAN_LINK) history.replaceState(null, "", `#${parts}`);
}

// [state, layer and head of each pane], or null where there is nothing to restore
function readLink() {
  const parts = new Map(new URLSearchParams(location.hash.slice(1)));
  if (!parts.size) return null;
  const take = (name) => {
    const text = parts.get(name);
    parts.delete(name);
    return text;
  };
  let right = true;
  const number = (text, most, least = 1) => {
    const value = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
    right &&= value >= least && value <= most;
    return value - 1;
  };
  const optional = (name, most) => (parts.has(name) ? number(take(name), most) : -1);
  const word = (name, only) => {
    const text = take(name);
    right &&= text === undefined || text === only;
    return text === only;
  };
  const made = { sentence: number(take("sentence"), book.models[0].length), kind: take("kind"), held: NONE, step: -1, side: 0 };
  if (!right || !kindsOf(made.sentence).includes(made.kind)) return null;
  const shown = panes.map((pane) => book.models[pane.number][made.sentence].kinds.find((each) => each.kind === made.kind));
  const heads = panes.map((pane, at) => {
    const layers = shown[at]?.layers ?? [];
    const layer = optional(pane.id("layer"), layers.length);
    return { layer, head: optional(pane.id("head"), layers[layer]?.heads ?? 0) };
  });
  made.words = !word("unit", "subwords");
  made.hide = word("sinks", "hidden");
  const sizes = panes.map((pane, at) => {
    if (!shown[at]) return [0, 0];
    const { sides } = book.models[pane.number][made.sentence];
    const hidden = new Set(made.hide ? shown[at].sinks : []);
    return [tokens(sides[shown[at].rows], made.words, new Set()), tokens(sides[shown[at].keys], made.words, hidden)].map(({ list }) => list.length);
  });
  made.step = made.kind === "cross" ? optional("step", Math.max(...sizes.map(([rows]) => rows))) : -1;
  made.side = Math.max(0, optional("side", panes.length));
  if (parts.has("cell")) {
    const pair = take("cell").split("-");
    right &&= pair.length === 2;
    made.held = pair.map((text, axis) => number(text, sizes[made.side]?.[axis] ?? 0, 0));
  }
  return right && !parts.size ? [made, heads] : null; // a part of no name is wrong too
}

function followLink() {
  const found = readLink();
  if (!found) return false;
  Object.assign(state, found[0]);
  found[1].forEach((choices, at) => Object.assign(panes[at], choices));
  return true;
}

async function copyLink() {
  let copied = true;
  try {
    await navigator.clipboard.writeText(location.href);
  } catch {
    // where the clipboard is closed to pages: the old way
    const field = element("textarea", "unseen", location.href);
    document.body.append(field);
    field.select();
    copied = document.execCommand("copy");
    field.remove();
    $("copy").focus();
  }
  $("copy").textContent = $("spoken").textContent = copied ? words.copied : words.notCopied;
  setTimeout(() => ($("copy").textContent = words.copyLink), 2500);
}
