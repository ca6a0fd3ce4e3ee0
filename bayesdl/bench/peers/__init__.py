"""Small scripts, one a competitor and question, each run by itself in a process of its own."""
