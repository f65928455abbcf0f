"""What both sides share: radiographs in, tables out. NumPy and OpenCV, never JAX or torch."""
