// Playing what was written, a step a word: a translation, a caption, a reading. Its page says how many steps there are
// (`steps`), which is shown (`now`, -1 for all of them), what it `wrote`, and how to `go` to one.

const PACE = 900; // ms a step
const still = matchMedia("(prefers-reduced-motion: reduce)"); // then nothing runs by itself: a press is a step
const PLAYER_WORDS = {
  en: { step: "Step", play: "Play", pause: "Pause", before: "Previous step", after: "Next step", all: "all", said: (n, of, word) => `step ${n} of ${of}: ${word}` },
  ko: { step: "단계", play: "재생", pause: "멈춤", before: "이전 단계", after: "다음 단계", all: "전체", said: (n, of, word) => `${of}단계 중 ${n}단계: ${word}` },
};

class Player {
  constructor(page) {
    this.page = page;
    this.timer = 0;
    this.least = Number($("step").min) - 1; // -1 where all steps may be shown at once
    $("play").onclick = () => this.play();
    $("before").onclick = () => this.stopAt(page.now() - 1);
    $("after").onclick = () => this.stopAt(page.now() + 1);
    $("step").oninput = () => this.stopAt(Number($("step").value) - 1);
    still.addEventListener("change", () => this.pause());
  }

  get last() {
    return this.page.steps() - 1;
  }

  draw() {
    const said = PLAYER_WORDS[state.language];
    const now = this.page.now();
    $("player").hidden = this.last < 0;
    $("step-name").textContent = said.step;
    $("step").max = this.last + 1;
    $("step").value = now + 1;
    $("play").hidden = still.matches;
    $("play").textContent = this.timer ? `❚❚ ${said.pause}` : `▶ ${said.play}`;
    for (const id of ["before", "after"]) $(id).setAttribute("aria-label", said[id]);
    const word = now < 0 ? said.all : this.page.wrote(now);
    $("step-word").textContent = word;
    $("step").setAttribute("aria-valuetext", now < 0 ? word : said.said(now + 1, this.last + 1, word));
  }

  // playing ends, at a step, or the nearest that there is
  stopAt(step) {
    this.pause();
    return this.page.go(Math.max(this.least, Math.min(this.last, step)));
  }

  pause() {
    clearInterval(this.timer);
    this.timer = 0;
    this.draw();
  }

  // one step on, after the last the first; there playing ends
  next() {
    const step = this.page.now() < this.last ? this.page.now() + 1 : 0;
    if (step === this.last) this.pause();
    this.page.go(step);
  }

  play() {
    if (this.last < 0) return;
    if (this.timer) return this.pause();
    if (!still.matches) this.timer = setInterval(() => this.next(), PACE);
    this.next();
    this.draw();
  }

  // P in a picture, as one of its keys
  plays(event) {
    const own = event.key.toLowerCase() === "p" && !(event.ctrlKey || event.metaKey || event.altKey);
    if (own) this.play();
    return own;
  }
}
