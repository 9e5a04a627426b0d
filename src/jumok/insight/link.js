// The address restores the view: what is shown stands behind its "#", numbers from 1. A wrong one is ignored whole.
// A page in a frame of a page of many has it in a meta element; it may come from another input, and counts where it fits.

const HELD = document.querySelector('meta[name="view"]'); // put there, and read, by gallery.js
const CAN_LINK = location.protocol !== "about:"; // a frame of a notebook has no address of its own
const LINK_WORDS = {
  en: { copy: "Copy link", copied: "Link copied", failed: "Copy it from the address bar" },
  ko: { copy: "링크 복사", copied: "링크를 복사했습니다", failed: "주소창에서 복사하세요" },
};

// What stands behind "#", taken part by part. It is `right` when every part was one that may be, and none was left.
class Address {
  constructor() {
    this.parts = new Map(new URLSearchParams(HELD ? HELD.content : location.hash.slice(1)));
    this.empty = !this.parts.size;
    this.fits = true;
  }

  get right() {
    return this.fits && !this.parts.size;
  }

  has(name) {
    return this.parts.has(name);
  }

  take(name) {
    const text = this.parts.get(name);
    this.parts.delete(name);
    return text;
  }

  // a number from `least` to `most`, from 1 in the address and from 0 in the page; else `none`, which is right in a frame
  number(text, most, least = 1, none = NaN) {
    const value = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value - 1;
    this.fits &&= HELD !== null && !Number.isNaN(none);
    return none;
  }

  optional(name, most, none = -1) {
    return this.has(name) ? this.number(this.take(name), most, 1, none) : none;
  }

  // whether a part that may be left out is there, saying the only thing that it may
  says(name, only) {
    const text = this.take(name);
    this.fits &&= text === undefined || text === only;
    return text === only;
  }
}

function writeAddress(parts) {
  if (HELD) HELD.content = new URLSearchParams(parts);
  else if (CAN_LINK) history.replaceState(null, "", `#${new URLSearchParams(parts)}`);
}

function drawLink() {
  $("copy").hidden = !CAN_LINK;
  $("copy").textContent = LINK_WORDS[state.language].copy;
}

async function copyLink() {
  const said = LINK_WORDS[state.language];
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
  $("copy").textContent = $("spoken").textContent = copied ? said.copied : said.failed;
  setTimeout(drawLink, 2500);
}

// `follow` reads the address and shows what it says
function listenLink(follow) {
  $("copy").onclick = copyLink;
  addEventListener("hashchange", follow);
}
