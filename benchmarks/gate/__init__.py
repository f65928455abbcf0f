"""What the input gate flags of other images than radiographs of the same kind."""
