"""Pose the bones of a limb with a finding: fractures, displacement and hardware."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic.bones import Patch
from elbow_core.sources.synthetic.elbow.anatomy import Anatomy
from elbow_core.sources.synthetic.elbow.hardware import PLATES, WIRES, render_plate, render_wires
from elbow_core.sources.synthetic.elbow.sites import SITES, sample_dislocation, sample_fracture
from elbow_core.sources.synthetic.findings import INJURIES
from elbow_core.sources.synthetic.fractures import Fracture, rigid_motion
from elbow_core.sources.synthetic.fragments import Piece, break_bone

OLD_PLATE_SHARE = 0.1  # of the injured limbs have a plate from an earlier fracture
SUBTLE_SHARE = 0.1  # of the fractures are hardly displaced


@dataclass(frozen=True)
class Limb:
    """The posed bones in the frame of the humerus (mm), and the motion of forearm and upper arm."""

    pieces: list[Piece]
    forearm: Float[np.ndarray, "3 3"]
    upper_arm: Float[np.ndarray, "3 3"]
    breaks: list[list[Piece]]
    """The pieces of each broken bone."""
    stage: str
    """Of the breaks: fresh, treated or healed."""


def pose_limb(
    bones: dict[str, Patch],
    view: str,
    finding: str,
    part: str,
    anatomy: Anatomy,
    rng: np.random.Generator,
) -> Limb:
    """Break, displace and plate the bones of a part as its finding requires."""
    flexion = float(np.clip(rng.normal(85, 13), 45, 115))
    joint = rigid_motion(degrees=anatomy.carrying_angle if view == "ap" else -flexion)
    forearm = sample_dislocation(view, rng) @ joint if "dislocation" in finding else joint
    stage, sites = _broken_sites(finding, part, rng)
    severity = _severity(stage, rng)
    fractures = [sample_fracture(site, view, severity, rng) for site in sites]
    carrying = [fracture for fracture in fractures if fracture.carries_forearm]
    for fracture in carrying:
        forearm = fracture.motion @ forearm
    base = {"humerus": rigid_motion(), "radius": forearm, "ulna": forearm}
    pieces: list[Piece] = []
    breaks: list[list[Piece]] = []
    for name, patch in bones.items():
        broken = [Piece(patch, rigid_motion())]
        for fracture in fractures:
            if fracture.bone == name:
                broken = break_bone(patch, fracture, stage, rng)
        posed = [replace(piece, matrix=base[name] @ piece.matrix) for piece in broken]
        pieces += posed
        breaks += [posed] if any(piece.line is not None for piece in posed) else []
    for bone, metal in _hardware(finding, part, view, sites, fractures, bones, rng):
        pieces.append(Piece(metal, base[bone], metal=True))
    upper_arm = carrying[0].motion if part == "humerus" and carrying else rigid_motion()
    upper_arm = upper_arm if part == "humerus" else rigid_motion()
    return Limb(pieces, forearm, upper_arm, breaks, stage)


def _broken_sites(finding: str, part: str, rng: np.random.Generator) -> tuple[str, list[str]]:
    """Return the stage of the fractures and their sites."""
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
    if stage == "fresh" and rng.random() < SUBTLE_SHARE:
        low, high = 0.2, 0.45
    return float(rng.uniform(low, high))


def _hardware(
    finding: str,
    part: str,
    view: str,
    sites: list[str],
    fractures: list[Fracture],
    bones: dict[str, Patch],
    rng: np.random.Generator,
) -> list[tuple[str, Patch]]:
    """Return the metal on each bone: of a treated fracture, or an old plate in an injured limb."""
    if finding == "treated_fracture_plate":
        if (sites[0], view) in WIRES and rng.random() < 0.4:
            bone = WIRES[sites[0], view][0]
            return [(bone, render_wires(bones[bone], sites[0], view, rng))]
        plated = [(PLATES[site, view][0], site) for site in sites]
    elif finding in INJURIES and rng.random() < OLD_PLATE_SHARE:
        broken = {fracture.bone for fracture in fractures}
        known = [site for sites in SITES.values() for site in sites if (site, view) in PLATES]
        candidates = [site for site in known if site in SITES[part] or site.endswith("shaft")]
        free = [(PLATES[site, view][0], site) for site in candidates]
        free = [pair for pair in free if pair[0] not in broken]
        plated = [free[int(rng.integers(len(free)))]]
    else:
        plated = []
    return [(bone, render_plate(bones[bone], site, view, rng)) for bone, site in plated]
