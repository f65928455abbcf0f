"""The projection of a radiograph, from View Position and View Code Sequence.

The manifest knows three: ``ap`` (frontal, whichever way the beam goes), ``lateral`` and
``oblique``. Anything else is unknown, and so is a file whose two tags contradict each other.
"""

import re
from collections.abc import Iterable

_POSITIONS = {
    "ap": "AP PA FRONTAL ANTEROPOSTERIOR POSTEROANTERIOR DP PD DORSOPLANTAR PLANTODORSAL "
    "DORSOPALMAR PALMODORSAL DORSOVOLAR",
    "lateral": "LAT LATERAL LL RL LM ML LATEROMEDIAL MEDIOLATERAL",
    "oblique": "OBL OBLIQUE LAO RAO LPO RPO LLO RLO MLO",
}
_VIEW_OF_WORD = {word: view for view, words in _POSITIONS.items() for word in words.split()}
# The position of the patient, not the direction of the beam: such an exposure is mostly frontal.
_DECUBITUS = {"LLD", "RLD", "DECUBITUS", "DECUB"}

# SNOMED RT, which DICOM wrote until 2018, and SNOMED CT of the same concepts.
_CODES = {
    "ap": "R-10206 399348003 R-40888 272479007 R-10202 399033003 R-102C4 399335002 "
    "R-102C3 399071006",
    "lateral": "R-102CD 399067008 R-10236 399173006 R-10232 399198007 R-10228 399352003 "
    "R-10224 399260004 G-A145 30730003",
    "oblique": "R-102C1 399182000 R-10208 399312000 R-10204 399160007 R-10252 399132005 "
    "R-40783 260427002 R-10230 399099002 R-10220 399135007 R-10238 399184004 R-10212 399006002 "
    "R-40782 260426006 R-10226 399368009 R-10246 399004004 R-10250 399225005 R-10248 399288005 "
    "R-10216 399059000 R-40985 399356000 R-10234 399236003 R-10210 399038007 R-10254 399325008",
}
_VIEW_OF_CODE = {code: view for view, codes in _CODES.items() for code in codes.split()}
_SNOMED = {"SRT", "SNM3", "99SDM", "SCT"}
_WORD = re.compile(r"[A-Z]+")


def find_view(position: str, codes: Iterable[tuple[str, str]]) -> str:
    """Return ap, lateral, oblique, or an empty text if the tags do not say which.

    Args:
        position: the value of View Position (0018,5101), in any case: a defined term such as AP,
            PA, LL (left lateral) or RLO (right lateral oblique), or the words that operators type.
            *Oblique* beside another direction is oblique. A lateral decubitus (LLD, RLD) is
            unknown: it says how the patient lies and not where the beam goes.
        codes: value and scheme of each item of View Code Sequence (0054,0220): SNOMED RT (SRT,
            SNM3, 99SDM) or SNOMED CT (SCT).

    Reference: DICOM PS3.3 C.8.1.1 and C.8.11.5; PS3.16, CID 4010.
    """
    found = {_view_of_position(position)} | {
        _VIEW_OF_CODE.get(value.upper(), "") for value, scheme in codes if scheme.upper() in _SNOMED
    }
    found.discard("")
    return found.pop() if len(found) == 1 else ""


def _view_of_position(position: str) -> str:
    words = set(_WORD.findall(position.upper()))
    if words & _DECUBITUS:
        return ""
    found = {_VIEW_OF_WORD[word] for word in words if word in _VIEW_OF_WORD}
    if "oblique" in found:
        return "oblique"
    return found.pop() if len(found) == 1 else ""
