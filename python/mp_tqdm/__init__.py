"""One progress bar for a whole job, at a cost nobody can measure in their loop."""
