"""From a file to chunks: readers, normalisation, chunking. Pure text; no sound here."""
