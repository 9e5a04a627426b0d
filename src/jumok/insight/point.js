// Pointing: what a place says, in words and lights, by pointer and by keys.

const shownText = (token) => token.text.replace(SPACE, "") || token.text;
const bold = (token) => {
  const made = element("b", "", shownText(token));
  made.dir = "auto";
  return made;
};

function tell(pane) {
  const { picture } = pane;
  const [row, key] = pane.now;
  if (row < 0 && key < 0) return [words.invite];
  const chips = (list) => {
    const made = element("span");
    list.forEach(([token, weight], at) => made.append(at ? ", " : "", bold(token), ` ${percent(weight)}`));
    return made;
  };
  if (row < 0) {
    const own = wroteFrom(picture, key);
    const order = [...own.keys()].sort((a, b) => own[b] - own[a]).slice(0, 4).filter((at) => own[at] >= FAINT);
    return words.used(bold(picture.keys[key]), chips(order.map((at) => [picture.rows[at], own[at]])));
  }
  const { weights, order, spread } = lookedAt(picture, row);
  const best = order.slice(0, 4).filter((at) => weights[at] >= FAINT);
  if (!best.length) return words.nothing(bold(picture.rows[row]));
  const said = state.kind === "encoder" ? words.read : words.wrote;
  const list = chips(best.map((at) => [picture.keys[at], weights[at]]));
  return said(bold(picture.rows[row]), list, words.many(spread.toFixed(1), state.words));
}

function cellText({ picture, now: [row, key] }) {
  const weight = picture.weights[row * picture.keys.length + key];
  return words.tip(shownText(picture.rows[row]), shownText(picture.keys[key]), percent(weight));
}

function at(pane, row, key) {
  pane.point(row, key);
  if (pane.picture) pane.$("found").replaceChildren(...tell(pane));
}

// A place in one pane, and the same source word in the other.
function point(pane, row, key, speak = false) {
  at(pane, row, key);
  for (const other of panes) if (other !== pane) at(other, ...other.linked(pane));
  if (speak && pane.picture) $("spoken").textContent = (row >= 0 && key >= 0 ? `${cellText(pane)}. ` : "") + pane.$("found").textContent;
}

// Back to what is kept: the step of the player, or the place held.
function rest(speak = false) {
  if (state.step < 0) point(panes[state.side], ...state.held, speak);
  else {
    for (const pane of panes) at(pane, state.step < (pane.picture?.rows.length ?? 0) ? state.step : -1, -1);
    if (speak) $("spoken").textContent = panes.filter((pane) => pane.now[0] >= 0).map((pane) => pane.$("found").textContent).join(" ");
  }
  for (const pane of panes) pane.fade(state.step);
  player.draw();
}

function hold(pane, place) {
  player.pause();
  Object.assign(state, { held: place, side: pane.number, step: -1 });
  rest();
  writeLink();
}

// the pane and the place under the pointer: a cell of the matrix, or a word of any picture
function under(event) {
  const pane = panes.find((each) => each.picture && each.$("pane").contains(event.target));
  const plane = event.target.closest(".plane");
  if (!pane) return [panes[0], NONE, false];
  if (plane) {
    const { rows, keys } = pane.picture;
    const box = plane.getBoundingClientRect();
    const cell = (place, size, count) => bound(Math.floor((place / size) * count), count);
    return [pane, [cell(event.clientY - box.top, box.height, rows.length), cell(event.clientX - box.left, box.width, keys.length)], true];
  }
  const word = event.target.closest("[data-row], [data-key]");
  return [pane, word ? [Number(word.dataset.row ?? -1), Number(word.dataset.key ?? -1)] : NONE, false];
}

const bound = (value, count) => Math.max(0, Math.min(count - 1, value));

let pointed = null; // the pane pointed at for the moment
function listenPointer() {
  const main = document.querySelector("main");
  const leave = () => {
    if (pointed) rest();
    pointed = null;
  };
  main.addEventListener("pointermove", (event) => {
    const [pane, place, cell] = under(event);
    if (same(place, NONE)) leave();
    else if (pane !== pointed || !same(place, pane.now)) {
      point(pane, ...place);
      pointed = pane;
    }
    showTip(event, cell ? cellText(pane) : "");
  });
  main.addEventListener("pointerleave", () => {
    $("tip").hidden = true;
    leave();
  });
  main.addEventListener("click", (event) => {
    const [pane, place, cell] = under(event);
    if (same(place, NONE)) return;
    const again = pane.number === state.side && same(place, state.held);
    hold(pane, again ? NONE : place);
    point(pane, ...place, true);
    pointed = pane;
    showTip(event, cell ? cellText(pane) : "");
  });
  for (const pane of panes) {
    for (const [name, flat] of [["matrix", false], ["lines", true]]) {
      pane.$(name).addEventListener("keydown", (event) => move(event, pane, flat));
      pane.$(name).addEventListener("blur", () => ($("tip").hidden = true));
    }
    new ResizeObserver(() => pane.picture && !matchMedia("print").matches && pane.sizeMatrix()).observe(pane.$("matrix"));
  }
}

function move(event, pane, flat) {
  const [row, key] = pane.now;
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (event.key === "Escape") hold(pane, NONE);
  else if (event.key === "Enter") hold(pane, pane.now);
  else if (!player.plays(event) && (!step || (flat && step[1]))) return;
  event.preventDefault();
  if (!step) return;
  const { rows, keys } = pane.picture;
  const next = [bound(row + step[0], rows.length), flat ? -1 : bound(key + step[1], keys.length)];
  point(pane, ...next, true);
  pointed = pane;
  pane.$(flat ? "right" : "rows").children[next[0]].scrollIntoView({ block: "nearest", inline: "nearest" });
  if (!flat) pane.$("columns").children[next[1]].scrollIntoView({ block: "nearest", inline: "nearest" });
}
