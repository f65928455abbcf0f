"""Who is who: the form in which ids of patients, studies and images are compared.

Ids are stored as they were given and compared in a normal form: a Mac writes `müller` as seven code
points where Windows writes six, a spreadsheet leaves a blank behind `P1`, and one hospital system
writes `p1` where another writes `P1`. Two spellings that are taken for two patients are a leak that
nothing finds. Two patients whose ids differ only in such a spelling count as one, which at worst
makes a split or an interval more cautious.
"""

import functools
import re
import unicodedata

# Characters that leave no mark: Default_Ignorable_Code_Point of Unicode 16 without unassigned ones.
_FORMAT = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0001-\U000e007f"
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0"
_SELECTORS = "\U000e0100-\U000e01ef"
# Control characters that are not blanks.
_CONTROL = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"

_INVISIBLE = re.compile(f"[{_CONTROL}{_FORMAT}{_FILLERS}{_SELECTORS}]")
_OUTER_BLANKS = re.compile(rf"\A[\s{_CONTROL}{_FORMAT}]|[\s{_CONTROL}{_FORMAT}]\Z")
_LEADING_BLANKS = re.compile(rf"[\s{_CONTROL}{_FORMAT}]*")
_WIDTHS = ("<wide> ", "<narrow> ")


def normalise_id(text: str) -> str:
    """Return the form in which ids of patients, studies and sources are compared; may be empty.

    Equal are: composed and decomposed letters; upper and lower case (full case folding: `ß` is
    `ss`); blanks of any kind and number, which count for nothing at the ends; full-width and
    half-width forms; the decimal digits of all scripts. Null bytes, other control characters and
    invisible characters, such as zero-width spaces, are ignored. Different are: leading zeros,
    punctuation, superscripts, and letters of two scripts that look alike.

    The function is idempotent.

    Reference: The Unicode Standard 16, D145, canonical caseless matching; UAX 15 and 44.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.casefold().split())
    plain = "".join(map(_plain_character, _INVISIBLE.sub("", text)))
    folded = unicodedata.normalize("NFD", plain).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def normalise_image_id(text: str) -> str:
    """Return the form in which ids and file names of images are compared; may be empty.

    Composed and decomposed letters are equal; null bytes, invisible characters and blanks at the
    ends are ignored. Case and width count, since two files of a folder may differ by them.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).strip()


def has_outer_blanks(text: str) -> bool:
    """Say whether text starts or ends with a blank of any kind or an invisible character."""
    return _OUTER_BLANKS.search(text) is not None


def strip_outer_blanks(text: str) -> str:
    """Return text without the blanks and invisible characters at its ends (`has_outer_blanks`)."""
    stripped = _without_leading_blanks(text)
    return _without_leading_blanks(stripped[::-1])[::-1]


def _without_leading_blanks(text: str) -> str:
    leading = _LEADING_BLANKS.match(text)
    return text[leading.end() :] if leading else text


@functools.lru_cache(maxsize=4096)
def _plain_character(character: str) -> str:
    """Return the ASCII form of a digit, the ordinary form of a wide or narrow character."""
    if character.isascii():
        return character
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    decomposition = unicodedata.decomposition(character)
    if decomposition.startswith(_WIDTHS):
        return chr(int(decomposition.partition(" ")[2], 16))
    return character
