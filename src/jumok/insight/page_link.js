// What of this page stands in its address: the sentence, the kind of attention, layers and heads, the step or the place held.

function writeLink() {
  const parts = { sentence: state.sentence + 1, kind: state.kind };
  for (const pane of panes) {
    if (pane.layer >= 0) parts[pane.id("layer")] = pane.layer + 1;
    if (pane.head >= 0) parts[pane.id("head")] = pane.head + 1;
  }
  if (!state.words) parts.unit = "subwords";
  if (state.hide) parts.sinks = "hidden";
  if (state.step >= 0) parts.step = state.step + 1;
  else if (!same(state.held, NONE)) {
    parts.cell = state.held.map((at) => at + 1).join("-"); // 0 for none
    if (state.side) parts.side = state.side + 1;
  }
  writeAddress(parts);
}

// [state, layer and head of each pane], or null where there is nothing to restore
function readLink() {
  const address = new Address();
  if (address.empty) return null;
  const made = { sentence: address.number(address.take("sentence"), book.models[0].length), kind: address.take("kind"), held: NONE, step: -1, side: 0 };
  if (!address.fits || !kindsOf(made.sentence).includes(made.kind)) return null;
  const shown = panes.map((pane) => book.models[pane.number][made.sentence].kinds.find((each) => each.kind === made.kind));
  const heads = panes.map((pane, at) => {
    const layers = shown[at]?.layers ?? [];
    const layer = address.optional(pane.id("layer"), layers.length);
    return { layer, head: address.optional(pane.id("head"), layers[layer]?.heads ?? 0) };
  });
  made.words = !address.says("unit", "subwords");
  made.hide = address.says("sinks", "hidden");
  const sizes = panes.map((pane, at) => {
    if (!shown[at]) return [0, 0];
    const { sides } = book.models[pane.number][made.sentence];
    const hidden = new Set(made.hide ? shown[at].sinks : []);
    return [tokens(sides[shown[at].rows], made.words, new Set()), tokens(sides[shown[at].keys], made.words, hidden)].map(({ list }) => list.length);
  });
  made.step = made.kind === "cross" ? address.optional("step", Math.max(...sizes.map(([rows]) => rows))) : -1;
  made.side = address.optional("side", panes.length, 0);
  if (address.has("cell")) {
    const pair = address.take("cell").split("-");
    address.fits &&= pair.length === 2;
    made.held = pair.map((text, axis) => address.number(text, sizes[made.side]?.[axis] ?? 0, 0));
  }
  return address.right ? [made, heads] : null;
}

function followLink() {
  const found = readLink();
  if (!found) return false;
  Object.assign(state, found[0]);
  found[1].forEach((choices, at) => Object.assign(panes[at], choices));
  return true;
}
