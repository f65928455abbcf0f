"""Small files that ask a decoder for much, the largest images, and small sound files to change.

`BOMBS`, `LARGEST` and `small_files` name the files; the modules beside them build each kind.
"""

from tests.support.hostile_files.bombs import BOMBS
from tests.support.hostile_files.encapsulated_pixels import of_run_lengths
from tests.support.hostile_files.jpeg_2000_streams import jpeg_2000, of_jpeg_2000
from tests.support.hostile_files.largest import LARGEST
from tests.support.hostile_files.sound import small_files

__all__ = ["BOMBS", "LARGEST", "jpeg_2000", "of_jpeg_2000", "of_run_lengths", "small_files"]
