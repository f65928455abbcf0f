"""Digests of the names and shapes of the variables of the usual networks.

`tests/jax/scoring/test_tensors.py` traces the networks, compares, and prints this table anew.
"""

KNOWN_NETWORKS = {
    "small convnext_tiny cbam": "c9a593b40968ef56eb393dcd467d2db5",
    "small convnext_tiny": "7c92769fc52cfb893a5acd2afdc1f1d7",
    "small efficientnetv2_s cbam": "53eff6c1cf7cb77e452f4727b0bf2012",
    "small efficientnetv2_s": "124621bf1407feb939866a7ea4530c3d",
    "small mobilenetv3_large cbam": "1c967440de8d1e895c76906cb56b08f2",
    "small mobilenetv3_large": "bfba0b59ccd68cf068156337deb50d4b",
    "small fusion cbam": "d67f7a06d5d13ff2d27489a99241dc34",
    "small fusion": "02411486aa970ce0d76d48b2951738b8",
    "full convnext_tiny cbam": "365138d083f5d095ecf9ae40539a93a6",
    "full convnext_tiny": "4637bf5348ffa37dc3cf61353f0ee6a6",
    "full efficientnetv2_s cbam": "8089b8c58271eb725bed8cf7407d9e87",
    "full efficientnetv2_s": "3ce17487bed687070fc423f06e368927",
    "full mobilenetv3_large cbam": "5ab9fb018291e22a58be3017ec24d539",
    "full mobilenetv3_large": "b24ebbafde5371f483ff83b6d1221cc7",
    "full fusion cbam": "b961b44b33ded744c64e9cba9b9e0b70",
    "full fusion": "aa5d3cef30e894c013d91060aaeb0a1a",
}
