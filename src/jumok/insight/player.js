// Decoding word by word: a step is a row of the cross-attention, in both models the same one, and what follows is faint.

const PACE = 900; // ms a step
const still = matchMedia("(prefers-reduced-motion: reduce)"); // then nothing runs by itself: a press is a step
let timer = 0;

const steps = () => Math.max(0, ...panes.map((pane) => pane.picture?.rows.length ?? 0));

function drawPlayer() {
  $("player").hidden = state.kind !== "cross";
  $("step-name").textContent = words.stepName;
  $("step").max = steps();
  $("step").value = state.step + 1;
  $("play").textContent = still.matches ? words.nextStep : timer ? `⏸ ${words.pause}` : `▶ ${words.play}`;
  const written = panes.map((pane) => pane.picture?.rows[state.step]).filter(Boolean).map(shownText).join(" · ");
  $("step-word").textContent = state.step < 0 ? words.noStep : written;
  $("step").setAttribute("aria-valuetext", state.step < 0 ? words.noStep : words.stepSaid(state.step + 1, steps(), written));
}

function goTo(step) {
  Object.assign(state, { step: step < steps() ? step : -1, held: NONE, side: 0 });
  rest(true);
  writeLink();
}

function pause() {
  clearInterval(timer);
  timer = 0;
}

function play() {
  if (state.kind !== "cross" || !steps()) return;
  const next = () => goTo(state.step + 1 < steps() ? state.step + 1 : 0);
  if (still.matches) return next();
  if (timer) pause();
  else {
    next();
    timer = setInterval(() => {
      next();
      if (state.step === steps() - 1) pause();
      drawPlayer();
    }, PACE);
  }
  drawPlayer();
}

function listenPlayer() {
  $("play").onclick = play;
  $("step").oninput = () => {
    pause();
    goTo(Number($("step").value) - 1);
  };
  still.addEventListener("change", () => {
    pause();
    drawPlayer();
  });
}
