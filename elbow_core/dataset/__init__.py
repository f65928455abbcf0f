"""Data sets on disk: the manifest, its splits, checks for leakage, and the archive of images.

`open_prepared` opens what `elbow_core.prepare` wrote. `Archive` reads its images by position; a
manifest is a list of `ManifestRow`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.dataset.archive import Archive, open_archive, write_archive
    from elbow_core.dataset.archive_index import INDEX_FILE, read_ungrouped, write_index
    from elbow_core.dataset.archive_segments import (
        Segment,
        check_segment,
        segment_length,
        segment_path,
        write_segment,
    )
    from elbow_core.dataset.folds import FoldSplit, deal_folds, open_fold
    from elbow_core.dataset.identities import (
        fingerprint_of_key,
        hash_digests,
        hash_id,
        hash_ids,
        hash_path,
        read_key,
    )
    from elbow_core.dataset.leakage import check_disjoint, check_leakage, find_contradictions
    from elbow_core.dataset.manifest import (
        LABEL_NAMES,
        SPLITS,
        ManifestRow,
        read_manifest,
        validate_manifest,
        write_manifest,
    )
    from elbow_core.dataset.near_duplicates import (
        HASHES_FILE,
        MAX_NEAR_BITS,
        NearPair,
        between_patients,
        find_near_duplicates,
        find_near_duplicates_between,
        perceptual_hash,
        read_hashes,
        read_near_duplicates,
        write_near_duplicates,
    )
    from elbow_core.dataset.prepared import PreparedData, open_prepared
    from elbow_core.dataset.regions import (
        INJURY_KINDS,
        REGIONS_FILE,
        Region,
        parse_region,
        read_regions,
        write_regions,
    )
    from elbow_core.dataset.seen_images import (
        LEAKS_INTO,
        NOTHING_SEEN,
        SEEN_FILE,
        UNKNOWN_SEEN,
        SeenImages,
        images_learnt_from,
        read_seen_images,
        refuse_seen,
        seen_by_run,
    )
    from elbow_core.dataset.splits import check_classes, count_classes, split_patients

__all__ = [
    "HASHES_FILE",
    "INDEX_FILE",
    "INJURY_KINDS",
    "LABEL_NAMES",
    "LEAKS_INTO",
    "MAX_NEAR_BITS",
    "NOTHING_SEEN",
    "REGIONS_FILE",
    "SEEN_FILE",
    "SPLITS",
    "UNKNOWN_SEEN",
    "Archive",
    "FoldSplit",
    "ManifestRow",
    "NearPair",
    "PreparedData",
    "Region",
    "SeenImages",
    "Segment",
    "between_patients",
    "check_classes",
    "check_disjoint",
    "check_leakage",
    "check_segment",
    "count_classes",
    "deal_folds",
    "find_contradictions",
    "find_near_duplicates",
    "find_near_duplicates_between",
    "fingerprint_of_key",
    "hash_digests",
    "hash_id",
    "hash_ids",
    "hash_path",
    "images_learnt_from",
    "open_archive",
    "open_fold",
    "open_prepared",
    "parse_region",
    "perceptual_hash",
    "read_hashes",
    "read_key",
    "read_manifest",
    "read_near_duplicates",
    "read_regions",
    "read_seen_images",
    "read_ungrouped",
    "refuse_seen",
    "seen_by_run",
    "segment_length",
    "segment_path",
    "split_patients",
    "validate_manifest",
    "write_archive",
    "write_index",
    "write_manifest",
    "write_near_duplicates",
    "write_regions",
    "write_segment",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "archive": ["Archive", "open_archive", "write_archive"],
        "archive_index": ["INDEX_FILE", "read_ungrouped", "write_index"],
        "archive_segments": [
            "Segment",
            "check_segment",
            "segment_length",
            "segment_path",
            "write_segment",
        ],
        "folds": ["FoldSplit", "deal_folds", "open_fold"],
        "identities": [
            "fingerprint_of_key",
            "hash_digests",
            "hash_id",
            "hash_ids",
            "hash_path",
            "read_key",
        ],
        "leakage": ["check_disjoint", "check_leakage", "find_contradictions"],
        "manifest": [
            "LABEL_NAMES",
            "SPLITS",
            "ManifestRow",
            "read_manifest",
            "validate_manifest",
            "write_manifest",
        ],
        "near_duplicates": [
            "HASHES_FILE",
            "MAX_NEAR_BITS",
            "NearPair",
            "between_patients",
            "find_near_duplicates",
            "find_near_duplicates_between",
            "perceptual_hash",
            "read_hashes",
            "read_near_duplicates",
            "write_near_duplicates",
        ],
        "prepared": ["PreparedData", "open_prepared"],
        "regions": [
            "INJURY_KINDS",
            "REGIONS_FILE",
            "Region",
            "parse_region",
            "read_regions",
            "write_regions",
        ],
        "seen_images": [
            "LEAKS_INTO",
            "NOTHING_SEEN",
            "SEEN_FILE",
            "UNKNOWN_SEEN",
            "SeenImages",
            "images_learnt_from",
            "read_seen_images",
            "refuse_seen",
            "seen_by_run",
        ],
        "splits": ["check_classes", "count_classes", "split_patients"],
    },
)
