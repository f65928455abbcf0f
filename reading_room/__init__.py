"""What a reading room runs: a page that reads radiographs, DICOM out, a watcher of a PACS.

``python -m reading_room --model DIR`` serves the page and a JSON interface: `decoding` turns
uploaded files into arrays in processes that may die alone, `server` scores and answers, and `page`
is what a browser gets. `inference` scores radiographs with a released model, `dicom` writes what it
found as DICOM objects of the patient's own study, and `watch` fetches new radiographs from a
DICOMweb server and sends these objects back. Nothing imports this package.
"""
