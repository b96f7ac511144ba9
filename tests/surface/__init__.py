"""The differential test of the whole surface: programs, both packages, what may differ."""
