"""The findings of synthetic radiographs and their labels."""

NORMALS = (
    "normal",
    "contusion",
    "treated_fracture_plate",
    "treated_fracture_cast",
    "healed_fracture",
)
INJURIES = (
    "supracondylar_fracture",
    "lateral_condyle_fracture",
    "radial_head_fracture",
    "olecranon_fracture",
    "dislocation",
    "fracture_dislocation",
    "shaft_fracture",
)
FINDINGS = NORMALS + INJURIES


def label_of(finding: str) -> int:
    """Return 1 for an untreated fracture or a dislocation, 0 for everything else."""
    if finding not in FINDINGS:
        raise ValueError(f"{finding!r} is not one of {', '.join(FINDINGS)}")
    return int(finding in INJURIES)
