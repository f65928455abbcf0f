"""One procedural radiograph: a patient, a view and a finding become grey pixels."""

import numpy as np
from jaxtyping import UInt8

from elbow_core.sources.synthetic_anatomy import REACH, Anatomy, draw_anatomy, draw_bones
from elbow_core.sources.synthetic_bones import Patch
from elbow_core.sources.synthetic_hardware import PLATES, WIRES, cast, plate, wires
from elbow_core.sources.synthetic_injury import (
    FINDINGS,
    INJURIES,
    SITES,
    Fracture,
    Limb,
    Piece,
    break_bone,
    dislocate,
    draw_fracture,
    motion,
)
from elbow_core.sources.synthetic_rendering import (
    Frame,
    display,
    draw_frame,
    envelope,
    expose,
    marker,
    place,
    soft_tissue,
)

VIEWS = ("ap", "lateral")
PARTS = ("elbow", "forearm", "humerus")


def draw_radiograph(
    rng: np.random.Generator,
    view: str,
    finding: str,
    size: int = 360,
    part: str = "elbow",
    anatomy: Anatomy | None = None,
) -> UInt8[np.ndarray, "h w"]:
    """Draw a radiograph of a finding, long side `size` pixels, bone bright on dark.

    The same generator state, view, finding, size, part and anatomy give the same pixels. Without an
    anatomy a new patient is drawn. Raises ValueError for an unknown view, finding or part.
    """
    for value, known in ((view, VIEWS), (finding, FINDINGS), (part, PARTS)):
        if value not in known:
            raise ValueError(f"{value!r} is not one of {', '.join(known)}")
    anatomy = anatomy or draw_anatomy(rng)
    field = rng.uniform(150, 195) * (1.1 if part != "elbow" else 1.0)
    turn = rng.normal(0, 6) if view == "ap" else rng.normal(0, 10) + 90 * (rng.random() < 0.12)
    flexion = 0.0 if view == "ap" else rng.normal(85, 14)
    bones = draw_bones(anatomy, view, REACH[part], 0.8 * field / size)
    limb = pose(bones, view, finding, part, anatomy, flexion, rng)
    centre = {"elbow": motion(), "forearm": limb.forearm, "humerus": motion()}[part]
    middle = {"elbow": (0, 0), "forearm": (-4, 85), "humerus": (-3, -85)}[part]
    at = centre @ np.array([*middle, 1.0])
    if part == "elbow" and view == "lateral":
        at = np.array([12.0, -4.0])
    frame = draw_frame(size, field, (float(at[0]), float(at[1])), turn, anatomy.left, rng)
    depth = np.zeros((frame.height, frame.width), np.float32)
    for piece in limb.pieces:
        depth += place(frame, piece.patch, piece.matrix)
    depth += wrap(frame, limb, view, finding, anatomy, rng)
    depth += marker(frame, anatomy.left, rng)
    return display(expose(depth, frame, rng), frame, rng)


def pose(
    bones: dict[str, Patch],
    view: str,
    finding: str,
    part: str,
    anatomy: Anatomy,
    flexion: float,
    rng: np.random.Generator,
) -> Limb:
    """Put the bones together with their finding; all in the humerus's frame (mm)."""
    fractures: list[Fracture] = []
    stage = "fresh"
    joint = motion(degrees=anatomy.carrying_angle) if view == "ap" else motion(degrees=-flexion)
    forearm, radius_shift = joint, motion()
    severity = rng.uniform(0.35, 1.0) if rng.random() < 0.85 else rng.uniform(0.15, 0.35)
    site = finding.removesuffix("_fracture")
    hardware = ""
    if finding.startswith(("treated", "healed")):
        site = str(rng.choice(SITES[part]))
        stage = "healed" if finding.startswith("healed") else "treated"
        severity = rng.uniform(0.05, 0.3) if stage == "healed" else rng.uniform(0, 0.06)
        if finding.endswith("plate"):
            hardware = "wires" if (site, view) in WIRES and rng.random() < 0.4 else "plate"
    elif finding == "shaft_fracture":
        site = str(rng.choice(SITES[part] if part != "elbow" else SITES["forearm"]))
    elif finding in ("dislocation", "fracture_dislocation"):
        forearm = dislocate(view, rng) @ joint
        site = str(rng.choice(("radial_head", "olecranon", "lateral_condyle")))
    if finding not in ("normal", "contusion", "dislocation"):
        sites = ["radius_shaft", "ulna_shaft"] if site == "both_shafts" else [site]
        fractures = [draw_fracture(name, view, severity, rng) for name in sites]
    else:
        sites = [str(rng.choice(SITES[part]))]
        sites = ["ulna_shaft"] if sites == ["both_shafts"] else sites
    if finding in INJURIES and rng.random() < 0.08:
        hardware = "plate"
    pieces = []
    base = {"humerus": motion(), "radius": forearm @ radius_shift, "ulna": forearm}
    for fracture in fractures:
        if fracture.carries_forearm:
            base["radius"] = fracture.moved @ base["radius"]
            base["ulna"] = fracture.moved @ base["ulna"]
            forearm = fracture.moved @ forearm
    for name, patch in bones.items():
        rest = patch
        for fracture in fractures:
            if fracture.bone == name:
                rest, fragment = break_bone(rest, fracture, stage, rng)
                pieces.append(Piece(fragment, base[name] @ fracture.moved))
        pieces.append(Piece(rest, base[name]))
    for name in sites:
        if hardware == "plate":
            bone = PLATES[name, view][0]
            pieces.append(Piece(plate(bones[bone], name, view, rng), base[bone]))
        elif hardware == "wires":
            bone = WIRES[name, view][0]
            pieces.append(Piece(wires(bones[bone], name, view, rng), base[bone]))
    return Limb(pieces, forearm, motion(), sites)


def wrap(
    frame: Frame, limb: Limb, view: str, finding: str, anatomy: Anatomy, rng: np.random.Generator
) -> np.ndarray:
    """Soft tissue round the bones and, for some, a cast or a splint."""
    thick = anatomy.muscle
    offset = 0.0 if view == "ap" else -7.0
    upper = np.array(
        [(offset, -240, thick + 6), (offset, -90, thick + 2), (offset, -35, thick - 2)]
    )
    upper = np.concatenate([upper, [(0, 0, 40 if view == "ap" else 31)]])
    away = -2.0 if view == "ap" else -9.0
    lower = np.array([(0, 0, 38 if view == "ap" else 31), (away, 35, thick), (away, 80, thick - 4)])
    lower = np.concatenate([lower, [(away, 240, thick - 16)]])
    swollen = rng.uniform(0, 5) * (finding in INJURIES or finding == "contusion")
    for part, matrix in ((upper, limb.upper_arm), (lower, limb.forearm)):
        homogeneous = np.concatenate([part[:, :2], np.ones((len(part), 1))], axis=1)
        part[:, :2] = (homogeneous @ matrix.T)[:, :2]
        part[:, 2] += swollen
    skin = envelope(frame, [upper, lower])
    depth = soft_tissue(skin, thick, anatomy.fat, rng)
    wears_cast = finding.endswith("cast") or rng.random() < (0.12 if finding in INJURIES else 0.04)
    if wears_cast:
        depth = depth + cast(skin, frame.resolution, rng.random() < 0.35, rng)
    return depth
