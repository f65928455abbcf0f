"""What both sides share: radiographs in, arrays and tables out. NumPy and OpenCV, never JAX or torch."""
