"""What each figure of an image says and how to read it, in English and Korean."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Caption:
    """A figure's title and what it shows, in the language of the page."""

    title: str
    text: str


def joined(captions: Mapping[str, Caption], more: Mapping[str, str]) -> dict[str, Caption]:
    """The captions of each language with a sentence more."""
    return {tongue: replace(said, text=f"{said.text} {more[tongue]}") for tongue, said in captions.items()}


ROLLOUT = {
    "en": Caption(
        "Attention rollout",
        "Attention followed from layer to layer down to the patches: the heads' mean plus the residual path, "
        "multiplied (Abnar and Zuidema 2020). What of the photo could reach the classifier.",
    ),
    "ko": Caption(
        "어텐션 롤아웃",
        "헤드의 평균에 잔차 경로를 더해 층마다 곱한 것으로, 사진의 어느 부분이 분류기까지 닿을 수 있었는지 "
        "보여 줍니다 (Abnar, Zuidema 2020).",
    ),
}
DISTANCE = {
    "en": Caption(
        "How far heads look",
        "Mean distance in pixels between a patch and what it looked at, a point a head, for this photo "
        "(Dosovitskiy et al. 2021, figure 7 right, takes the mean over many). Low is local, as a convolution is; "
        "the dashed line is a head that looks at all patches alike.",
    ),
    "ko": Caption(
        "헤드가 보는 거리",
        "패치와 그 패치가 본 곳 사이의 평균 거리(픽셀)입니다. 점 하나가 헤드 하나이며, 이 사진 한 장의 값입니다 "
        "(논문은 여러 장의 평균: Dosovitskiy 외 2021, 그림 7 오른쪽). 낮으면 합성곱처럼 가까이 보고, 점선은 모든 "
        "패치를 고르게 볼 때입니다.",
    ),
}
COMPONENTS = {
    "en": Caption(
        "The first layer's filters",
        "Principal components of the patch projection, most variance first: the patterns a patch is measured by "
        "(Dosovitskiy et al. 2021, figure 7 left). Waves and edges are learnt; noise that stays often means too "
        "little data.",
    ),
    "ko": Caption(
        "첫 층의 필터",
        "패치 사영의 주성분을 분산이 큰 것부터 그렸습니다. 패치를 재는 무늬라고 볼 수 있습니다 (Dosovitskiy 외 "
        "2021, 그림 7 왼쪽). 물결과 윤곽선은 배운 것이고, 남은 잡음은 흔히 데이터가 모자랐다는 뜻입니다.",
    ),
}
STEM = {
    "en": Caption("The first layer's filters", "Filters of the first convolution in front of the ViT, as they are."),
    "ko": Caption("첫 층의 필터", "ViT 앞에 있는 첫 합성곱의 필터를 그대로 그렸습니다."),
}
POSITIONS = {
    "en": Caption(
        "Similarity of positions",
        "Each small map stands at its patch's place and shows how like its position embedding is to all others "
        "(Dosovitskiy et al. 2021, figure 7 centre). Bright near its own place: the embeddings know that the "
        "photo has two dimensions.",
    ),
    "ko": Caption(
        "위치 임베딩의 유사도",
        "작은 그림 하나가 그 자리의 패치이고, 그 위치 임베딩이 다른 모든 위치와 얼마나 닮았는지 보여 줍니다 "
        "(Dosovitskiy 외 2021, 그림 7 가운데). 제자리 둘레가 밝으면 임베딩이 사진의 가로세로를 알고 있는 것입니다.",
    ),
}
WITH_RESNET = {
    "en": "Squares: the side of the field that one unit of the ResNet can see at each layer. It is a bound, not "
    "a mean: no weight comes from farther than half of it along an axis, and it grows step by step.",
    "ko": "네모는 ResNet의 층마다 한 유닛이 볼 수 있는 수용 영역의 한 변입니다. 평균이 아니라 한계로, 가로세로로 "
    "그 절반보다 먼 곳은 보지 못하며 한 걸음씩 넓어집니다.",
}
RESNET_FILTERS = {
    "en": "Beside it the ResNet's first convolution.",
    "ko": "옆은 ResNet의 첫 합성곱입니다.",
}
NO_RESNET = {
    "en": "No ResNet was given to compare with.",
    "ko": "비교할 ResNet이 주어지지 않았습니다.",
}
