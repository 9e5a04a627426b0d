"""A caption as the words that are scored: what the COCO tools' Penn Treebank tokeniser gives, without its Java."""

import re
import unicodedata

_PLAIN = str.maketrans({"’": "'", "‘": "'", "´": "'", "`": "'", "–": " ", "—": " ", "…": " "})

# a letter, digit or mark of any script: all but spaces, the signs of ASCII (not _), of Latin, CJK and full width
_LETTER = r"[^\s!-/:-@\[-^`{-~¡-©«-±´-¸»-¿×÷‐-‧‰-⁞℠-™、-〃〈-〟！-／：-＠［-｀｛-･]"
_ENDING = r"(?:n't|'(?:s|m|d|re|ve|ll))"

_WORD = re.compile(
    rf"""
      (?: {_LETTER}\. ){{2,}} (?! {_LETTER} )                             # u.s.  p.m.
    | (?: mr|mrs|ms|dr|st|jr|sr|prof|vs|etc ) \. (?! {_LETTER} )
    | {_LETTER}+? (?= {_ENDING} (?! {_LETTER} ) )                         # do n't: the ending is the next word
    | {_ENDING} (?! {_LETTER} )
    | (?: can (?=not\b) | (?: gon|wan ) (?=na\b) | got (?=ta\b) )         # gon na, as the Treebank has it
    | '\d+s                                                               # '90s
    | (?: [\#@](?!\d) )? {_LETTER}+ (?: (?: [-./@&'] | (?<=\d)[,:](?=\d) ) {_LETTER}+ )*  # t-shirt  1,000  o'clock
    | [$%&\#*+=<>^~|\\/@°€£¥©®™]                                           # signs that are read aloud
    """,
    re.VERBOSE,
)


def caption_words(text: str) -> list[str]:
    """The words of a caption: lower case, NFC, endings apart (``it 's``, ``do n't``), punctuation left out.

    Follows Stanford's PTBTokenizer 3.4.1 with ``-lowerCase`` and the COCO tools' list of what is left out, and is equal
    to them on captions as people write them. It differs where theirs is odd: brackets, ``!!`` and ``¿`` are left out as
    well (there they stay as words, ``-lrb-``), addresses are taken apart, fractions and smileys are not rewritten, and
    of abbreviations with a point it knows initials and a few titles. Words are what spaces separate, in any script:
    Korean is scored by the eojeol, and Chinese or Japanese would need spaces first.
    """
    return _WORD.findall(unicodedata.normalize("NFC", text).lower().translate(_PLAIN))
