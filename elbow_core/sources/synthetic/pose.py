"""A finding put into effect: which bones break, which move, and what metal they carry."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic.anatomy import Anatomy
from elbow_core.sources.synthetic.bones import Patch
from elbow_core.sources.synthetic.hardware import PLATES, WIRES, plate, wires
from elbow_core.sources.synthetic.injury import (
    INJURIES,
    SITES,
    Fracture,
    Piece,
    break_bone,
    dislocate,
    draw_fracture,
    motion,
)

OLD_METAL = 0.1  # of the injured limbs carry a plate from an earlier fracture
SUBTLE = 0.1  # of the fractures are hardly displaced


@dataclass(frozen=True)
class Limb:
    """The posed bones, in the humerus's frame (mm), and where forearm and upper arm lie."""

    pieces: list[Piece]
    forearm: Float[np.ndarray, "3 3"]
    upper_arm: Float[np.ndarray, "3 3"]


def pose_limb(
    bones: dict[str, Patch],
    view: str,
    finding: str,
    part: str,
    anatomy: Anatomy,
    rng: np.random.Generator,
) -> Limb:
    """Put the bones of a part together with their finding."""
    flexion = float(np.clip(rng.normal(85, 13), 45, 115))
    joint = motion(degrees=anatomy.carrying_angle if view == "ap" else -flexion)
    forearm = dislocate(view, rng) @ joint if "dislocation" in finding else joint
    stage, sites = _broken_sites(finding, part, rng)
    severity = _severity(stage, rng)
    fractures = [draw_fracture(site, view, severity, rng) for site in sites]
    carried = [fracture for fracture in fractures if fracture.carries_forearm]
    for fracture in carried:
        forearm = fracture.moved @ forearm
    base = {"humerus": motion(), "radius": forearm, "ulna": forearm}
    pieces: list[Piece] = []
    for name, patch in bones.items():
        broken = [Piece(patch, motion())]
        for fracture in fractures:
            if fracture.bone == name:
                broken = break_bone(patch, fracture, stage, rng)
        pieces += [Piece(piece.patch, base[name] @ piece.matrix) for piece in broken]
    for bone, metal in _metal(finding, part, view, sites, fractures, bones, rng):
        pieces.append(Piece(metal, base[bone], metal=True))
    upper_arm = carried[0].moved if part == "humerus" and carried else motion()
    return Limb(pieces, forearm, upper_arm if part == "humerus" else motion())


def _broken_sites(finding: str, part: str, rng: np.random.Generator) -> tuple[str, list[str]]:
    """Give the stage of the fractures and the sites that they are at."""
    if finding in ("normal", "contusion", "dislocation"):
        return "fresh", []
    if finding == "fracture_dislocation":
        return "fresh", [str(rng.choice(("radial_head", "olecranon", "lateral_condyle")))]
    if finding in INJURIES and finding != "shaft_fracture":
        return "fresh", [finding.removesuffix("_fracture")]
    site = str(
        rng.choice(SITES["forearm" if (finding, part) == ("shaft_fracture", "elbow") else part])
    )
    stage = {"treated": "treated", "healed": "healed"}.get(finding.partition("_")[0], "fresh")
    return stage, ["radius_shaft", "ulna_shaft"] if site == "both_shafts" else [site]


def _severity(stage: str, rng: np.random.Generator) -> float:
    low, high = {"fresh": (0.45, 1.0), "treated": (0.0, 0.06), "healed": (0.12, 0.38)}[stage]
    if stage == "fresh" and rng.random() < SUBTLE:
        low, high = 0.2, 0.45
    return float(rng.uniform(low, high))


def _metal(
    finding: str,
    part: str,
    view: str,
    sites: list[str],
    fractures: list[Fracture],
    bones: dict[str, Patch],
    rng: np.random.Generator,
) -> list[tuple[str, Patch]]:
    """Fix the fractures of a plated limb; now and then leave an old plate in an injured one."""
    if finding == "treated_fracture_plate":
        if (sites[0], view) in WIRES and rng.random() < 0.4:
            bone = WIRES[sites[0], view][0]
            return [(bone, wires(bones[bone], sites[0], view, rng))]
        plated = [(PLATES[site, view][0], site) for site in sites]
    elif finding in INJURIES and rng.random() < OLD_METAL:
        broken = {fracture.bone for fracture in fractures}
        known = [site for sites in SITES.values() for site in sites if (site, view) in PLATES]
        near = [site for site in known if site in SITES[part] or site.endswith("shaft")]
        free = [(PLATES[site, view][0], site) for site in near]
        free = [pair for pair in free if pair[0] not in broken]
        plated = [free[int(rng.integers(len(free)))]]
    else:
        plated = []
    return [(bone, plate(bones[bone], site, view, rng)) for bone, site in plated]
