"""What reports a folder has, as a page and a README: `csg-analyze index`."""
