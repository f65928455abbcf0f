"""What the documentation site needs beyond Sphinx: contents, reference, pages of source files."""
