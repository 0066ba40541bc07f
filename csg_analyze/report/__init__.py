"""The report folder: figures, tables, pages, provenance. Submodules are imported where needed."""
