// The words of the page in two languages.

// a reader's words are single characters
const letters = book.words.every(([text, special]) => special || [...text].length === 1);
const unit = letters ? "character" : "word";
const layered = book.layers.length > 1; // else there is no mean of them
const WORDS = {
  en: {
    other: "한국어", otherLang: "ko",
    theme: { auto: "Auto", light: "Light", dark: "Dark" }, themeName: "Colours",
    written: `What it wrote: choose a ${unit}`, truth: (text) => `Wanted: ${text}`,
    sheet: `Every ${layered ? "layer and " : ""}head, for this ${unit}`,
    sheetAxes: `${layered ? "top: the mean of all layers · down: layers · " : ""}across: the mean of the heads, then each head`,
    mean: "mean", all: "all", whole: "Mean of all layers and heads",
    cell: (layer, head) => `Layer ${layer}, ${head ? `head ${head}` : "mean of the heads"}`,
    reel: letters ? "Character by character" : "Word by word", strength: "Heat over the photo", edge: "Edges", smooth: "Smooth",
    found: (word, place, share, half, all) => [word, `${place} gave `, share, " of its look to the photo, half of that to ", half, ` of ${all} places.`],
    tip: (row, column, weight) => `row ${row}, column ${column}: ${weight}`,
    caption: "Attention is where the model looked while it wrote, not a proof of why it wrote what it did. Weights are taken in evaluation mode, before dropout. Each picture has its own scale.",
    help: "How to read this page",
    helps: [
      "The encoder turns the photo into a grid of features. To write a word the decoder shares one look, 100 %, out over these places. Bright places got most.",
      "A look of several layers and heads differs from one to the next; the mean of all is shown first. Choose one in the sheet.",
      "Nouns mostly look at things. Words like “a” and “of”, and the end, need no place: their look often spreads out, or rests on one spot.",
      "Features know more than their own place: a convolution sees its surroundings, a Transformer the whole photo. So a look may fall beside the thing.",
      `Keys: arrow keys go from ${unit} to ${unit}; in the photo or the text Home and End go to the first and last one, and P plays and pauses.`,
      "The address of the page holds what is shown: copy the link to come back to it.",
    ],
    photoLabel: (rows, columns) => `Photo of ${rows} by ${columns} places. The pointer shows the weight of each; arrow keys go through the text.`,
    failed: (message) => `The weights of this page cannot be read (${message}). Open it in a current browser.`,
  },
  ko: {
    other: "English", otherLang: "en",
    theme: { auto: "자동", light: "밝게", dark: "어둡게" }, themeName: "색",
    written: `모델이 쓴 글: ${letters ? "글자를" : "낱말을"} 고르세요`, truth: (text) => `정답: ${text}`,
    sheet: `이 ${letters ? "글자" : "낱말"}의 모든 ${layered ? "층과 " : ""}헤드`,
    sheetAxes: `${layered ? "맨 위: 모든 층의 평균 · 세로: 층 · " : ""}가로: 헤드의 평균, 그다음 각 헤드`,
    mean: "평균", all: "전체", whole: "모든 층과 헤드의 평균",
    cell: (layer, head) => `${layer}층, ${head ? `헤드 ${head}` : "헤드의 평균"}`,
    reel: `${letters ? "글자" : "낱말"}마다 본 곳`, strength: "사진 위의 색", edge: "경계", smooth: "부드럽게",
    found: (word, place, share, half, all) => [word, `${place}: 시선 가운데 `, share, "가 사진에 갔고, 그 절반은 자리 ", `${all}곳 가운데 `, half, "곳에 모였습니다."],
    tip: (row, column, weight) => `${row}행 ${column}열: ${weight}`,
    caption: "어텐션은 모델이 글을 쓸 때 어디를 보았는지를 보여 줄 뿐, 왜 그렇게 썼는지 증명하지 않습니다. 가중치는 평가 모드에서 드롭아웃을 적용하기 전의 값이며, 그림마다 눈금이 다릅니다.",
    help: "이 페이지를 읽는 법",
    helps: [
      "인코더는 사진을 격자 모양의 특징으로 바꿉니다. 디코더는 낱말을 하나 쓸 때마다 시선 100 %를 이 자리들에 나누어 주며, 밝은 자리일수록 많이 받았습니다.",
      "층과 헤드마다 보는 곳이 다릅니다. 처음에는 모두의 평균이 보이며, 모음 그림에서 하나를 고를 수 있습니다.",
      "이름을 가리키는 말은 대개 그 물건을 봅니다. 조사나 관사, 문장의 끝은 볼 자리가 없어 시선이 흩어지거나 한곳에서 쉽니다.",
      "특징은 제자리보다 많은 것을 압니다. 합성곱은 둘레를, 트랜스포머는 사진 전체를 보므로, 시선이 물건 옆에 놓이기도 합니다.",
      "키보드: 화살표로 앞뒤로 옮깁니다. 사진이나 글에서는 Home과 End로 처음과 끝에 가고, P로 재생하고 멈춥니다.",
      "페이지 주소에 지금 보이는 상태가 담깁니다. 링크를 복사해 두면 그대로 다시 볼 수 있습니다.",
    ],
    photoLabel: (rows, columns) => `가로 ${columns}, 세로 ${rows} 자리의 사진입니다. 가리키면 그 자리의 가중치가 보이고, 화살표 키로 글을 따라갑니다.`,
    failed: (message) => `이 페이지의 가중치를 읽을 수 없습니다 (${message}). 최신 브라우저로 열어 주세요.`,
  },
};
