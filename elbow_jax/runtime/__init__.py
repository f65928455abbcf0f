"""The process: start-up, devices, compilation, interruption."""
