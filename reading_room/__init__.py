"""What a reading room runs: DICOM in, DICOM out, a watcher of a PACS.

`reading_room.inference` scores radiographs with a released model, `reading_room.dicom` writes what
it found as DICOM objects of the patient's own study, and `reading_room.watch` fetches new
radiographs from a DICOMweb server and sends these objects back. Nothing imports this package.
"""
