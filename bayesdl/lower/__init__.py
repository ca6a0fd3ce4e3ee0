"""Program → Executable: the passes that keep meaning, and the machines that run it."""
