"""What heat maps cost beside plain scores: time for an image, and memory over many images."""
